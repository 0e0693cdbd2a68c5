"""The outline of half of a map's mass, as lines: marching squares, so that a figure keeps it as vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.analysis.concentration import half_mass_level
from attnscope.figures.colours import hexadecimal
from attnscope.figures.spec import Line

if TYPE_CHECKING:
    from attnscope.figures.spec import Map

__all__ = ["outline", "outlines"]

_WHITE = "#ffffff"


def outlines(shown: Map) -> tuple[Line, ...]:
    """Draw the outline of a map, or one for each of its words in the word's colour."""
    if shown.categories:
        return ()
    if shown.hues:
        return tuple(line for hue in shown.hues for line in outline(hue.values, hexadecimal(hue.rgb)))
    return outline(shown.values, _WHITE)


def outline(values: np.ndarray, colour: str) -> tuple[Line, ...]:
    """Draw the lines around the cells that hold half of a map's mass.

    Parameters
    ----------
    values
        ``(row, column)``.
    colour
        Of the lines.

    Returns
    -------
    tuple of Line
        Between the cells' centres the level is found along straight lines; up to the edge a cell's value goes on.
    """
    level = half_mass_level(values)
    if not np.isfinite(level):
        return ()
    from contourpy import contour_generator

    y, x = (np.concatenate([[0.0], (np.arange(cells) + 0.5) / cells, [1.0]]) for cells in values.shape)
    # One array of points for each line.
    found: Any = contour_generator(x, y, np.pad(values.astype(np.float64), 1, mode="edge"), line_type="Separate").lines(
        level
    )
    return tuple(Line(tuple((float(u), float(v)) for u, v in line), colour) for line in found)
