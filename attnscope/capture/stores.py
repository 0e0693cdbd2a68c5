"""Where what is seen is kept in memory: one array for each grid, or for each layer, that steps are added to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnscope.capture.companding import NOTHING, encode

if TYPE_CHECKING:
    from attnscope.capture.sites import Site

__all__ = ["GridStore", "QueriesKeys", "SelfStore", "as_kept"]


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
            # By a quarter: what is kept may be bounded by a budget.
            grown = np.empty((self._used + max(1, self._used // 4), *self._array.shape[1:]), self._array.dtype)
            grown[: self._used] = self._array
            self._array = grown
        self._used += 1
        return self._array[self._used - 1]


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

    def replace(self, maps: Mapping[str, np.ndarray]) -> None:
        """Put one step in the place of all. Views of those that were there stay as they are."""
        following = _Growing(self.shape, self.dtype, 1)
        self.filled(maps, following.next())
        self._maps = following  # once it is whole: another thread may be reading

    def close(self) -> None:
        """Take note that nothing is added any more. Room for steps that did not come was never touched."""


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

    def fits(self, layer: str, seen: QueriesKeys) -> bool:
        """Whether a step is of the kind of the first one: arrays have one scale, and a mask from the first step on."""
        masked = "bias" in self._arrays[layer]
        return seen.scale == self.scales[layer] and (masked or seen.bias is None or not seen.bias.any())
