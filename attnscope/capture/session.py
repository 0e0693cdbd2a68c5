"""``record``: everything between entering and leaving a capture."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.capture.previews import fit_previews, predicted_latents, to_uint8
from attnscope.capture.recorder import Recorder, Run
from attnscope.capture.sites import find_sites
from attnscope.capture.tokens import Text, read_prompt
from attnscope.capture.watch import watch
from attnscope.errors import CaptureError, NothingCapturedError, TruncatedPromptWarning, UnknownTokensWarning

if TYPE_CHECKING:
    from attnscope.capture.options import Options
    from attnscope.capture.recording import Recording

__all__ = ["record"]

#: Diffusers' names for the denoiser of a pipeline.
_DENOISERS = ("unet",)


@contextmanager
def record(target: Any, options: Options) -> Iterator[Recording]:
    """Record what runs inside the block.

    Parameters
    ----------
    target
        A diffusers pipeline with a ``unet``, or the UNet itself.
    options
        What to keep.

    Yields
    ------
    Recording
        Grows while the block runs, and is whole when it is left, also by an exception.

    Raises
    ------
    NothingCapturedError
        On leaving, if the block captured nothing.
    CaptureError
        If ``target`` has no denoiser that attnscope knows, or is called twice.
    """
    pipe, model = _denoiser(target)
    recorder = Recorder(model, options)
    with ExitStack() as stack:
        if pipe is not None:
            watcher = _PipelineWatcher(pipe, recorder)
            stack.callback(watcher.leave)
            stack.callback(watch(pipe, "__call__", watcher))
        recorder.attach(stack)
        recorder.recording.attrs = _provenance(pipe, model)
        try:
            yield recorder.recording
        finally:
            recorder.finish()
            _describe_text(recorder)
    if not recorder.recording.stores:
        raise NothingCapturedError(_why_nothing(recorder))
    if recorder.text is not None and not recorder.text.known:
        msg = (
            "The prompt's tokens are not known (prompt_embeds, or a bare model), so positions label the columns. "
            "Give labels: attnscope.capture(..., labels=['<s>', 'a', 'red', ...])."
        )
        warnings.warn(msg, UnknownTokensWarning, stacklevel=5)


def _denoiser(target: Any) -> tuple[Any, Any]:
    for name in _DENOISERS:
        model = getattr(target, name, None)
        if model is not None and hasattr(target, "scheduler"):
            return target, model
    find_sites(target)  # raises, with what to give instead
    return None, target


def _why_nothing(recorder: Recorder) -> str:
    if recorder.step < 0:
        return (
            "Nothing was captured: the UNet was not called inside the block. Run the pipeline inside "
            "`with attnscope.capture(pipe):`, and capture the pipeline that you run."
        )
    reasons = {site["reason"] for site in recorder.recording.attrs["missing"] if site["kind"] == "cross"}
    steps = f" (steps={recorder.options.steps!r}, the run had {recorder.step + 1})" if recorder.options.steps else ""
    return f"Nothing was captured of {recorder.step + 1} step(s){steps}: {'; '.join(sorted(reasons)) or 'no site'}."


def _provenance(pipe: Any, model: Any) -> dict[str, Any]:
    name = getattr(getattr(pipe or model, "config", None), "_name_or_path", None)
    attrs = dict.fromkeys(("prompt", "negative_prompt", "scheduler", "guidance_scale", "steps", "seed"))
    return attrs | {
        "model": name or type(pipe or model).__name__,
        "pipeline": None if pipe is None else type(pipe).__name__,
        "missing": [],
        "tokens_known": True,
        "truncated": None,
        "attnscope_version": version("attnscope"),
        "diffusers_version": version("diffusers"),
        "torch_version": version("torch"),
    }


def _describe_text(recorder: Recorder) -> None:
    attrs, recording = recorder.recording.attrs, recorder.recording
    attrs["height"], attrs["width"] = recording.size
    attrs["steps"] = attrs["steps"] or recorder.step + 1
    if recorder.text is not None:
        attrs["tokens_known"] = recorder.text.known
        attrs["truncated"] = recorder.text.truncated


class _PipelineWatcher:
    """Learns from the pipeline's own call what the denoiser cannot know: words, pictures, guidance."""

    def __init__(self, pipe: Any, recorder: Recorder) -> None:
        self._pipe, self._recorder = pipe, recorder
        self._latents: dict[int, np.ndarray] = {}
        self._unwatch_scheduler: Any = None
        self._calls = 0

    def before(self, arguments: dict[str, Any]) -> None:
        """Prepare for the run that begins."""
        if self._calls or self._recorder.step >= 0:
            msg = (
                f"This capture already holds a run ({self._recorder.recording.attrs['prompt']!r}). "
                "Use a `with attnscope.capture(pipe)` block for each call."
            )
            raise CaptureError(msg)
        self._calls += 1
        prompts = _one_prompt(arguments)
        text = self._read(prompts[0]) if prompts else None
        embeds = arguments.get("prompt_embeds")
        count = len(prompts) if prompts else (1 if embeds is None else embeds.shape[0])
        self._recorder.run = Run(
            text=text,
            images=count * (arguments.get("num_images_per_prompt") or 1),
            total=self._total,
            guided=self._guided,
            sigmas=self._sigma,
        )
        self._recorder.recording.attrs |= {
            "prompt": prompts[0] if prompts else None,
            "negative_prompt": arguments.get("negative_prompt"),
            "scheduler": type(self._pipe.scheduler).__name__,
            "guidance_scale": arguments.get("guidance_scale"),
            "steps": arguments.get("num_inference_steps"),
            "seed": _seed(arguments.get("generator")),
        }
        self._unwatch_scheduler = watch(self._pipe.scheduler, "step", _SchedulerWatcher(self))

    def after(self, arguments: dict[str, Any], result: Any, error: BaseException | None) -> None:
        """Keep the picture, when there is one."""
        self.leave()
        recording = self._recorder.recording
        scale = getattr(self._pipe, "vae_scale_factor", 1)
        recording.size = (recording.size[0] * scale, recording.size[1] * scale)
        if error is None:
            images = getattr(result, "images", result[0] if isinstance(result, tuple) else None)
            recording.pictures = to_uint8(images)
        if recording.pictures is not None:
            recording.size = recording.pictures.shape[1:3]
        wanted = [step.step for step in recording.steps]
        if recording.pictures is not None and wanted and all(step in self._latents for step in wanted):
            last = self._latents[max(self._latents)]
            latents = np.stack([*(self._latents[step] for step in wanted), last])
            recording.previews = fit_previews(latents, recording.pictures)[:-1]
        recording.version += 1

    def leave(self) -> None:
        """Leave the scheduler as it was found."""
        if self._unwatch_scheduler is not None:
            self._unwatch_scheduler()
            self._unwatch_scheduler = None

    def saw_step(self, scheduler: Any, arguments: dict[str, Any]) -> None:
        """Keep the latents that the model predicts at this step."""
        latents = predicted_latents(scheduler, arguments, self._recorder.step)
        if latents is not None:
            self._latents[self._recorder.step] = latents.detach().half().cpu().numpy()

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
        timesteps = getattr(self._pipe.scheduler, "timesteps", None)
        return None if timesteps is None else len(timesteps)

    def _guided(self) -> bool:
        return bool(getattr(self._pipe, "do_classifier_free_guidance", False))

    def _sigma(self, step: int) -> float | None:
        sigmas = getattr(self._pipe.scheduler, "sigmas", None)
        return None if sigmas is None or step >= len(sigmas) else float(sigmas[step])


class _SchedulerWatcher:
    def __init__(self, run: _PipelineWatcher) -> None:
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


def _seed(generator: Any) -> int | list[int] | None:
    if generator is None:
        return None
    if isinstance(generator, (list, tuple)):
        return [int(one.initial_seed()) for one in generator]
    return int(generator.initial_seed())
