"""Tiles: the heads of a layer, or the layers of a model in the shape that it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnscope.figures.layout import MUTED
from attnscope.figures.shown import field
from attnscope.figures.spec import Box, Text
from attnscope.figures.view import any_array

if TYPE_CHECKING:
    from attnscope.figures.view import View
    from attnscope.maps.capture import Capture

__all__ = ["Tile", "covered", "ladder", "layer_tiles", "sorted_heads"]

_GAP = 5.0
_ABOVE = 9.0
_ROW_LABEL = 24.0


@dataclass(frozen=True)
class Tile:
    """One small map; ``values`` is None for a site that was not captured."""

    title: str
    values: np.ndarray | None
    place: str = ""
    grid: tuple[int, int] = (0, 0)


def layer_tiles(cap: Capture, view: View) -> list[Tile]:
    """Small maps of a view: those of the heads of its layer, at level ``unet`` those of the sites of the model.

    A site is one place of the network: where transformer blocks are stacked, the mean of them.
    """
    table = cap.layers[cap.layers["kind"] == view.kind]
    if view.level != "unet" and view.words and "head" in cap.attrs.get("reduced", ()):
        return []
    if view.level != "unet":
        heads = int(table.loc[table["layer"] == view.layer, "heads"].iloc[0])
        return [Tile(f"head {head}", field(cap, view.at(level="head", head=head))) for head in range(heads)]
    made = []
    for key, rows in table.groupby(["place", "block", "attention"], sort=False):
        place, names = key[0], rows["layer"].tolist()  # type: ignore[index]
        maps = [_of_layer(cap, view.at(level="head", head="mean", layer=name)) for name in names]
        title = names[0] if len(names) == 1 else re.sub(r"\.\d+$", "", names[0])
        made.append(Tile(title, np.mean(maps, axis=0), str(place), maps[0].shape[:2]))
    return made


def covered(cap: Capture, view: View, tiles: list[Tile] | None = None) -> list[np.ndarray]:
    """Maps that a shared scale covers beside the large ones: the small maps on screen, or those of every step.

    On screen the heads stand beside an open head too; so they share its scale, and a figure has the same colours.
    """
    if view.scale_shown == "fixed":
        return []
    if view.scale_shown != "run":
        tiles = layer_tiles(cap, view) if tiles is None or view.level == "head" else tiles
        return [tile.values for tile in tiles if tile.values is not None]
    found: list[np.ndarray] = []
    for step in any_array(cap, view.kind)["step"].values.tolist():
        there = view.at(step=step)
        found += [field(cap, there), *(tile.values for tile in layer_tiles(cap, there) if tile.values is not None)]
    return found


def _of_layer(cap: Capture, view: View) -> np.ndarray:
    """Give the map of one of many layers, in the unit of their mean: of a pixel's self-attention, even shares."""
    values = field(cap, view)
    return values if view.words or view.uv is None else values * np.float32(values.size)


def sorted_heads(heads: list[Tile], view: View) -> tuple[list[Tile], str]:
    """Sort the heads of a layer as the view says, and say how; no word for their own order.

    By ``entropy`` the most concentrated map comes first, by ``mass`` the one with the most attention, by ``similarity``
    (Pearson's correlation) the one most like the mean of the chosen heads, of all where none is chosen.
    """
    if view.sort == "index" or len(heads) < 2:
        return heads, ""
    maps = np.stack([np.nan_to_num(tile.values).reshape(-1) for tile in heads if tile.values is not None])
    if view.sort == "mass":
        marks, how = -maps.sum(axis=1), "mass, the largest first"
    elif view.sort == "entropy":
        shares = maps / np.maximum(maps.sum(axis=1, keepdims=True), 1e-30)
        marks = -(shares * np.log2(np.maximum(shares, 1e-30))).sum(axis=1)
        how = "entropy, the most concentrated first"
    else:
        chosen = [view.head] if isinstance(view.head, int) else list(view.head) if isinstance(view.head, tuple) else []
        like = maps[[head for head in chosen if head < len(maps)] or slice(None)].mean(axis=0)
        centred, like = maps - maps.mean(axis=1, keepdims=True), like - like.mean()
        lengths = np.linalg.norm(centred, axis=1) * np.linalg.norm(like)
        # A map that is the same everywhere is like none, and stands last.
        marks = np.where(lengths > 0, -(centred @ like) / np.where(lengths > 0, lengths, 1), np.inf)
        what = f"head{'s' if len(chosen) > 1 else ''} {', '.join(map(str, chosen))}" if chosen else "the mean of all"
        how = f"similarity to {what}"
    order = np.argsort(marks, kind="stable").tolist()
    return [heads[place] for place in order], f"heads sorted by {how}"


def ladder(tiles: list[Tile], area: Box, aspect: float) -> tuple[list[tuple[Tile, Box]], list[Text]]:
    """Lay the sites of a model out: rows by resolution, way down on the left, way up on the right, the middle below.

    Models without such a shape get one row for each place.

    Returns
    -------
    list of (Tile, Box), list of Text
        Where each tile goes, and the label of each row.
    """
    is_u = all(tile.place in ("down", "mid", "up") for tile in tiles)
    rows: dict[tuple, list[Tile]] = {}
    for tile in tiles:
        key = (tile.place == "mid", -tile.grid[0] * tile.grid[1]) if is_u else (tile.place,)
        rows.setdefault(key, []).append(tile)
    keys = sorted(rows) if is_u else list(rows)
    down = max([0, *(sum(tile.place == "down" for tile in row) for row in rows.values())]) if is_u else 0
    up = max([0, *(sum(tile.place == "up" for tile in row) for row in rows.values())]) if is_u else 0
    middle = max([0, *(sum(tile.place == "mid" for tile in row) for row in rows.values())]) if is_u else 0
    columns = max(down + up + (0.5 if down and up else 0), middle) if is_u else max(map(len, rows.values()))
    across = (area.width - _ROW_LABEL - _GAP * (columns - 1)) / columns
    below = ((area.height - _GAP * (len(keys) - 1)) / len(keys) - _ABOVE) * aspect
    width = min(across, below, 78.0)
    height = width / aspect
    placed, labels = [], []
    for index, key in enumerate(keys):
        y = area.y + _ABOVE + 1 + index * (height + _ABOVE + _GAP)
        row = rows[key]
        grid = row[0].grid
        name = f"{grid[0]}²" if grid[0] == grid[1] else f"{grid[0]}×{grid[1]}"
        name = name if is_u else row[0].place
        labels.append(Text(area.x + _ROW_LABEL - 5, y + height / 2 + 2, name, 6.5, "right", MUTED))
        firsts = {"down": 0.0, "up": columns - up, "mid": (columns - middle) / 2}
        for tile in row:
            at = firsts.get(tile.place, 0.0)
            firsts[tile.place] = at + 1
            placed.append((tile, Box(area.x + _ROW_LABEL + at * (width + _GAP), y, width, height)))
    return placed, labels
