"""What a capture has seen, as plain numpy: the hand-over from ``capture`` to ``maps``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from attnscope.capture.sites import Site

__all__ = ["GridStore", "Recording", "Step", "Token"]


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


class GridStore:
    """All kept maps of the layers that share one native grid.

    One array ``(step, image, layer, head, pixel, token)`` that is filled in place: what is kept is kept once.

    Parameters
    ----------
    grid
        Rows and columns.
    sites
        Its layers, in network order.
    images, tokens
        Length of these dims.
    dtype
        Of the stored values.
    steps
        How many steps to make room for; more are made when they come.
    """

    def __init__(
        self,
        grid: tuple[int, int],
        sites: Sequence[Site],
        images: int,
        tokens: int,
        dtype: np.dtype,
        steps: int,
    ) -> None:
        self.grid = grid
        self.sites = list(sites)
        heads = max(site.heads for site in sites)
        shape = (images, len(sites), heads, grid[0] * grid[1], tokens)
        self._array = np.empty((max(steps, 1), *shape), dtype)
        self._used = 0

    @property
    def array(self) -> np.ndarray:
        """The filled part: a view ``(step, image, layer, head, pixel, token)``."""
        return self._array[: self._used]

    def append(self, maps: Mapping[str, np.ndarray]) -> None:
        """Add a step: for each layer seen in it ``(image, head, pixel, token)``; what was not seen is NaN."""
        if self._used == len(self._array):
            grown = np.empty((2 * self._used, *self._array.shape[1:]), self._array.dtype)
            grown[: self._used] = self._array
            self._array = grown
        row = self._array[self._used]
        for index, site in enumerate(self.sites):
            seen = maps.get(site.layer)
            if seen is None:
                row[:, index] = np.nan
            else:
                row[:, index, : seen.shape[1]] = seen
                row[:, index, seen.shape[1] :] = np.nan
        self._used += 1

    def trim(self) -> None:
        """Give back room that was made for steps that did not come."""
        if self._used < len(self._array):
            self._array = self._array[: self._used].copy()


@dataclass
class Recording:
    """Everything that one run left behind.

    Parameters
    ----------
    stores
        Kept maps, by grid.
    head_widths
        Width of a head, by module path.
    steps
        The captured steps; the first axis of every store.
    tokens
        The kept columns, in order; the last axis of every store.
    pictures
        ``(image, row, column, 3)`` uint8, or None where none was decoded.
    previews
        ``(step, image, row, column, 3)`` uint8: the predicted picture at each step, or None.
    size
        Height and width of the picture, in its pixels (in latent cells where no picture was made).
    attrs
        Where the run came from: prompt, scheduler, guidance, versions, ...; and ``missing``, a list of the sites that
        were not captured, each with ``layer``, ``kind``, ``module`` and ``reason``.
    branch
        Branch of guidance that was kept; ``"unknown"`` where nothing tells which it is.
    version
        Counts the changes, so that who holds a view of the data knows when to make a new one.
    """

    stores: list[GridStore] = field(default_factory=list)
    head_widths: dict[str, int] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    pictures: np.ndarray | None = None
    previews: np.ndarray | None = None
    size: tuple[int, int] = (0, 0)
    attrs: dict[str, Any] = field(default_factory=dict)
    branch: str = "cond"
    version: int = 0
