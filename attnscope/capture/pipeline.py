"""Watching a pipeline's own call, for what its denoiser cannot know."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.capture.previews import fit_previews, noise_level, predicted_latents, to_uint8
from attnscope.capture.run import Run
from attnscope.capture.tokens import Text, read_prompt
from attnscope.capture.watch import watch
from attnscope.errors import CaptureError, ExtraCallsWarning, TruncatedPromptWarning

if TYPE_CHECKING:
    from attnscope.capture.recorder import Recorder
    from attnscope.capture.recording import Recording

__all__ = ["PipelineWatcher", "not_its_call"]


def not_its_call(pipe: Any) -> str:
    """Say why the model may not run now."""
    name = type(pipe).__name__
    return (
        f"The UNet ran outside of the call of the {name} that is captured, so nothing tells which rows of its "
        "batch are conditional. Capture the pipeline that you call; or capture its `.unet`, and every row is kept "
        "as an image."
    )


class PipelineWatcher:
    """Learns from the pipeline's own call what the denoiser cannot know: words, pictures, guidance."""

    def __init__(self, pipe: Any, recorder: Recorder) -> None:
        self._pipe, self._recorder = pipe, recorder
        self._latents: dict[int, np.ndarray] = {}
        self._no_previews: str | None = None
        self._scheduler_steps = 0
        self._unwatch_scheduler: Any = None

    def before(self, arguments: dict[str, Any]) -> None:
        """Prepare for the run that begins."""
        if self._recorder.step >= 0:
            msg = (
                f"This capture already holds a run ({self._recorder.recording.attrs['prompt']!r}). "
                "Use a `with attnscope.capture(pipe)` block for each call."
            )
            raise CaptureError(msg)
        prompts = _one_prompt(arguments)
        text = self._read(prompts[0]) if prompts else None
        embeds = arguments.get("prompt_embeds")
        count = len(prompts) if prompts else (1 if embeds is None else embeds.shape[0])
        self._recorder.run = Run(
            text=text,
            images=count * int(arguments.get("num_images_per_prompt") or 1),
            scale=getattr(self._pipe, "vae_scale_factor", 1),
            total=self._total,
            guided=self._guided,
            sigma=lambda timestep: noise_level(self._pipe.scheduler, timestep),
        )
        self._recorder.closed = None
        self._recorder.recording.attrs |= {
            "prompt": prompts[0] if prompts else None,
            "negative_prompt": arguments.get("negative_prompt"),
            "scheduler": type(self._pipe.scheduler).__name__,
            "guidance_scale": _number(arguments.get("guidance_scale")),
            "num_inference_steps": _number(arguments.get("num_inference_steps")),
            "seed": _seed(arguments.get("generator")),
        }
        self._unwatch_scheduler = watch(self._pipe.scheduler, "step", _SchedulerWatcher(self))

    def after(self, arguments: dict[str, Any], result: Any, error: BaseException | None) -> None:
        """Keep the picture, when there is one."""
        self.leave()
        recorder, recording = self._recorder, self._recorder.recording
        recorder.closed = not_its_call(self._pipe)
        recorder.whole = error is None
        if error is None:
            images = getattr(result, "images", result[0] if isinstance(result, tuple) else None)
            recording.pictures = to_uint8(images)
            if recorder.step + 1 > self._scheduler_steps:
                msg = (
                    f"The UNet was called {recorder.step + 1} times in {self._scheduler_steps} steps of the scheduler. "
                    "Each call is a step of this capture."
                )
                warnings.warn(msg, ExtraCallsWarning, stacklevel=3)
        if recording.pictures is not None:
            recording.size = recording.pictures.shape[1:3]
        recording.previews = self._previews(recording)
        recording.attrs["no_previews"] = self._no_previews
        recording.advance()

    def leave(self) -> None:
        """Leave the scheduler as it was found."""
        if self._unwatch_scheduler is not None:
            self._unwatch_scheduler()
            self._unwatch_scheduler = None

    def saw_step(self, scheduler: Any, arguments: dict[str, Any]) -> None:
        """Keep the latents that the model predicts at this step."""
        self._scheduler_steps += 1
        if self._no_previews is not None:
            return
        try:
            latents = predicted_latents(scheduler, arguments)
        except Exception as error:  # previews are a comfort: they must not end the run
            self._no_previews = f"{type(scheduler).__name__}: {type(error).__name__}: {error}"
            return
        if latents is None:
            self._no_previews = f"the prediction of {type(scheduler).__name__} is not one that is known"
            return
        self._latents[self._recorder.step] = latents.detach().half().cpu().numpy()

    def _previews(self, recording: Recording) -> np.ndarray | None:
        wanted = [step.step for step in recording.steps]
        if recording.pictures is None or not wanted:
            self._no_previews = self._no_previews or "the run decoded no picture"
        elif not all(step in self._latents for step in wanted):
            self._no_previews = self._no_previews or "some calls of the UNet were no steps of the scheduler"
        if recording.pictures is None or self._no_previews:
            return None
        last = self._latents[max(self._latents)]
        latents = np.stack([*(self._latents[step] for step in wanted), last])
        return fit_previews(latents, recording.pictures)[:-1]

    @property
    def scheduler(self) -> Any:
        """The scheduler of this run."""
        return self._pipe.scheduler

    def _read(self, prompt: str) -> Text | None:
        tokenizer = getattr(self._pipe, "tokenizer", None)
        if tokenizer is None:
            return None
        if hasattr(self._pipe, "maybe_convert_prompt"):
            prompt = self._pipe.maybe_convert_prompt(prompt, tokenizer)
        text = read_prompt(tokenizer, prompt)
        if text.truncated:
            msg = f"The tokenizer takes {tokenizer.model_max_length} tokens; the model does not see {text.truncated!r}."
            warnings.warn(msg, TruncatedPromptWarning, stacklevel=4)
        return text

    def _total(self) -> int | None:
        # Not the scheduler's own count: with `strength`, a run begins in the middle.
        total = getattr(self._pipe, "num_timesteps", None)
        timesteps = getattr(self._pipe.scheduler, "timesteps", None)
        return total if total is not None else None if timesteps is None else len(timesteps)

    def _guided(self) -> bool:
        return bool(getattr(self._pipe, "do_classifier_free_guidance", False))


class _SchedulerWatcher:
    def __init__(self, run: PipelineWatcher) -> None:
        self._run = run

    def before(self, arguments: dict[str, Any]) -> None:
        self._run.saw_step(self._run.scheduler, arguments)

    def after(self, arguments: dict[str, Any], result: Any, error: BaseException | None) -> None:
        pass


def _one_prompt(arguments: dict[str, Any]) -> list[str]:
    prompt = arguments.get("prompt")
    prompts = [prompt] if isinstance(prompt, str) else list(prompt or [])
    if len(set(prompts)) > 1:
        msg = (
            f"A capture labels its columns with the words of one prompt, and this call has {len(set(prompts))} "
            "different ones. Call the pipeline once for each, or use num_images_per_prompt for several pictures of one."
        )
        raise CaptureError(msg)
    return prompts


def _number(value: Any) -> Any:
    """Give a number of numpy or torch as a plain one."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value


def _seed(generator: Any) -> int | list[int] | None:
    if generator is None:
        return None
    if isinstance(generator, (list, tuple)):
        return [int(one.initial_seed()) for one in generator]
    return int(generator.initial_seed())
