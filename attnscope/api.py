"""Where the rooms of the house are joined: what a user calls first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.errors import choices
from attnscope.maps.capture import Capture

if TYPE_CHECKING:
    from attnscope.capture.options import StepSelection
    from attnscope.capture.sites import LayerSelection

__all__ = ["capture", "open"]

_KINDS = ("cross",)
_BRANCHES = ("cond",)
_TOKENS = ("prompt", "all")
_DTYPES = ("float16", "float32")


@contextmanager
def capture(
    pipe_or_model: Any,
    *,
    kinds: str | Sequence[str] = ("cross",),
    layers: LayerSelection = None,
    steps: StepSelection = None,
    branches: str | Sequence[str] = "cond",
    tokens: str = "prompt",
    labels: Sequence[str] | None = None,
    dtype: Any = None,
) -> Iterator[Capture]:
    """Capture the attention of one run.

    The model computes what it would have computed: no processor is replaced, the picture is bit-identical, and
    everything is left as it was found, whatever happens inside the block.

    Parameters
    ----------
    pipe_or_model
        A diffusers text-to-image pipeline with a UNet, or a ``UNet2DConditionModel``. Of a model that you call
        yourself every batch row is kept as an image, and its branch is ``"unknown"``.
    kinds
        Kinds of attention to keep. Available: ``"cross"``.
    layers
        A label (``"up.1.0"``), a glob (``"up.*"``), a list of those, or a predicate on
        `attnscope.capture.sites.Site`. All where it is not given.
    steps
        Denoising steps to keep: an index (also from the end), a slice, a list, or a predicate on the index. All
        where it is not given.
    branches
        Branch of classifier-free guidance. Available: ``"cond"``, the conditional one.
    tokens
        ``"prompt"``: BOS, the prompt's tokens, EOS, and one column with the padding's sum, so that rows sum to 1;
        ``"all"``: every position.
    labels
        What to call the encoder's positions where the tokens are not known (``prompt_embeds``, a bare model); positions
        after the last label count as padding.
    dtype
        In which the probabilities are kept, ``"float16"`` (the default) or ``"float32"``. The softmax is computed in
        float32, and arrays are float32 in use, either way.

    Yields
    ------
    Capture
        ``(step, layer, head, pixel, token)`` arrays by native grid; fills while the run goes on.

    Raises
    ------
    NothingCapturedError
        On leaving the block, if nothing ran in it.
    CaptureError
        If the model has no attention that attnscope finds or is compiled, if two runs share a block, or if the model
        of a pipeline runs outside of that pipeline's call.
    UnknownLayerError
        If ``layers`` names no layer of the model.
    TypeError
        If ``layers`` or ``steps`` is no choice.

    Examples
    --------
    >>> import attnscope
    >>> pipe = attnscope.demo.pipeline()
    >>> with attnscope.capture(pipe, layers="up.*") as cap:
    ...     image = pipe("a green star", num_inference_steps=2).images[0]
    >>> cap.layers["layer"].tolist()[:3]
    ['up.1.0', 'up.1.1', 'up.1.2']
    """
    from attnscope.capture.options import Options
    from attnscope.capture.session import record

    _check("kinds", [kinds] if isinstance(kinds, str) else list(kinds), _KINDS)
    _check("branches", [branches] if isinstance(branches, str) else list(branches), _BRANCHES)
    _check("tokens", [tokens], _TOKENS)
    name = "float16" if dtype is None else str(dtype).removeprefix("torch.")
    name = name if name in _DTYPES else getattr(dtype, "__name__", name)
    _check("dtype", [name], _DTYPES)
    if isinstance(labels, str):
        msg = f"labels={labels!r} is one string; give a list with a label for each position: ['<s>', 'a', 'red', ...]."
        raise TypeError(msg)
    options = Options(layers=layers, steps=steps, tokens=tokens, labels=labels, dtype=np.dtype(name))
    with record(pipe_or_model, options) as recording:
        yield Capture(recording)


def _check(parameter: str, values: list[Any], available: tuple[str, ...]) -> None:
    for value in values:
        if value not in available:
            msg = f"{parameter}={value!r} is not available. {choices(value, available)}"
            raise ValueError(msg)
    if not values:
        msg = f"{parameter} is empty. {choices('', available)}"
        raise ValueError(msg)


def open(path: str | Path) -> Capture:
    """Open a saved capture. Reads labels only; maps are read when asked for.

    Parameters
    ----------
    path
        What `Capture.save` wrote.

    Raises
    ------
    SavedCaptureError
        If there is no capture, a damaged one, or one that a newer attnscope wrote.

    Examples
    --------
    >>> import attnscope
    >>> attnscope.open("nowhere.zarr")
    Traceback (most recent call last):
        ...
    attnscope.errors.SavedCaptureError: 'nowhere.zarr' does not exist. ...
    """
    from attnscope.maps.io import load

    return load(path)
