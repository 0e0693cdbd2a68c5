"""Judging one picture by its colours, places and shapes, without any model.

The palette of the book is small and flat, so a thing is found as the largest connected area in
its colour; its shape is compared with the shapes of all kinds as they are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from attnscope.demo.book import COLOURS, KINDS, Colour, Kind, Scene, Thing
from attnscope.demo.draw import CREAM, GROUNDS, PALETTE, draw, shade, tint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

# A thing's longest side in parts of the picture side; the book draws them from 0.26 to 0.52.
_SIDES = (0.18, 0.65)
# Least distance between the centres along the relation, in parts of the picture side.
_LEAST_APART = 0.15
# Grey levels: local deviation above which noise is seen on a flat ground.
VISIBLE_NOISE = 4.0
_SHAPE_GRID = 24


@dataclass(frozen=True)
class Verdict:
    """What a picture shows of its scene.

    Parameters
    ----------
    present
        Of each thing: whether an area of sensible size has its colour.
    shaped
        Of each thing: whether that area looks like its kind, more than like any other.
    relation
        Whether the first thing lies where the caption says; None where it says nothing of it.
    ground
        Whether the background is the right one.
    noise
        Typical local deviation in grey levels (0 to 255); 0 for flat areas.
    """

    present: tuple[bool, ...]
    shaped: tuple[bool, ...]
    relation: bool | None
    ground: bool
    noise: float


def judge(picture: Picture, scene: Scene) -> Verdict:
    """Compare a picture, (height, width, rgb), with the scene its caption names.

    The things of the scene must differ in colour.
    """
    names = _nearest_names(picture)
    areas = [_largest_area(np.isin(names, _codes(thing.colour))) for thing in scene.things]
    present = tuple(_sensible(area) for area in areas)
    shaped = tuple(
        found and shape_of(area) == thing.kind for found, area, thing in zip(present, areas, scene.things, strict=True)
    )
    relation = None
    if scene.relation not in (None, "and"):
        relation = all(present) and _relation_holds(areas[0], areas[1], scene.relation)
    counts = {ground: int(np.isin(names, _codes(ground)).sum()) for ground in GROUNDS}
    ground = max(counts, key=lambda name: counts[name]) == scene.background
    return Verdict(present, shaped, relation, ground, noise_level(picture))


def noise_level(picture: Picture) -> float:
    """Return the median over the picture of the standard deviation in windows of 5x5 pixels.

    Most windows of a clean picture lie in one flat area, so edges do not count.
    """
    grey = picture.astype(np.float32).mean(axis=-1)
    windows = np.lib.stride_tricks.sliding_window_view(grey, (5, 5))[::2, ::2]
    return float(np.median(windows.std(axis=(-2, -1))))


@cache
def _references() -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Return the names (n) and values (n, rgb) of all paints of the book."""
    paints: list[tuple[str, tuple[int, int, int]]] = []
    for colour, value in PALETTE.items():
        paints += [(colour, paint) for paint in (value, shade(value), tint(value))]
    paints += [(ground, value) for ground, values in GROUNDS.items() for value in values]
    paints.append(("cream", CREAM))
    names, values = zip(*paints, strict=True)
    return names, np.array(values, np.float32)


def _codes(name: str) -> list[int]:
    """Return the numbers of the paints that have a name."""
    return [number for number, known in enumerate(_references()[0]) if known == name]


def _nearest_names(picture: Picture) -> NDArray[np.intp]:
    """Return the number of the nearest paint of each pixel, (height, width)."""
    _, values = _references()
    distances = np.square(picture[:, :, None].astype(np.float32) - values).sum(axis=-1)
    return distances.argmin(axis=-1)


def _largest_area(mask: Mask) -> Mask:
    """Return the largest connected area of a mask; gaps of one pixel do not part an area."""
    wide = _spread(mask.astype(np.int32)) > 0
    labels = np.where(wide, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        grown = np.where(wide, _spread(labels), 0)
        if np.array_equal(grown, labels):
            break
        labels = grown
    counts = np.bincount(labels[mask], minlength=2)
    counts[0] = 0
    return mask & (labels == counts.argmax())


def _spread(values: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return the maximum of each pixel and its eight neighbours."""
    padded = np.pad(values, 1)
    rows = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    return np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])


def _box(area: Mask) -> tuple[slice, slice]:
    """Return the smallest box around an area."""
    rows, columns = (np.flatnonzero(area.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _sensible(area: Mask) -> bool:
    """Say whether an area has the size of a thing and fills a fair part of its box."""
    if not area.any():
        return False
    inside = area[_box(area)]
    low, high = _SIDES
    return bool(low <= max(inside.shape) / len(area) <= high and inside.mean() > 0.25)


def _relation_holds(first: Mask, second: Mask, relation: str) -> bool:
    """Say whether the first area lies above, below, left of or right of the second."""
    centres = [np.argwhere(area).mean(axis=0) / len(area) for area in (first, second)]
    down, right = centres[0] - centres[1]
    along, across = (down, right) if relation in ("above", "below") else (right, down)
    if relation in ("above", "left of"):
        along = -along
    return bool(along > _LEAST_APART and along > abs(across))


def shape_of(area: Mask) -> Kind:
    """Return the kind whose shape fits an area best, by intersection over union."""
    seen = _resized(area)
    fits: dict[Kind, float] = {kind: (seen & shape).sum() / (seen | shape).sum() for kind, shape in _shapes().items()}
    return max(fits, key=lambda kind: fits[kind])


def _resized(area: Mask) -> Mask:
    """Stretch the box around an area to a fixed grid."""
    inside = area[_box(area)]
    rows, columns = (((np.arange(_SHAPE_GRID) + 0.5) / _SHAPE_GRID * side).astype(int) for side in inside.shape)
    return inside[rows][:, columns]


@cache
def _shapes() -> dict[Kind, Mask]:
    """Return the shape of each kind, as it is found on a freshly drawn picture."""
    colour: Colour = COLOURS[4]
    shapes: dict[Kind, Mask] = {}
    for kind in KINDS:
        scene = Scene((Thing(kind, colour, 0.5, 0.5, 0.4),), "paper", None, "")
        names = _nearest_names(draw(scene))
        shapes[kind] = _resized(_largest_area(np.isin(names, _codes(colour))))
    return shapes
