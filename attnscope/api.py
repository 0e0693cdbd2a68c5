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

__all__ = ["anatomy", "capture", "open"]

_KINDS = ("cross", "self")
_BRANCHES = ("cond",)
_TOKENS = ("prompt", "all")
_DTYPES = ("float16", "float32", "uint8")
_REDUCE = ("head", "step")


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
    reduce: str | Sequence[str] = (),
    store: str | Path | None = None,
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
        In which the probabilities of cross-attention are kept: ``"float16"`` (the default), ``"float32"``, or
        ``"uint8"``, as ``round(254 * sqrt(p))``, so that ``p`` is off by at most ``sqrt(p) / 254 + 1 / (4 * 254**2)``.
        The softmax is computed in float32, and arrays are float32 in use, whichever it is; ``attrs["dtype"]`` and
        ``attrs["dtype_error"]`` say which. Queries and keys keep the dtype of the model.
    reduce
        Over what cross-attention is averaged before it is kept, in float32: ``"head"``, ``"step"``, or both. The dims
        stay, with one entry: head 0, and the last step averaged. ``attrs["reduced"]`` names them, and
        ``attrs["averaged_steps"]`` counts. Steps in which a layer was not seen do not count in its mean.
        Self-attention beside it is kept whole; with ``"step"`` it is refused, since queries and keys have no mean.
    store
        Folder of a new Zarr store, such as ``"run.zarr"``, that each step is written to as it finishes; the capture
        reads from there, and no more than the step under way is in memory. `attnscope.open` reads it too, while the run
        goes on and after; of a run that was killed it has every finished step, and ``attrs["finished"]`` is False.

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
    SavedCaptureError
        If the path of ``store`` is taken, or cannot be written to.
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

    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    _check("kinds", kinds, _KINDS)
    _check("branches", [branches] if isinstance(branches, str) else list(branches), _BRANCHES)
    _check("tokens", [tokens], _TOKENS)
    name = "float16" if dtype is None else str(dtype).removeprefix("torch.")
    name = name if name in _DTYPES else getattr(dtype, "__name__", name)
    _check("dtype", [name], _DTYPES)
    reduce = _read_reduce(reduce, kinds)
    if isinstance(labels, str):
        msg = f"labels={labels!r} is one string; give a list with a label for each position: ['<s>', 'a', 'red', ...]."
        raise TypeError(msg)
    options = Options(
        kinds=tuple(kinds),
        layers=layers,
        steps=steps,
        tokens=tokens,
        labels=labels,
        dtype=np.dtype(name),
        reduce=reduce,
    )
    if store is None:
        with record(pipe_or_model, options) as recording:
            yield Capture(recording)
    else:
        from attnscope.maps.stream import OnDisk

        place = OnDisk(store)
        with record(pipe_or_model, options, place) as recording:
            yield Capture(recording, place.tree)


def _read_reduce(reduce: str | Sequence[str], kinds: list[str]) -> tuple[str, ...]:
    several = [reduce] if isinstance(reduce, str) else list(reduce)
    if several:
        _check("reduce", several, _REDUCE)
    if several and "cross" not in kinds:
        msg = f"reduce={reduce!r} averages probabilities of cross-attention, and kinds={kinds!r} keeps none."
        raise ValueError(msg)
    if "step" in several and "self" in kinds:
        msg = (
            f"reduce={reduce!r} with kinds={kinds!r}: self-attention is kept as queries and keys, which have no mean "
            "over steps. Nest two captures: `with attnscope.capture(pipe, reduce=('step',)) as cross, "
            "attnscope.capture(pipe, kinds='self') as self_attention:`."
        )
        raise ValueError(msg)
    return tuple(name for name in _REDUCE if name in several)


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
