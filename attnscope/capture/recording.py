"""What a capture has seen, as plain numpy: the hand-over from ``capture`` to ``maps``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from attnscope.capture.sites import Site

__all__ = ["GridStore", "QueriesKeys", "Recording", "Row", "SelfStore", "Step", "Token"]


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
        self._array = np.empty((max(steps, 1), *shape), dtype)
        self._used = 0

    @property
    def array(self) -> np.ndarray:
        """The filled part, a view."""
        return self._array[: self._used]

    def next(self) -> np.ndarray:
        """Make room for one more step, to be filled in."""
        if self._used == len(self._array):
            grown = np.empty((2 * self._used, *self._array.shape[1:]), self._array.dtype)
            grown[: self._used] = self._array
            self._array = grown
        self._used += 1
        return self._array[self._used - 1]

    def trim(self) -> None:
        """Give back room that was made for steps that did not come."""
        if self._used < len(self._array):
            self._array = self._array[: self._used].copy()


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
    ) -> None:
        self.kind = kind
        self.grid = grid
        self.sites = list(sites)
        heads = max(site.heads for site in sites)
        self._maps = _Growing((rows, len(sites), heads, grid[0] * grid[1], tokens), dtype, steps)

    @property
    def array(self) -> np.ndarray:
        """The filled part: a view ``(step, row, layer, head, pixel, token)``."""
        return self._maps.array

    def append(self, maps: Mapping[str, np.ndarray]) -> None:
        """Add a step: for each layer seen in it ``(row, head, pixel, token)``; what was not seen is NaN."""
        step = self._maps.next()
        for index, site in enumerate(self.sites):
            seen = maps.get(site.layer)
            if seen is None:
                step[:, index] = np.nan
            else:
                step[:, index, : seen.shape[1]] = seen
                step[:, index, seen.shape[1] :] = np.nan

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
            one = seen.get(layer)
            for name, growing in arrays.items():
                part = None if one is None else getattr(one, name)
                missing = np.nan if name == "sums" else 0
                growing.next()[...] = missing if part is None else part

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
