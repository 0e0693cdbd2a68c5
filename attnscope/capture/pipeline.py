"""Watching a pipeline's own call, for what its denoiser cannot know."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.capture.branches import Branches
from attnscope.capture.guidance import count_images, expected_branches, guided, learns_from_text
from attnscope.capture.previews import fit_previews, noise_level, predicted_latents, to_uint8
from attnscope.capture.prompts import Prompts
from attnscope.capture.run import Run
from attnscope.capture.watch import watch
from attnscope.errors import CaptureError, ExtraCallsWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnscope.capture.recorder import Recorder
    from attnscope.capture.recording import Recording

__all__ = ["PipelineWatcher", "not_its_call", "scheduler_of"]


def scheduler_of(pipe: Any) -> Any:
    """Find the scheduler of a pipeline's denoiser."""
    return getattr(pipe, "scheduler", None) or getattr(pipe, "decoder_scheduler", None)


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

    def __init__(self, pipe: Any, model: Any, recorder: Recorder) -> None:
        self._pipe, self._model, self._recorder = pipe, model, recorder
        self._latents: dict[int, np.ndarray] = {}
        self._no_previews: str | None = None
        self._scheduler_steps = 0
        self._unwatch: list[Callable[[], None]] = []

    def before(self, arguments: dict[str, Any]) -> None:
        """Prepare for the run that begins."""
        if self._recorder.step >= 0:
            msg = (
                f"This capture already holds a run ({self._recorder.recording.attrs['prompt']!r}). "
                "Use a `with attnscope.capture(pipe)` block for each call."
            )
            raise CaptureError(msg)
        self._prompts = Prompts(self._pipe, self._model, arguments)
        images = count_images(self._pipe, arguments, self._prompts.count)
        self._prompts.images = images
        branches = Branches(images, lambda groups: expected_branches(self._pipe, arguments, groups))
        self._recorder.run = Run(
            branches=branches,
            text=self._prompts.text,
            scale=getattr(self._pipe, "vae_scale_factor", getattr(self._pipe, "movq_scale_factor", 1)),
            total=self._total,
            guidance=lambda: "on" if guided(self._pipe, arguments) else "off",
            sigma=lambda timestep: noise_level(self.scheduler, timestep),
        )
        if learns_from_text(arguments) and hasattr(self._pipe, "encode_prompt"):
            self._unwatch.append(watch(self._pipe, "encode_prompt", _EncoderWatcher(branches)))
        self._recorder.closed = None
        self._recorder.recording.attrs |= {
            "prompt": self._prompts.named("prompt"),
            "negative_prompt": self._prompts.named("negative_prompt"),
            "editing_prompt": self._prompts.named("editing_prompt"),
            "scheduler": type(self.scheduler).__name__,
            "guidance_scale": _number(arguments.get("guidance_scale")),
            "num_inference_steps": _number(arguments.get("num_inference_steps")),
            "seed": _seed(arguments.get("generator")),
        }
        self._unwatch.append(watch(self.scheduler, "step", _SchedulerWatcher(self)))

    def after(self, arguments: dict[str, Any], result: Any, error: BaseException | None) -> None:
        """Keep the picture, when there is one."""
        self.leave()
        recorder, recording = self._recorder, self._recorder.recording
        recorder.interrupt()
        recorder.closed = not_its_call(self._pipe)
        recorder.whole = error is None
        if error is None and recorder.step + 1 > self._scheduler_steps:
            msg = (
                f"The UNet was called {recorder.step + 1} times in {self._scheduler_steps} steps of the scheduler. "
                "Each call is a step of this capture."
            )
            warnings.warn(msg, ExtraCallsWarning, stacklevel=3)
        try:
            if error is None:
                images = getattr(result, "images", getattr(result, "frames", None))
                recording.pictures = to_uint8(result[0] if isinstance(result, tuple) and result else images)
            if recording.pictures is not None:
                recording.size = recording.pictures.shape[1:3]
            recording.previews = self._previews(recording)
        except Exception as wrong:  # a comfort, as at every step: the run's own result must come through
            self._no_previews = f"{type(wrong).__name__}: {wrong}"
        recording.attrs["no_previews"] = self._no_previews
        # What is known of the run knows the pipeline, which may be large, and nobody needs it any more.
        recorder.run = Run()
        self._latents.clear()
        recording.advance()

    def leave(self) -> None:
        """Leave scheduler and encoder as they were found."""
        while self._unwatch:
            self._unwatch.pop()()

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
        if len({self._latents[step].shape for step in wanted} | {last.shape}) > 1:
            self._no_previews = "the scheduler's steps were of several shapes"
            return None
        if last.ndim != 4:
            self._no_previews = "the run made a video"
            return None
        if len(last) != len(recording.pictures):
            self._no_previews = f"the run gave {len(recording.pictures)} picture(s) of {len(last)}"
            return None
        latents = np.stack([*(self._latents[step] for step in wanted), last])
        return fit_previews(latents, recording.pictures)[:-1]

    @property
    def scheduler(self) -> Any:
        """The scheduler of this run."""
        return scheduler_of(self._pipe)

    def _total(self) -> int | None:
        # Not the scheduler's own count: with `strength`, a run begins in the middle.
        total = getattr(self._pipe, "num_timesteps", None)
        timesteps = getattr(self.scheduler, "timesteps", None)
        return total if total is not None else None if timesteps is None else len(timesteps)


class _EncoderWatcher:
    """Learns what the pipeline makes of its prompts: the embeddings, and those of the negative prompt."""

    def __init__(self, branches: Branches) -> None:
        self._branches = branches

    def before(self, arguments: dict[str, Any]) -> None:
        pass

    def after(self, arguments: dict[str, Any], result: Any, error: BaseException | None) -> None:
        embeddings = result[:2] if isinstance(result, tuple) else ()
        for branch, one in zip(("cond", "uncond"), embeddings, strict=False):
            if getattr(one, "ndim", 0) == 3:
                self._branches.learn(branch, one)


class _SchedulerWatcher:
    def __init__(self, run: PipelineWatcher) -> None:
        self._run = run

    def before(self, arguments: dict[str, Any]) -> None:
        self._run.saw_step(self._run.scheduler, arguments)

    def after(self, arguments: dict[str, Any], result: Any, error: BaseException | None) -> None:
        pass


def _number(value: Any) -> Any:
    """Give a number of numpy or torch as a plain one, several as a list, and anything else as text."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    return plain if plain is None or isinstance(plain, (bool, int, float, str, list)) else repr(plain)


def _seed(generator: Any) -> int | list[int] | None:
    several = generator if isinstance(generator, (list, tuple)) else [generator]
    if not all(hasattr(one, "initial_seed") for one in several):
        return None
    seeds = [int(one.initial_seed()) for one in several]
    return seeds if isinstance(generator, (list, tuple)) else seeds[0]
