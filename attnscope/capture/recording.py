"""What a capture has seen, as plain numpy: the hand-over from ``capture`` to ``maps``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.capture.companding import NOTHING, encode

if TYPE_CHECKING:
    from attnscope.capture.measure import Measured
    from attnscope.capture.sites import Site

__all__ = ["GridStore", "QueriesKeys", "Recording", "Row", "SelfStore", "Step", "Token", "as_kept"]


@dataclass(frozen=True)
class Row:
    """Whose attention lies at one place of a store's second axis.

    Parameters
    ----------
    branch
        ``"cond"``, ``"uncond"``, ...; ``"unknown"`` where nothing tells which it is.
    image
        Which of the pictures that are made at once.
    frame
        Which frame of a video; None for pictures.
    """

    branch: str = "cond"
    image: int = 0
    frame: int | None = None


@dataclass(frozen=True)
class Token:
    """One kept column of cross-attention.

    Parameters
    ----------
    position
        Place in the encoder's sequence; of the first one, where a column carries the sum of several.
    text
        The token's own text.
    word, word_index
        Text and number of the word that it belongs to; the number is -1 for tokens of no word.
    kind
        ``"bos"``, ``"prompt"``, ``"eos"`` or ``"pad"``.
    count
        How many positions the column carries: 1, but for the sum over the padding.
    """

    position: int
    text: str
    word: str
    word_index: int
    kind: str
    count: int = 1


@dataclass(frozen=True)
class Step:
    """One call of the denoiser."""

    step: int
    timestep: float
    sigma: float | None = None


class _Growing:
    """An array that steps are added to; room for those that are expected is made at once.

    Another thread may read while one adds, and find a last step that is still being filled in. `Recording.steps` is
    appended to when a step is complete: who takes its length first, and no more than that of the array, reads what is
    whole.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, steps: int) -> None:
        self._array = np.empty((steps, *shape), dtype)
        self._used = 0

    @property
    def array(self) -> np.ndarray:
        """The filled part, a view."""
        return self._array[: self._used]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one step."""
        return self._array.shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """Of the values."""
        return self._array.dtype

    def next(self) -> np.ndarray:
        """Make room for one more step, to be filled in."""
        if self._used == len(self._array):
            grown = np.empty((max(1, 2 * self._used), *self._array.shape[1:]), self._array.dtype)
            grown[: self._used] = self._array
            self._array = grown
        self._used += 1
        return self._array[self._used - 1]

    def trim(self) -> None:
        """Give back room that was made for steps that did not come."""
        if self._used < len(self._array):
            self._array = self._array[: self._used].copy()


def as_kept(maps: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Bring probabilities to the dtype in which they are kept."""
    if maps.dtype == dtype:
        return maps
    return encode(maps) if dtype == np.uint8 else maps.astype(dtype)


class GridStore:
    """All kept cross-attention maps of the layers that share one native grid.

    One array ``(step, row, layer, head, pixel, token)`` that is filled in place: what is kept is kept once.

    Parameters
    ----------
    kind
        ``"cross"``, over the text, or ``"image"``, over the tokens of image prompts.
    grid
        Rows and columns.
    sites
        Its layers, in network order.
    rows, tokens
        Length of these dims; rows are those of `Recording.rows`.
    dtype
        Of the stored values.
    steps
        How many steps to make room for; more are made when they come.
    heads
        Length of this dim, where it is not the most heads that one of the layers has.
    """

    def __init__(
        self,
        kind: str,
        grid: tuple[int, int],
        sites: Sequence[Site],
        rows: int,
        tokens: int,
        dtype: np.dtype,
        steps: int,
        heads: int | None = None,
    ) -> None:
        self.kind = kind
        self.grid = grid
        self.sites = list(sites)
        heads = heads or max(site.heads for site in sites)
        self.shape = (rows, len(sites), heads, grid[0] * grid[1], tokens)
        self.dtype = dtype
        self._maps = _Growing(self.shape, dtype, steps)

    @property
    def array(self) -> np.ndarray:
        """The filled part: a view ``(step, row, layer, head, pixel, token)``."""
        return self._maps.array

    def append(self, maps: Mapping[str, np.ndarray]) -> None:
        """Add a step: for each layer seen in it ``(row, head, pixel, token)``; what was not seen is NaN."""
        self.filled(maps, self._maps.next())

    def filled(self, maps: Mapping[str, np.ndarray], step: np.ndarray | None = None) -> np.ndarray:
        """Put the maps of a step together, into ``step`` where it is given: ``(row, layer, head, pixel, token)``."""
        step = np.empty(self.shape, self.dtype) if step is None else step
        nothing = NOTHING if self.dtype == np.uint8 else np.nan
        for index, site in enumerate(self.sites):
            seen = maps.get(site.layer)
            if seen is None:
                step[:, index] = nothing
            else:
                step[:, index, : seen.shape[1]] = as_kept(seen, self.dtype)
                step[:, index, seen.shape[1] :] = nothing
        return step

    def restart(self) -> None:
        """Begin again: the next step is the first. Views of those that were there stay as they are."""
        self._maps = _Growing(self.shape, self.dtype, 1)

    def trim(self) -> None:
        """Give back room that was made for steps that did not come."""
        self._maps.trim()


