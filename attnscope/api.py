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
    import pandas as pd

    from attnscope.capture.options import StepSelection
    from attnscope.capture.sites import LayerSelection
    from attnscope.widget.live import Live
    from attnscope.widget.scope import Scope

__all__ = ["anatomy", "capture", "open"]

_KINDS = ("cross", "self")
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
    scope: Scope | None = None,
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
        Kinds of attention to keep: ``"cross"``, as probabilities, and ``"self"``, as the queries, keys and row
        log-sum-exps that any part of a map is computed from, when it is asked for.
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
        In which the probabilities of cross-attention are kept, ``"float16"`` (the default) or ``"float32"``. The
        softmax is computed in float32, and arrays are float32 in use, either way. Queries and keys keep the dtype of
        the model.
    scope
        A scope that shows the run while it goes on: each finished step is pushed to it. It is emptied when the block
        begins, so it may have shown another capture; afterwards it is what ``Scope(cap)`` would be.

    Yields
    ------
    Capture
        ``(step, layer, head, pixel, token)`` arrays by native grid, and ``(step, layer, head, pixel, key)`` ones of
        self-attention; fills while the run goes on.

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
        If ``layers`` or ``steps`` is no choice, or ``scope`` is no scope.
    ViewError
        If ``scope`` is given, and ``kinds`` has nothing that it shows.

    Examples
    --------
    >>> import attnscope
    >>> pipe = attnscope.demo.pipeline()
    >>> with attnscope.capture(pipe, layers="up.*") as cap:
    ...     image = pipe("a green star", num_inference_steps=2).images[0]
    >>> cap.layers["layer"].tolist()[:3]
    ['up.1.0', 'up.1.1', 'up.1.2']

    In a notebook, display the scope first, and it fills while the next cell runs:

    >>> scope = attnscope.Scope()
    >>> with attnscope.capture(pipe, scope=scope) as cap:
    ...     image = pipe("a green star", num_inference_steps=2).images[0]
    >>> scope
    <attnscope.Scope of 'a green star', step 1>
    """
    from attnscope.capture.options import Options
    from attnscope.capture.session import record

    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    _check("kinds", kinds, _KINDS)
    _check("branches", [branches] if isinstance(branches, str) else list(branches), _BRANCHES)
    _check("tokens", [tokens], _TOKENS)
    name = "float16" if dtype is None else str(dtype).removeprefix("torch.")
    name = name if name in _DTYPES else getattr(dtype, "__name__", name)
    _check("dtype", [name], _DTYPES)
    if isinstance(labels, str):
        msg = f"labels={labels!r} is one string; give a list with a label for each position: ['<s>', 'a', 'red', ...]."
        raise TypeError(msg)
    options = Options(
        kinds=tuple(kinds), layers=layers, steps=steps, tokens=tokens, labels=labels, dtype=np.dtype(name)
    )
    live = None if scope is None else _live(scope, kinds)
    try:
        with record(pipe_or_model, options) as recording:
            cap = Capture(recording)
            if live is not None:
                live.begin(cap, recording)
            yield cap
    finally:
        if live is not None:
            live.end()


def _live(scope: Any, kinds: Sequence[str]) -> Live:
    from attnscope.widget.live import Live

    return Live(scope, kinds)


def _check(parameter: str, values: list[Any], available: tuple[str, ...]) -> None:
    for value in values:
        if value not in available:
            msg = f"{parameter}={value!r} is not available. {choices(value, available)}"
            raise ValueError(msg)
    if not values:
        msg = f"{parameter} is empty. {choices('', available)}"
        raise ValueError(msg)


def anatomy(unet_or_pipe: Any, height: int = 512, width: int = 512) -> pd.DataFrame:
    """Take a UNet apart: every step that it takes, with shapes, as a table.

    The model does not run and its weights are not read: one of the same configuration runs on the meta device, where
    tensors have shapes only, with the processors that form their scores (``AttnProcessor``). So adapters that were
    loaded (LoRA, IP-Adapter) are not in it. All that is listed was seen in that run, but for ``keep residual``, which
    is no operation: it stands at the head of a part whose last step adds the part's own input.

    Parameters
    ----------
    unet_or_pipe
        A ``UNet2DConditionModel``, or a diffusers pipeline that has one.
    height, width
        Of the picture, in pixels: multiples of the pipeline's ``vae_scale_factor``, of 8 for a UNet alone.

    Returns
    -------
    pandas.DataFrame
        One row a step, in order; the rows of what a step calls follow it, under a ``part`` of their own.

        * ``layer``: label as in captures (``up.1.0``; with depth ``down.1.0.3``); the UNet's block (``down.1``)
          outside the transformers, and empty outside the blocks.
        * ``part``: where the step stands: ``Transformer2DModel``, ``BasicTransformerBlock``, ``attn1``, ``attn2``,
          ``ff``, ... An attention is there twice: in stages as ``attn2``, and step by step as ``attn2.processor``,
          its scores as ``attn2.get_attention_scores``.
        * ``operation``: the module as its parent calls it, or the method, or the function.
        * ``module``: dotted path of the module, else of that which the step stands in. A processor's path is
          its key in ``unet.attn_processors``.
        * ``definition``: ``Linear(768 -> 320)``, or the functions that ran (``permute & reshape``). ``off: ...`` is an
          optional step of the processor, with the setting by which this model skips it.
        * ``input``, ``output``: the shape, for one picture and no guidance, so that the batch is 1 (and 8 where 8
          heads are folded into it). Of several tensors a tuple of shapes.

    Raises
    ------
    CaptureError
        If there is no UNet, or it cannot be walked at this size.
    ValueError
        If ``height`` or ``width`` is no positive multiple of what one cell of the latents stands for.

    Examples
    --------
    >>> import attnscope
    >>> table = attnscope.anatomy(attnscope.demo.pipeline(), height=64, width=96)
    >>> stages = table.query("layer == 'down.1.0' and part == 'attn2'")
    >>> stages["operation"].tolist()
    ['query, key, value', 'split heads', 'attention', 'merge heads', 'to_out']
    >>> table[table["module"].str.endswith(".processor")]["module"].nunique()
    32
    """
    from attnscope.capture.anatomy import anatomy

    return anatomy(unet_or_pipe, height, width)


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
