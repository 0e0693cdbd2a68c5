"""Colours: the tables of the maps, and the categories of the strongest-word map. Twin: ``js/src/maps/luts.ts``."""

from __future__ import annotations

from functools import cache
from typing import Literal, TypeAlias

import numpy as np

__all__ = [
    "COLOUR_MAPS",
    "FLAT_RGB",
    "LOG_FLOOR",
    "NAN_RGB",
    "OKABE_ITO",
    "OTHER_RGB",
    "ColourMap",
    "Transform",
    "hexadecimal",
    "lut",
    "paint",
    "paint_categories",
    "position",
    "value_at",
]

ColourMap: TypeAlias = Literal["viridis", "cividis", "magma", "gray"]
Transform: TypeAlias = Literal["linear", "sqrt", "log"]

COLOUR_MAPS: tuple[ColourMap, ...] = ("viridis", "cividis", "magma", "gray")
#: Okabe and Ito (2008), without black, in an order that keeps neighbours apart.
OKABE_ITO: tuple[tuple[int, int, int], ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (213, 94, 0),
    (204, 121, 167),
    (240, 228, 66),
    (0, 114, 178),
)
#: Cells that are not a number: a colour that no table contains.
NAN_RGB = (255, 0, 255)
#: A map whose cells are all equal has no shape to colour.
FLAT_RGB = (128, 128, 128)
#: "Other" in the strongest-word map.
OTHER_RGB = (154, 154, 154)
#: Floor of the log transform.
LOG_FLOOR = 1e-4


@cache
def lut(name: ColourMap) -> np.ndarray:
    """Colour table of 256 rows (red, green, blue), uint8; matplotlib's own values.

    Examples
    --------
    >>> lut("viridis")[0].tolist(), lut("gray")[255].tolist()
    ([68, 1, 84], [255, 255, 255])
    """
    if name == "gray":
        table = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    else:
        from matplotlib import colormaps

        table = np.rint(colormaps[name](np.arange(256))[:, :3] * 255).astype(np.uint8)
    table.setflags(write=False)
    return table


def hexadecimal(rgb: tuple[int, int, int] | np.ndarray) -> str:
    """Write a colour for a drawing library.

    Examples
    --------
    >>> hexadecimal(OKABE_ITO[0])
    '#e69f00'
    """
    return "#" + "".join(f"{int(part):02x}" for part in rgb)


def position(values: np.ndarray | float, lo: float, hi: float, transform: Transform) -> np.ndarray:
    """Where values lie along the colours, in [0, 1].

    Examples
    --------
    >>> position(0.25, 0, 1, "sqrt").item(), position(1e-2, LOG_FLOOR, 1, "log").item()
    (0.5, 0.5)
    """
    values, low, high = (_axis(one, transform) for one in (values, lo, hi))
    return np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values)


def value_at(place: float, lo: float, hi: float, transform: Transform) -> float:
    """Value at a place along the colours: the inverse of `position`."""
    low, high = (float(_axis(one, transform)) for one in (lo, hi))
    along = low + place * (high - low)
    return along**2 if transform == "sqrt" else 10**along if transform == "log" else along


def _axis(values: np.ndarray | float, transform: Transform) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if transform == "sqrt":
        return np.sqrt(np.maximum(values, 0))
    if transform == "log":
        return np.log10(np.maximum(values, LOG_FLOOR))
    return values


def paint(
    values: np.ndarray, lo: float, hi: float, transform: Transform, cmap: ColourMap, *, flat: bool = False
) -> np.ndarray:
    """Colour a map.

    Parameters
    ----------
    values
        ``(row, column)``.
    lo, hi
        Limits of the colours, in the map's own unit.
    transform, cmap
        How colours run between them.
    flat
        The map is constant: grey, since a colour would claim a place on the scale's shape.

    Returns
    -------
    numpy.ndarray
        ``(row, column, 3)`` uint8; magenta where a value is not a number.
    """
    seen = np.isfinite(values)
    if flat:
        rgb = np.full((*values.shape, 3), FLAT_RGB, dtype=np.uint8)
    else:
        rgb = lut(cmap)[np.rint(255 * position(np.where(seen, values, lo), lo, hi, transform)).astype(np.uint8)]
    rgb[~seen] = NAN_RGB
    return rgb


def paint_categories(codes: np.ndarray, colours: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    """Colour a map of categories: ``codes`` index ``colours``, -1 is not a number."""
    rgb = np.asarray([*colours, NAN_RGB], dtype=np.uint8)[codes]
    rgb[codes < 0] = NAN_RGB
    return rgb
