"""Points and boxes of the picture as cells of a grid. Twin: ``js/src/maps/region.ts``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["cell_at", "cells_in"]


def cell_at(grid: tuple[int, int], uv: Sequence[float]) -> tuple[int, int]:
    """Find the cell that holds a point, as row and column.

    Examples
    --------
    >>> cell_at((10, 14), (0.3, 0.95)), cell_at((10, 14), (1, 0))
    ((9, 4), (0, 13))
    """
    row, column = (min(cells - 1, int(part * cells)) for cells, part in zip(grid, (uv[1], uv[0]), strict=True))
    return row, column


def cells_in(grid: tuple[int, int], region: Sequence[float]) -> np.ndarray:
    """Find the cells whose centres lie in a box, ``(row, column)`` of bool; at least the one under its middle.

    Examples
    --------
    >>> cells_in((2, 3), (0, 0, 0.6, 0.3)).astype(int).tolist()
    [[1, 1, 0], [0, 0, 0]]
    >>> cells_in((2, 3), (0.9, 0.9, 0.95, 0.95)).astype(int).tolist()
    [[0, 0, 0], [0, 0, 1]]
    """
    u0, v0, u1, v1 = region
    v, u = ((np.arange(cells) + 0.5) / cells for cells in grid)
    inside = ((v >= v0) & (v <= v1))[:, None] & ((u >= u0) & (u <= u1))
    inside[cell_at(grid, ((u0 + u1) / 2, (v0 + v1) / 2))] |= not inside.any()
    return inside
