"""What the browser may ask for, read from a capture. Pure reads, safe from several threads."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from attnscope.errors import ViewError, choices
from attnscope.widget.anatomy import anatomy_table
from attnscope.widget.axes import Axes, a_layer
from attnscope.widget.choosing import shown_array, shown_kinds
from attnscope.widget.cross_packets import CrossPackets, Part
from attnscope.widget.encode import map_encoding
from attnscope.widget.memo import Memo
from attnscope.widget.protocol import ITEM_KINDS
from attnscope.widget.self_packets import SelfPackets

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import xarray as xr

    from attnscope.maps.capture import Capture
    from attnscope.widget.folding import Fold
    from attnscope.widget.protocol import Encoding, Item, Kind

__all__ = ["Packets"]

#: Bytes that are kept at hand: head means of 50 steps of the largest UNet in use fit.
_CACHE_BYTES = 128_000_000


class Packets:
    """Reader of one capture, as it is now.

    Parameters
    ----------
    cap
        The capture. Steps that come later are not seen, unless `grow` tells of them.
    other
        Reader of the second capture.
    """

    def __init__(self, cap: Capture, other: Packets | None = None) -> None:
        self._cap, self.other = cap, other
        self.kinds: list[Kind] = shown_kinds(cap)
        self.axes = Axes(shown_array(cap))
        self.memo = Memo(_CACHE_BYTES)
        self._cross = CrossPackets(cap, self.axes, self.memo) if "cross" in self.kinds else None
        self._pixels = SelfPackets(cap, self.axes, self.memo) if "self" in self.kinds else None
        self._entries = {str(row["layer"]): row for row in cap.layers.to_dict("records")}
        self._previews = cap.previews

    def grow(self, maps: Mapping[str, xr.Variable], step: int) -> None:
        """See one more step, while others read.

        Parameters
        ----------
        maps
            What is kept of cross-attention, by grid, with that step.
        step
            Its label.
        """
        self.cross.grow(maps)
        self.axes.steps.append(step)

    def folded(self, fold: Fold) -> Packets:
        """Read as if there were fewer columns."""
        made = copy(self)
        made._cross = copy(self.cross)
        made._cross.fold = fold
        return made

    @property
    def cross(self) -> CrossPackets:
        """Reader of cross-attention."""
        if self._cross is None:
            msg = "Cross-attention was not captured. Available: self. Capture kinds=('cross', 'self')."
            raise ViewError(msg)
        return self._cross

    @property
    def pixels(self) -> SelfPackets:
        """Reader of self-attention."""
        if self._pixels is None:
            msg = "Self-attention was not captured. Available: cross. Capture kinds=('cross', 'self')."
            raise ViewError(msg)
        return self._pixels

    def layers(self, kind: str) -> list[str]:
        """Labels of the captured layers of one kind, in network order."""
        reader = {"cross": self._cross, "self": self._pixels}[kind]
        return [] if reader is None else reader.layers

    def parts(self, item: Item, *, dtype: str | None = None) -> list[Part]:
        """Read what one item asks for.

        Parameters
        ----------
        item
            A request.
        dtype
            How maps travel: ``"uint8"``, ``"float16"``, or as their size asks for.

        Returns
        -------
        list of (name, array, encoding)
            The sections of the packet.
        """
        if not isinstance(item, dict):
            msg = f"An item must be an object, not {type(item).__name__}."
            raise ViewError(msg)
        if item.get("capture", 0) not in (0, None):
            return self._second(item).parts({**item, "capture": 0}, dtype=dtype)
        kind, layer, part = item.get("kind"), item.get("layer"), item.get("part")
        row = (item.get("image", 0), item.get("branch", self.axes.branches[0]))
        at = (item.get("step"), *row)
        match kind:
            case "atlas":
                maps = self.cross.atlas(*at)
                encoding = _encoding(sum(array.size for array in maps.values()), dtype)
                return [(name, array, encoding) for name, array in maps.items()]
            case "layer":
                array = self.cross.layer_maps(layer, *at)
                return [("maps", array, _encoding(array.size, dtype))]
            case "heads":
                return self.cross.heads(*at)
            case "range":
                return [(name, array, "f32") for name, array in self.cross.ranges(layer, *row).items()]
            case "strip":
                return [("values", self.cross.strip(layer, *row, part), "f32")]
            case "preview":
                return [("rgb", self.preview(*at[:2]), "u8")]
            case "received":
                return [("maps", self.pixels.received(layer, *at), "f16")]
            case "qk":
                return self.pixels.qk(layer, *at, part, compact=dtype is not None)
            case "rows":
                return self.pixels.rows(layer, *at, part)
            case "anatomy":
                return [("table", self.anatomy(layer, *row), "u8")]
        msg = f"kind {kind!r} is unknown. {choices(kind, ITEM_KINDS)}"
        raise ViewError(msg)

    def _second(self, item: Item) -> Packets:
        if self.other is None or item.get("capture") != 1:
            which = "0 and 1" if self.other is not None else "0; attnscope.Scope(cap, against=other) has a second one"
            msg = f"capture {item.get('capture')!r} is not there. Available: {which}."
            raise ViewError(msg)
        return self.other

    def anatomy(self, layer: Any, image: Any, branch: Any) -> np.ndarray:
        """Table of the transformer that holds a layer, as the bytes of its JSON."""
        entry = self._entries[a_layer(layer, self._entries, "cross")]
        return anatomy_table(self._cap, entry, self.axes.row(image, branch))

    def preview(self, step: Any, image: Any) -> np.ndarray:
        """Predicted picture at one step: ``(row, column, rgb)``."""
        if self._previews is None:
            msg = "No previews were captured: the run decoded no picture."
            raise ViewError(msg)
        where = self.axes.at(step, image, self.axes.branches[0])
        return self._previews.variable.isel(where, missing_dims="ignore").values


def _encoding(cells: int, dtype: str | None) -> Encoding:
    return "f16" if dtype == "float16" else map_encoding(cells, compact=dtype is not None)
