"""What the browser may ask for, read from a capture. Pure reads, safe from several threads."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from attnscope.errors import AttnscopeError, UnknownLayerError, ViewError, choices
from attnscope.maps.kept import as_used, kept
from attnscope.widget.atlas import mean_over_heads, nearest, shrink
from attnscope.widget.encode import map_encoding
from attnscope.widget.protocol import make_item

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import xarray as xr

    from attnscope.maps.capture import Capture
    from attnscope.widget.protocol import Encoding, Item

__all__ = ["Packets"]

Part: TypeAlias = "tuple[str, np.ndarray, Encoding]"
#: Bytes of head means that are kept at hand: 50 steps of the largest UNet in use fit.
_CACHE_BYTES = 128_000_000


@dataclass(frozen=True)
class _Place:
    """Where a layer's maps lie."""

    grid: str
    index: int
    height: int
    width: int
    heads: int


class Packets:
    """Reader of one capture, as it is now.

    Parameters
    ----------
    cap
        The capture. Steps that come later are not seen, unless `grow` tells of them.
    """

    def __init__(self, cap: Capture) -> None:
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
        first = next(iter(arrays.values()))
        self.steps = [int(step) for step in first["step"].values]
        self.images = (
            [str(image) for image in np.atleast_1d(first["image"].values)] if "image" in first.coords else ["0"]
        )
        self.branches = (
            [str(b) for b in np.atleast_1d(first["branch"].values)] if "branch" in first.coords else ["cond"]
        )
        self._previews = cap.previews
        self._cache: OrderedDict[Any, np.ndarray] = OrderedDict()
        self._cached = 0
        self._highest: dict[Any, tuple[int, np.ndarray | None]] = {}
        self._lock = Lock()

    def grow(self, maps: Mapping[str, xr.Variable], step: int) -> None:
        """See one more step, while others read.

        Parameters
        ----------
        maps
            What is kept, by grid, with that step.
        step
            Its label.
        """
        self._maps = dict(maps)
        self.steps.append(step)

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

    def parts(self, item: Item, *, compact: bool = False) -> list[Part]:
        """Read what one item asks for.

        Parameters
        ----------
        item
            A request.
        compact
            Maps as q8, whatever their size.

        Returns
        -------
        list of (name, array, encoding)
            The sections of the packet.
        """
        if not isinstance(item, dict):
            msg = f"An item must be an object, not {type(item).__name__}."
            raise ViewError(msg)
        kind = item.get("kind")
        at = (item.get("step"), item.get("image", 0), item.get("branch", self.branches[0]))
        if kind == "atlas":
            maps = {layer: self.atlas_map(layer, *at) for layer in self._places}
            encoding = map_encoding(sum(array.size for array in maps.values()), compact=compact)
            return [(layer, array, encoding) for layer, array in maps.items()]
        if kind == "layer":
            array = self.layer_maps(item.get("layer"), *at)
            return [("maps", array, map_encoding(array.size, compact=compact))]
        if kind == "range":
            return [("max", self.maxima(item.get("layer"), *at[1:]), "f32")]
        if kind == "preview":
            return [("rgb", self.preview(*at[:2]), "u8")]
        msg = f"kind {kind!r} is unknown. {choices(kind, ['atlas', 'layer', 'preview', 'range'])}"
        raise ViewError(msg)

    def read(self, layer: Any, step: Any, image: Any, branch: Any) -> np.ndarray:
        """Read all heads of one layer at one step: ``(head, pixel, token)``, a view where the data are in memory."""
        place = self._place(layer)
        where = {"step": self._step(step), "layer": place.index, "head": slice(place.heads)}
        maps = self._maps[place.grid]  # after the step was found: `grow` brings the maps first
        where |= {"image": _index(image, len(self.images), "image")} if "image" in maps.dims else {}
        where |= {"branch": _label(branch, self.branches, "branch")} if "branch" in maps.dims else {}
        if isinstance(maps._data, np.ndarray) and maps.dims[-3:] == ("head", "pixel", "token"):
            values = maps._data[tuple(where.get(str(dim), slice(None)) for dim in maps.dims)]  # a tenth of the time
        else:
            values = maps.isel(where).transpose("head", "pixel", "token").values
        return as_used(values) if values.dtype == np.uint8 else values

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

    def atlas_map(self, layer: Any, step: Any, image: Any, branch: Any) -> np.ndarray:
        """Mean over heads, at most 32 cells a side: ``(token, row, column)`` float16."""
        key = ("atlas", layer, step, image, branch)
        return self._remember(key, lambda: self._shrunk(layer, step, image, branch)[0])

    def look(self, step: int, image: int, branch: str) -> tuple[list[Part], dict[str, np.ndarray]]:
        """Give the atlas of one step, and what `mass` says of each layer, in one pass over the maps."""
        means: dict[str, np.ndarray] = {}
        for layer in self._places:
            atlas, means[layer] = self._shrunk(layer, step, image, branch)
            self._remember(("atlas", layer, step, image, branch), atlas.view)
        item = make_item("atlas", step, image, branch)
        return self.parts(item), means

    def _shrunk(self, layer: str, step: Any, image: Any, branch: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean over heads as in the atlas; and over its pixels too."""
        mean = self.head_mean(layer, step, image, branch)
        return shrink(mean).astype(np.float16), mean.mean(axis=(1, 2))

    def atlas_mean(self, step: int, image: int, branch: str) -> np.ndarray:
        """Mean over layers of an atlas, each on the finest grid in it by nearest cell: ``(row, column, token)``.

        What the browser shows first. A layer that was not seen takes nothing from the mean of the others.
        """
        maps = [self.atlas_map(layer, step, image, branch) for layer in self._places]
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

    def maxima(self, layer: Any, image: Any, branch: Any) -> np.ndarray:
        """Largest value of each token over steps and pixels: ``(head + 1, token)``, last for the mean over heads."""
        key = (layer, image, branch)
        seen, highest = self._highest.get(key, (0, None))
        steps = self.steps[seen:]
        for step in steps:
            maps = self.read(layer, step, image, branch).astype(np.float32)
            maps = np.concatenate([maps, maps.mean(axis=0, keepdims=True)]).max(axis=1)
            # fmax, not maximum: a step in which the layer was not seen does not hide the others.
            highest = maps if highest is None else np.fmax(highest, maps)
        assert highest is not None
        self._highest[key] = seen + len(steps), highest
        return highest

    def mass(self, layer: str, step: int, image: int = 0, branch: str | None = None) -> np.ndarray:
        """Mean over heads and pixels of each token."""
        maps = self.read(layer, step, image, self.branches[0] if branch is None else branch)
        return maps.mean(axis=(0, 1), dtype=np.float32)

    def preview(self, step: Any, image: Any) -> np.ndarray:
        """Predicted picture at one step: ``(row, column, rgb)``."""
        if self._previews is None:
            msg = "No previews were captured: the run decoded no picture."
            raise ViewError(msg)
        frame = self._previews.variable.isel(step=self._step(step))
        if "image" in frame.dims:
            frame = frame.isel(image=_index(image, len(self.images), "image"))
        return frame.values

    def _place(self, layer: Any) -> _Place:
        if layer not in self._places:
            msg = f"No captured layer is called {layer!r}. {choices(layer, self._places)}"
            raise UnknownLayerError(msg)
        return self._places[layer]

    def _step(self, step: Any) -> int:
        return _label(step, self.steps, "step")

    def _remember(self, key: Any, make: Callable[[], np.ndarray]) -> np.ndarray:
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        value = make()
        with self._lock:
            if key not in self._cache:
                self._cache[key] = value
                self._cached += value.nbytes
            while self._cached > _CACHE_BYTES and len(self._cache) > 1:
                self._cached -= self._cache.popitem(last=False)[1].nbytes
        return value


def _index(value: Any, size: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < size:
        msg = f"{name} {value!r} was not captured. Available: 0 to {size - 1}."
        raise ViewError(msg)
    return int(value)


def _label(value: Any, labels: list[Any], name: str) -> int:
    try:
        return labels.index(value)
    except ValueError:
        msg = f"{name} {value!r} was not captured. {choices(value, labels)}"
        error: AttnscopeError = ViewError(msg)
    raise error
