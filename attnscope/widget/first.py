"""What a view begins with, so that it needs no kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnscope.widget.encode import pack
from attnscope.widget.protocol import make_item

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnscope.widget.packets import Packets
    from attnscope.widget.protocol import Item, PutItem

__all__ = ["first_look", "quick_layers"]

#: Weights of self-attention that are computed before a scope is there: about a second's worth.
_FIRST_ENTRIES = 200_000_000


def first_look(packets: Packets, state: Mapping[str, Any], dtype: str | None = None) -> tuple[dict[str, Any], bytes]:
    """Make the maps with which a view begins: a ``put``, and its buffer.

    Parameters
    ----------
    packets
        Reader of the capture.
    state
        Where the view begins.
    dtype
        How maps travel; see `Packets.parts`.
    """
    done: list[PutItem] = []
    buffer = b""
    for item in _items(packets, state):
        sections, data = pack(packets.parts(item, dtype=dtype), start=len(buffer))
        done.append({"id": item["id"], "sections": sections})
        buffer += data
    return {"type": "put", "gen": 0, "items": done}, buffer


def _items(packets: Packets, state: Mapping[str, Any]) -> list[Item]:
    at = state["step"], state["image"], state["branch"]
    if state["kind"] == "cross":
        return [make_item("atlas", *at)]
    return [make_item("received", *at, layer) for layer in quick_layers(packets)]


def quick_layers(packets: Packets) -> list[str]:
    """Name the layers of self-attention, in network order, whose received attention takes about a second in all.

    The coarsest first: the finest grids of a large picture take longer than one waits for a view.
    """
    room, affordable = _FIRST_ENTRIES, []
    for layer in sorted(packets.pixels.layers, key=packets.pixels.entries):
        room -= packets.pixels.entries(layer)
        affordable += [layer] if room >= 0 else []
    return [layer for layer in packets.pixels.layers if layer in affordable]
