"""``record``: everything between entering and leaving a capture."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from attnscope.capture import companding
from attnscope.capture.compiled import refuse_compiled
from attnscope.capture.pipeline import PipelineWatcher, not_its_call, scheduler_of
from attnscope.capture.recorder import Recorder
from attnscope.capture.shapes import config_of, sizes_of_call
from attnscope.capture.sites import find_sites
from attnscope.capture.watch import watch
from attnscope.errors import NothingCapturedError, SavedCaptureError, UnknownTokensWarning

if TYPE_CHECKING:
    from attnscope.capture.keeping import InMemory
    from attnscope.capture.options import Options
    from attnscope.capture.recording import Recording

__all__ = ["record"]

#: By how much a kept probability p may be off; a rounding of float32 beside it.
_ERRORS = {"float32": "0", "float16": "max(p*2**-11, 2**-25)", "uint8": companding.ERROR}
#: Diffusers' names for the denoiser of a pipeline.
_DENOISERS = ("unet", "decoder")


@contextmanager
def record(target: Any, options: Options, place: InMemory | None = None) -> Iterator[Recording]:
    """Record what runs inside the block.

    Parameters
    ----------
    target
        A diffusers pipeline with a ``unet``, or the UNet itself.
    options
        What to keep.
    place
        Where to keep it; in memory where it is not given.

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
    refuse_compiled(model)
    recorder = Recorder(model, options, None if pipe is None else not_its_call(pipe), place)
    with ExitStack() as stack:
        if pipe is not None:
            watcher = PipelineWatcher(pipe, model, recorder)
            stack.callback(watcher.leave)
            stack.callback(watch(pipe, "__call__", watcher))
        recorder.attach(stack)
        recorder.recording.attrs = _provenance(pipe, model) | _kept(options)
        stack.callback(_note_sizes(model, recorder.recording.attrs))
        ended = False
        try:
            yield recorder.recording
            ended = True
        finally:
            recorder.finish()
            _describe_end(recorder, ended if pipe is None else recorder.whole)
            try:
                recorder.place.run_finished(recorder.recording)
            except SavedCaptureError:
                if ended:  # else the error inside the block is the one that comes out
                    raise
    if recorder.recording.empty:
        raise NothingCapturedError(_why_nothing(recorder))
    if not all(text.known for text in recorder.looking.texts):
        msg = (
            "The prompt's tokens are not known (prompt_embeds, or a bare model), so positions label the columns. "
            "Give labels: attnscope.capture(..., labels=['<s>', 'a', 'red', ...])."
        )
        warnings.warn(msg, UnknownTokensWarning, stacklevel=5)


def _note_sizes(model: Any, attrs: dict[str, Any]) -> Callable[[], None]:
    """Note what the model is called with at first, from which its anatomy can be taken again."""

    def before(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if attrs["model_inputs"] is None:
            attrs["model_inputs"] = sizes_of_call(args, kwargs)

    return model.register_forward_pre_hook(before, with_kwargs=True).remove


def _denoiser(target: Any) -> tuple[Any, Any]:
    for name in _DENOISERS:
        model = getattr(target, name, None)
        if hasattr(model, "attn_processors") and scheduler_of(target) is not None:
            return target, model
    find_sites(target)  # raises, with what to give instead
    return None, target


def _why_nothing(recorder: Recorder) -> str:
    if recorder.step < 0:
        return (
            "Nothing was captured: the UNet was not called inside the block. Run the pipeline inside "
            "`with attnscope.capture(pipe):`, and capture the pipeline that you run."
        )
    kinds = recorder.options.kinds
    reasons = {site["reason"] for site in recorder.recording.attrs["missing"] if site["kind"] in kinds}
    return f"Nothing was captured of {recorder.step + 1} step(s): {'; '.join(sorted(reasons)) or 'no site'}."


def _provenance(pipe: Any, model: Any) -> dict[str, Any]:
    name = getattr(getattr(pipe or model, "config", None), "_name_or_path", None)
    attrs = dict.fromkeys(
        ("prompt", "negative_prompt", "scheduler", "guidance_scale", "num_inference_steps", "steps", "seed")
    )
    return attrs | {
        "model": name or type(pipe or model).__name__,
        "pipeline": None if pipe is None else type(pipe).__name__,
        "model_config": config_of(model),
        "model_inputs": None,
        "finished": False,
        "missing": [],
        "recomputed": [],
        "tokens_known": True,
        "truncated": None,
        "attnscope_version": version("attnscope"),
        "diffusers_version": version("diffusers"),
        "torch_version": version("torch"),
    }


def _kept(options: Options) -> dict[str, Any]:
    """Say how far what is kept may be from what was computed."""
    name = options.dtype.name
    attrs: dict[str, Any] = {"dtype": name, "dtype_error": _ERRORS[name]}
    return attrs | ({"reduced": list(options.reduce)} if options.reduce else {})


def _describe_end(recorder: Recorder, whole: bool) -> None:
    attrs = recorder.recording.attrs
    attrs["finished"] = whole and not recorder.gaps.broken
    if whole or attrs["steps"] is None:
        attrs["steps"] = recorder.step + 1
