"""Where the rooms of the house are joined: what a user calls first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnscope.maps.capture import Capture

if TYPE_CHECKING:
    from attnscope.capture.branches import Layout
    from attnscope.capture.options import StepSelection
    from attnscope.capture.sites import LayerSelection
    from attnscope.maps.stream import OnDisk
    from attnscope.widget.live import Live
    from attnscope.widget.scope import Scope

__all__ = ["capture", "open"]


@contextmanager
def capture(
    pipe_or_model: Any,
    *,
    kinds: str | Sequence[str] = ("cross",),
    layers: LayerSelection = None,
    steps: StepSelection = None,
    branches: str | Sequence[str] = "cond",
    layout: Layout = None,
    tokens: str = "prompt",
    labels: Sequence[str] | None = None,
    dtype: Any = None,
    measure: bool = False,
    budget: int | str | None = None,
    reduce: str | Sequence[str] = (),
    store: str | Path | None = None,
    scope: Scope | None = None,
) -> Iterator[Capture]:
    """Capture the attention of one run.

    The model computes what it would have computed: no processor is replaced, the picture is bit-identical, and
    everything is left as it was found, whatever happens inside the block.

    Parameters
    ----------
    pipe_or_model
        A diffusers pipeline with a UNet, or a ``UNet2DConditionModel``. Of a model that you call yourself every batch
        row is kept as an image, and its branch is ``"unknown"``, unless ``layout`` says more.
    kinds
        Kinds of attention to keep: ``"cross"``, as probabilities, and ``"self"``, as the queries, keys and row
        log-sum-exps that any part of a map is computed from, when it is asked for; ``"image"``, over the tokens of
        image prompts (IP-Adapter), as probabilities.
    layers
        A label (``"up.1.0"``), a glob (``"up.*"``), a list of those, or a predicate on
        `attnscope.capture.sites.Site`. All where it is not given.
    steps
        Denoising steps to keep: an index (also from the end), a slice, a list, or a predicate on the index. All
        where it is not given.
    branches
        Branches of guidance to keep, one or several: ``"cond"`` and ``"uncond"`` (with the tokens of the negative
        prompt), ``"image"`` (of InstructPix2Pix: with the picture, without the text), ``"perturbed"``
        (perturbed-attention guidance), ``"edit"`` (each editing prompt of LEDITS++ and semantic guidance; ``"cond"``
        means them too, where no other branch is conditional). Several are a leading dim ``branch``; where a branch
        is not in a step, as when a callback switches guidance off, its maps are NaN there.
    layout
        Whose the rows of a batch are, where it cannot be told or you know better: the names of its equal parts in
        order, such as ``("uncond", "cond")``, or a function that takes the number of rows and names each one.
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
    measure
        Whether to measure what each sub-layer (``attn1``, ``attn2``, ``ff``) of the captured transformer blocks adds
        to the residual stream, see `Capture.measures`. Nothing is computed for it where it is not set.
    budget
        The most that may be kept in memory: bytes, or ``"2GB"``, ``"500 MB"``, ``"1.5 GiB"``. The run is planned at the
        first call of the model, from shapes, and does not begin if it does not fit. A bare model does not say how many
        steps there will be: there each step begins only if it fits, and those until then are kept. What goes to a
        ``store`` is not in memory, and needs no budget.
    reduce
        Over what cross-attention is averaged before it is kept, in float32: ``"head"``, ``"step"``, or both. The dims
        stay, with one entry: head 0, and the last step averaged. ``attrs["reduced"]`` names them, and
        ``attrs["averaged_steps"]`` counts. Steps in which a layer was not seen do not count in its mean.
        Self-attention beside it is kept whole; with ``"step"`` it is refused, since queries and keys have no mean.
    store
        Folder of a new Zarr store, such as ``"run.zarr"``, that each step is written to as it finishes; the capture
        reads from there, and no more than the step under way is in memory. `attnscope.open` reads it too, while the run
        goes on and after; of a run that was killed it has every finished step, and ``attrs["finished"]`` is False.
    scope
        A scope that shows the run while it goes on: each finished step is pushed to it. It is emptied when the block
        begins, so it may have shown another capture; afterwards it is what ``Scope(cap)`` would be.

    Yields
    ------
    Capture
        ``(step, layer, head, pixel, token)`` arrays by native grid, and ``(step, layer, head, pixel, key)`` ones of
        self-attention, after ``branch``, ``image`` and ``frame`` where there are several; fills while the run goes on.

    Raises
    ------
    NothingCapturedError
        On leaving the block, if nothing ran in it.
    CaptureError
        If the model has no attention that attnscope finds or is compiled, if two runs share a block, or if the model
        of a pipeline runs outside of that pipeline's call.
    UnknownLayerError
        If ``layers`` names no layer of the model.
    BudgetError
        If what would be kept is more than ``budget``; it names options that would fit.
    SavedCaptureError
        If the path of ``store`` is taken, or cannot be written to.
    TypeError
        If ``layers``, ``steps`` or ``budget`` is no choice, or ``scope`` is no scope.
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
    from attnscope.capture.options import read_options
    from attnscope.capture.session import record

    options = read_options(
        kinds=kinds,
        layers=layers,
        steps=steps,
        branches=branches,
        layout=layout,
        tokens=tokens,
        labels=labels,
        dtype=dtype,
        measure=measure,
        budget=budget,
        reduce=reduce,
    )
    with ExitStack() as stack:
        live = None if scope is None else _live(scope, options.kinds)
        if live is not None:
            stack.callback(live.end)
        place = None if store is None else _on_disk(store)
        run = record(pipe_or_model, options, place)
        try:
            recording = stack.enter_context(run)
        except BaseException:
            if place is not None:
                place.abandon()
            raise
        cap = Capture(recording) if place is None else Capture(recording, place.tree)
        if live is not None:
            live.begin(cap, recording)
        yield cap


def _on_disk(store: str | Path) -> OnDisk:
    from attnscope.maps.stream import OnDisk

    return OnDisk(store)


def _live(scope: Any, kinds: Sequence[str]) -> Live:
    from attnscope.widget.live import Live

    return Live(scope, kinds)


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
