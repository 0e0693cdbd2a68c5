"""Maps as arrays of cells, with the place of each in the picture: what measures of single maps start from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

__all__ = ["Cells", "cells_of"]

#: Dim of the cells and the coordinates of their centres, as maps of the data model have them.
_DIMS = {"pixel": ("y", "x"), "key": ("key_y", "key_x")}


@dataclass(frozen=True)
class Cells:
    """One or many maps, their cells along the last axis.

    Parameters
    ----------
    values
        ``(..., cell)`` float64.
    y, x
        Centre of each cell, in pixels of the picture.
    others
        The maps without their cells: dims and coordinates for what is one number a map.
    """

    values: np.ndarray
    y: np.ndarray
    x: np.ndarray
    others: xr.DataArray

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(np.unique(self.y)), len(np.unique(self.x))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture in pixels; centres lie half a cell from its edges."""
        height, width = (round(2 * float(np.min(at)) * n) for at, n in zip((self.y, self.x), self.grid, strict=True))
        return height, width

    def label(self, numbers: np.ndarray, name: str, **attrs: str) -> xr.DataArray:
        """Label one number a map."""
        return self.others.copy(data=np.asarray(numbers, dtype=np.float64)).rename(name).assign_attrs(attrs)


def cells_of(maps: xr.DataArray) -> Cells:
    """Take maps apart.

    Parameters
    ----------
    maps
        ``(..., pixel)``, ``(..., key)`` or ``(..., y, x)``, whole maps, in any order of dims.

    Raises
    ------
    ValueError
        If the dims are others.

    Examples
    --------
    >>> maps = xr.DataArray([[0.0, 1.0, 2.0]], dims=("y", "x"), coords={"y": [8.0], "x": [4.0, 12.0, 20.0]})
    >>> cells = cells_of(maps)
    >>> cells.grid, cells.size, cells.values.tolist()
    ((1, 3), (16, 24), [0.0, 1.0, 2.0])
    """
    if {"y", "x"} <= set(maps.dims):
        maps = maps.stack(pixel=("y", "x"))
    dims = [dim for dim in _DIMS if dim in maps.dims]
    if len(dims) != 1:
        msg = f"The array has the dims {maps.dims}; a map has one of 'pixel' and 'key', or 'y' and 'x'."
        raise ValueError(msg)
    y, x = (np.asarray(maps[name].values, dtype=np.float64) for name in _DIMS[dims[0]])
    values = np.asarray(maps.transpose(..., dims[0]).values, dtype=np.float64)
    others = maps.transpose(..., dims[0]).isel({dims[0]: 0}, drop=True)
    others = others.drop_vars(["y", "x", "key_y", "key_x"], errors="ignore")
    return Cells(values, y, x, xr.DataArray(others).drop_attrs())