@dataclass(frozen=True)
class QueriesKeys:
    """What one layer's self-attention is computed from, at one step.

    Parameters
    ----------
    query, key
        ``(row, head, pixel, width)``, in the dtype of the model; bfloat16 as the bits of uint16.
    sums
        Row log-sum-exps ``(row, head, pixel)`` float32; NaN where nothing was seen.
    bias
        ``(row, key)`` float32 added to the scores, or None.
    scale
        Of the products.
    """

    query: np.ndarray
    key: np.ndarray
    sums: np.ndarray
    bias: np.ndarray | None
    scale: float


class SelfStore:
    """Queries, keys and row log-sum-exps of the layers that share one native grid.

    Each layer has arrays of its own, ``(step, row, head, pixel, width)``: layers differ in heads and width.

    Parameters
    ----------
    grid
        Rows and columns.
    sites
        Its layers, in network order.
    first
        The first step, which shows what there is.
    steps
        How many steps to make room for; more are made when they come.
    """

    kind = "self"

    def __init__(
        self, grid: tuple[int, int], sites: Sequence[Site], first: Mapping[str, QueriesKeys], steps: int
    ) -> None:
        self.grid = grid
        self.sites = list(sites)
        self.scales = {site.layer: first[site.layer].scale for site in sites}
        self._arrays: dict[str, dict[str, _Growing]] = {}
        for site in sites:
            one = first[site.layer]
            kept = {"query": one.query, "key": one.key, "sums": one.sums, "bias": one.bias}
            self._arrays[site.layer] = {
                name: _Growing(part.shape, part.dtype, steps) for name, part in kept.items() if part is not None
            }

    def arrays(self, layer: str) -> dict[str, np.ndarray]:
        """The filled parts of ``query``, ``key``, ``sums`` and, where the model adds one, ``bias``; views."""
        return {name: growing.array for name, growing in self._arrays[layer].items()}

    def append(self, seen: Mapping[str, QueriesKeys]) -> None:
        """Add a step; the log-sum-exps of a layer that was not seen in it are NaN."""
        for layer, arrays in self._arrays.items():
            for name, part in self.filled(layer, seen.get(layer)).items():
                arrays[name].next()[...] = part

    def filled(self, layer: str, seen: QueriesKeys | None) -> dict[str, np.ndarray]:
        """Give every part of a layer at a step, also of one that was not seen, or not all of it."""
        parts = {}
        for name, growing in self._arrays[layer].items():
            part = None if seen is None else getattr(seen, name)
            missing = np.nan if name == "sums" else 0
            parts[name] = np.full(growing.shape, missing, growing.dtype) if part is None else part
        return parts

    def trim(self) -> None:
        """Give back room that was made for steps that did not come."""
        for arrays in self._arrays.values():
            for growing in arrays.values():
                growing.trim()


@dataclass
class Recording:
    """Everything that one run left behind.

    Parameters
    ----------
    rows
        Whose attention it is, all combinations of the branches, images and frames that are kept; the second axis of
        every store.
    texts
        The kept columns, in order, by kind, and for each row: the last axis of the stores of that kind.
    stores
        Kept maps over the text (and over image prompts), by kind and grid.
    self_stores
        What self-attention is computed from, by grid.
    head_widths
        Width of a head, by module path.
    steps
        The captured steps; the first axis of every store.
    measures
        What each sub-layer added to the residual stream, or None where it was not asked for.
    pictures
        ``(image, row, column, 3)`` uint8, or None where none was decoded.
    previews
        ``(step, image, row, column, 3)`` uint8: the predicted picture at each step, or None.
    size
        Height and width of the picture, in its pixels (in latent cells where no picture was made).
    attrs
        Where the run came from: prompt, scheduler, guidance, versions, ...; and ``missing``, a list of the sites that
        were not captured, each with ``layer``, ``kind``, ``module`` and ``reason``.
    version
        Counts the changes, so that who holds a view of the data knows when to make a new one.
    watchers
        Told of every change, in the thread and at the time in which it was made: what they do, the run waits for. They
        may not raise.
    """

    rows: list[Row] = field(default_factory=list)
    texts: dict[str, list[list[Token]]] = field(default_factory=dict)
    stores: list[GridStore] = field(default_factory=list)
    self_stores: list[SelfStore] = field(default_factory=list)
    head_widths: dict[str, int] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    measures: Measured | None = None
    pictures: np.ndarray | None = None
    previews: np.ndarray | None = None
    size: tuple[int, int] = (0, 0)
    attrs: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    watchers: list[Callable[[], None]] = field(default_factory=list, repr=False, compare=False)

    def advance(self) -> None:
        """Count a change that is complete, and tell who watches."""
        self.version += 1
        for watcher in list(self.watchers):
            watcher()

    @property
    def empty(self) -> bool:
        """Whether no step has been kept yet."""
        return not self.steps
