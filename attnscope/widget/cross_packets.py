"""Cross-attention as the browser asks for it: maps of all heads, their means, their highest values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from math import log2
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from attnscope.maps.kept import as_used, kept
from attnscope.widget.atlas import mean_over_heads, nearest, shrink
from attnscope.widget.axes import Axes, a_layer, a_part
from attnscope.widget.ranges import Spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from attnscope.maps.capture import Capture
    from attnscope.widget.folding import Fold
    from attnscope.widget.memo import Memo
    from attnscope.widget.protocol import Encoding

__all__ = ["CrossPackets", "Part"]

#: A section of a packet: its name, its values, and how they travel.
Part: TypeAlias = "tuple[str, np.ndarray, Encoding]"
#: How many values are counted at a time for a range.
_COUNTED = 2**22


@dataclass(frozen=True)
class _Place:
    """Where a layer's maps lie."""

    grid: str
    index: int
    height: int
    width: int
    heads: int


class CrossPackets:
    """Reader of the cross-attention of one capture, as it is now.

    Parameters
    ----------
    cap
        The capture. Steps that come later are not seen, unless `grow` tells of them.
    axes
        Its steps, images and branches.
    memo
        Where head means are kept at hand.
    """

    def __init__(self, cap: Capture, axes: Axes, memo: Memo) -> None:
        table = cap.layers.query("kind == 'cross'")
        arrays = {grid: cap.at(grid) for grid in table["grid"].unique()}
        indexes = {grid: list(array["layer"].values) for grid, array in arrays.items()}
        self._places = {
            str(row["layer"]): _Place(
                str(row["grid"]),
                indexes[row["grid"]].index(row["layer"]),
                int(row["height"]),
                int(row["width"]),
                min(int(row["heads"]), arrays[row["grid"]].sizes["head"]),
            )
            for row in table.to_dict("records")
        }
        # Plain variables, since selecting by index on a labelled array costs ten times more.
        self._maps = {str(grid): kept(array) for grid, array in arrays.items()}
        self._axes, self._memo = axes, memo
        #: Which columns are summed into one, in a file that does not hold all of them.
        self.fold: Fold | None = None

    def grow(self, maps: Mapping[str, xr.Variable]) -> None:
        """See more steps, while others read.

        Parameters
        ----------
        maps
            What is kept, by grid, with those steps.
        """
        self._maps = dict(maps)

    @property
    def layers(self) -> list[str]:
        """Labels of the captured layers, in network order."""
        return list(self._places)

    @property
    def in_memory(self) -> bool:
        """Whether the maps are at hand, and not on disk."""
        return all(isinstance(variable._data, np.ndarray) for variable in self._maps.values())

    @property
    def finest_side(self) -> int:
        """Longer side of the finest grid."""
        return max(max(place.height, place.width) for place in self._places.values())

    def cells(self, layer: str) -> int:
        """How many rows of attention a layer has at one step: heads times pixels."""
        place = self._places[layer]
        return place.heads * place.height * place.width

    def stored(self, layer: str) -> str:
        """In which dtype a layer's maps are kept."""
        return str(self._maps[self._places[layer].grid].dtype)

    def read(self, layer: Any, step: Any, image: Any, branch: Any) -> np.ndarray:
        """Read all heads of one layer at one step: ``(head, pixel, token)``, a view where the data are in memory."""
        place = self._place(layer)
        where = {"layer": place.index, "head": slice(place.heads), **self._axes.at(step, image, branch)}
        maps = self._maps[place.grid]  # after the step was found: a run that goes on brings the maps first
        if isinstance(maps._data, np.ndarray) and maps.dims[-3:] == ("head", "pixel", "token"):
            values = maps._data[tuple(where.get(str(dim), slice(None)) for dim in maps.dims)]  # a tenth of the time
        else:
            values = maps.isel(where, missing_dims="ignore").transpose("head", "pixel", "token").values
        values = as_used(values) if values.dtype == np.uint8 else values
        return values if self.fold is None else self.fold.columns(values)

    def layer_maps(self, layer: Any, step: Any, image: Any, branch: Any) -> np.ndarray:
        """All heads on the native grid: ``(head, token, row, column)``."""
        place = self._place(layer)
        maps = np.moveaxis(self.read(layer, step, image, branch), -1, 1)
        return maps.reshape(*maps.shape[:2], place.height, place.width)

    def head_mean(self, layer: Any, step: Any, image: Any, branch: Any) -> np.ndarray:
        """Mean over heads on the native grid: ``(token, row, column)`` float32; NaN where nothing was seen."""
        place = self._place(layer)
        mean = mean_over_heads(self.read(layer, step, image, branch))
        return mean.T.reshape(-1, place.height, place.width)

    def atlas(self, step: Any, image: Any, branch: Any) -> dict[str, np.ndarray]:
        """Every layer as `atlas_map` gives it."""
        return {layer: self.atlas_map(layer, step, image, branch) for layer in self._places}

    def atlas_map(self, layer: Any, step: Any, image: Any, branch: Any) -> np.ndarray:
        """Mean over heads, at most 32 cells a side: ``(token, row, column)`` float16."""
        key = (self, "atlas", layer, step, image, branch)
        return self._memo.get(key, lambda: self._shrunk(layer, step, image, branch)[0])

    def look(self, step: int, image: int, branch: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Give the atlas of one step, and what `mass` says of each layer, in one pass over the maps."""
        means: dict[str, np.ndarray] = {}
        for layer in self._places:
            atlas, means[layer] = self._shrunk(layer, step, image, branch)
            self._memo.get((self, "atlas", layer, step, image, branch), atlas.view)
        return self.atlas(step, image, branch), means

    def _shrunk(self, layer: str, step: Any, image: Any, branch: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean over heads as in the atlas; and over its pixels too."""
        mean = self.head_mean(layer, step, image, branch)
        return shrink(mean).astype(np.float16), mean.mean(axis=(1, 2))

    def atlas_mean(self, step: int, image: int, branch: str) -> np.ndarray:
        """Mean over layers of an atlas, each on the finest grid in it by nearest cell: ``(row, column, token)``.

        What the browser shows first. A layer that was not seen takes nothing from the mean of the others.
        """
        maps = list(self.atlas(step, image, branch).values())
        height, width = (max(array.shape[axis] for array in maps) for axis in (1, 2))
        total = np.zeros((maps[0].shape[0], height, width), np.float32)
        seen = np.zeros(total.shape, np.uint16)
        for array in maps:
            # By index, not by a matrix of weights: 0 times NaN would spread one cell over the map.
            values = array[:, nearest(array.shape[1], height)[:, None], nearest(array.shape[2], width)]
            finite = np.isfinite(values)
            total += np.where(finite, values, 0)
            seen += finite
        with np.errstate(invalid="ignore"):
            return np.moveaxis(total / seen, 0, -1)

    def heads(self, step: Any, image: Any, branch: Any) -> list[Part]:
        """How every head of every layer looks at every token, in network order: what heads are ranked by.

        ``focus`` is ``1 - H / log2 N``, where H is the entropy in bits of the head's map of the token, normalised to
        sum 1, over its N pixels: 0 is even, 1 is one pixel, on whatever grid. ``mass`` is the mean of the map. Both are
        ``(n, token)`` float32, NaN where nothing was seen, and ``pairs`` names the n: JSON ``[[layer, head], ...]``.

        The page ranks heads by ``focus * log2 N * mass ** 0.25``: by how many bits the word is placed more narrowly
        than by chance, less where there is little attention to place. Of the plain scores that were tried on the demo
        pipeline this one best puts first the heads that look where the thing is drawn: bits alone find heads that
        hardly look at the word, mass alone those that look everywhere, and focus without its bits the coarsest grids.
        It is no proof that a head follows the word: one that looks narrowly at another place ranks as high.
        """
        pairs, both = [], []
        for layer, place in self._places.items():
            pairs += [[layer, head] for head in range(place.heads)]
            key = (self, "heads", layer, step, image, branch)
            both.append(self._memo.get(key, partial(self._focus, layer, step, image, branch)))
        focus, mass = np.concatenate(both, axis=1)
        names = np.frombuffer(json.dumps(pairs, separators=(",", ":")).encode(), np.uint8)
        return [("pairs", names, "u8"), ("focus", focus, "f32"), ("mass", mass, "f32")]

    def _focus(self, layer: str, step: Any, image: Any, branch: Any) -> np.ndarray:
        """Focus and mass of each head and token: ``(2, head, token)``."""
        maps = self.read(layer, step, image, branch).astype(np.float32)
        mass = maps.mean(axis=1)
        bits = np.log2(np.maximum(maps, np.finfo(np.float32).tiny))
        bits *= maps
        with np.errstate(divide="ignore", invalid="ignore"):
            # Of p / sum(p) without making it: one pass less over the maps.
            entropy = np.log2(mass * maps.shape[1]) - bits.mean(axis=1) / mass
            focus = 1 - entropy / log2(maps.shape[1])
        return np.stack([np.clip(focus, 0, 1), mass])

    def ranges(self, layer: Any, image: Any, branch: Any) -> dict[str, np.ndarray]:
        """How high each token goes over steps and pixels: ``max``, ``p1`` and ``p99``.

        Each is ``(head + 1, token)`` float32, the last row for the mean over heads. A step in which the layer was not
        seen does not count.
        """
        self._place(layer)
        self._axes.row(image, branch)
        steps = list(self._axes.steps)
        # Anew for each number of steps: counts that grow with a run would be kept for every layer.
        key = (self, "range", layer, image, branch, len(steps))
        found = self._memo.get(key, lambda: self._spread(layer, steps, image, branch))
        return dict(zip(("max", "p1", "p99"), found, strict=True))

    def _spread(self, layer: str, steps: list[int], image: int, branch: str) -> np.ndarray:
        spread = Spread()
        # Several steps at a time where they are small: a count costs the same for few values.
        together = max(1, _COUNTED // (self.cells(layer) * self.read(layer, steps[0], image, branch).shape[-1]))
        for start in range(0, len(steps), together):
            several = [self.read(layer, step, image, branch) for step in steps[start : start + together]]
            maps = np.concatenate(several, axis=1, dtype=np.float32)
            spread.add(np.concatenate([maps, maps.mean(axis=0, keepdims=True)]))
        return np.stack([spread.highest, spread.percentile(1), spread.percentile(99)])

    def strip(self, layer: Any, image: Any, branch: Any, cell: Any) -> np.ndarray:
        """One pixel at every step: ``(step, head, token)`` float32; ``cell`` counts the layer's pixels row by row."""
        place = self._place(layer)
        cell = a_part(cell, place.height * place.width, f"Layer {layer} has cells")
        steps = list(self._axes.steps)
        return np.stack([self.read(layer, step, image, branch)[:, cell] for step in steps]).astype(np.float32)

    def mass(self, layer: str, step: int, image: int = 0, branch: str | None = None) -> np.ndarray:
        """Mean over heads and pixels of each token."""
        maps = self.read(layer, step, image, self._axes.branches[0] if branch is None else branch)
        return maps.mean(axis=(0, 1), dtype=np.float32)

    def _place(self, layer: Any) -> _Place:
        return self._places[a_layer(layer, self._places, "cross")]
