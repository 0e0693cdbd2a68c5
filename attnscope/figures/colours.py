"""Colours: the tables of the maps, and the categories of the strongest-word map. Twin: ``js/src/maps/luts.ts``."""

from __future__ import annotations

import base64
from functools import cache
from typing import Literal, TypeAlias

import numpy as np

__all__ = [
    "COLOUR_MAPS",
    "DIVERGING",
    "FLAT_RGB",
    "LOG_FLOOR",
    "NAN_RGB",
    "OKABE_ITO",
    "OTHER_RGB",
    "ColourMap",
    "Diverging",
    "Transform",
    "hexadecimal",
    "lut",
    "mix",
    "paint",
    "paint_categories",
    "position",
    "ranks",
    "value_at",
]

ColourMap: TypeAlias = Literal["viridis", "cividis", "magma", "gray"]
Diverging: TypeAlias = Literal["RdBu_r", "vik"]
Transform: TypeAlias = Literal["linear", "sqrt", "log", "rank", "uniform"]

COLOUR_MAPS: tuple[ColourMap, ...] = ("viridis", "cividis", "magma", "gray")
#: For differences: the middle is zero.
DIVERGING: tuple[Diverging, ...] = ("RdBu_r", "vik")
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


#: Every fifth row of vik, as base64 of 52 RGB triples; between them a line, never more than 1 of 255 off. Fabio
#: Crameri, Scientific colour maps (2018), doi:10.5281/zenodo.1243862, MIT licence, copyright (c) 2020 Fabio Crameri.
_VIK = (
    "ABJhARpmAiJrAipwAjF1Ajl6A0F/A0mEBVGJCFmPEGKUGWuaJXWhM3+oQomvUZS2YZ69cajEgLLKkLzRoMXYsM/ewNjkz+Do3ubp6Ofl"
    "7uPc7tvQ7NHD6Mi15L6o37Sa26qN16CB05d0z45ozIVdyHxRxHRFwGs6vGIvtlgkr0wYpUAPmjUIjysGhSIGfBsGcxQGag0HYgYHWQAI"
)


@cache
def lut(name: ColourMap | Diverging) -> np.ndarray:
    """Colour table of 256 rows (red, green, blue), uint8; matplotlib's own values, and Crameri's of vik.

    Examples
    --------
    >>> lut("viridis")[0].tolist(), lut("gray")[255].tolist(), lut("vik")[0].tolist()
    ([68, 1, 84], [255, 255, 255], [0, 18, 97])
    """
    if name == "gray":
        table = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    elif name == "vik":
        knots = np.frombuffer(base64.b64decode(_VIK), dtype=np.uint8).reshape(-1, 3)
        columns = [np.interp(np.arange(256), np.arange(0, 256, 5), knots[:, part]) for part in range(3)]
        table = np.rint(np.stack(columns, axis=1)).astype(np.uint8)
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
    """Where values lie along the colours, in [0, 1]; for ``rank`` among each other, whatever the limits.

    Examples
    --------
    >>> position(0.25, 0, 1, "sqrt").item(), position(1e-2, LOG_FLOOR, 1, "log").item()
    (0.5, 0.5)
    """
    if transform == "rank":
        return ranks(np.asarray(values))
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


def ranks(values: np.ndarray) -> np.ndarray:
    """Rank values from 0, the lowest, to 1, the highest; equal ones share the mean of their ranks, NaN stays NaN.

    Examples
    --------
    >>> ranks(np.array([5.0, 1.0, 1.0, np.nan, 9.0])).round(3).tolist()
    [0.667, 0.167, 0.167, nan, 1.0]
    """
    seen = np.isfinite(values)
    placed = np.full(values.shape, np.nan)
    _, inverse, count = np.unique(values[seen], return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count + 1) / 2
    placed[seen] = (middle / max(int(seen.sum()) - 1, 1))[inverse.ravel()]
    return placed


def paint(places: np.ndarray, cmap: ColourMap | Diverging, *, flat: bool = False) -> np.ndarray:
    """Colour a map.

    Parameters
    ----------
    places
        ``(row, column)``: where values lie along the colours, see `position`.
    cmap
        Name of the table.
    flat
        The map is constant: grey, since a colour would claim a place on the scale's shape.

    Returns
    -------
    numpy.ndarray
        ``(row, column, 3)`` uint8; magenta where a place is not a number.
    """
    seen = np.isfinite(places)
    if flat:
        rgb = np.full((*places.shape, 3), FLAT_RGB, dtype=np.uint8)
    else:
        rgb = lut(cmap)[np.rint(255 * np.where(seen, places, 0)).astype(np.uint8)]
    rgb[~seen] = NAN_RGB
    return rgb


def mix(places: np.ndarray, colours: tuple[tuple[int, int, int], ...]) -> tuple[np.ndarray, np.ndarray]:
    """Mix one colour for each of several maps, by where their values lie on their scales.

    Parameters
    ----------
    places
        ``(row, column, map)`` in [0, 1].
    colours
        Of each map.

    Returns
    -------
    numpy.ndarray, numpy.ndarray
        The mean of the colours weighted with the places, ``(row, column, 3)`` uint8, and how opaque it is: the largest
        place. Magenta and opaque where one is not a number.

    Examples
    --------
    >>> rgb, opacity = mix(np.array([[[0.5, 0.5], [0.0, 0.25]]]), ((200, 0, 0), (0, 100, 0)))
    >>> rgb.tolist(), opacity.tolist()
    ([[[100, 50, 0], [0, 100, 0]]], [[0.5, 0.25]])
    """
    seen: np.ndarray = np.asarray(np.isfinite(places).all(axis=-1))
    weights = np.where(seen[..., None], places, 0)
    total = weights.sum(axis=-1, keepdims=True)
    mixed = weights @ np.asarray(colours, dtype=np.float64) / np.where(total > 0, total, 1)
    rgb = np.rint(mixed).astype(np.uint8)
    rgb[~seen] = NAN_RGB
    return rgb, np.where(seen, weights.max(axis=-1), 1.0)


def paint_categories(codes: np.ndarray, colours: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    """Colour a map of categories: ``codes`` index ``colours``, -1 is not a number."""
    rgb = np.asarray([*colours, NAN_RGB], dtype=np.uint8)[codes]
    rgb[codes < 0] = NAN_RGB
    return rgb
