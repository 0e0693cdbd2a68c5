"""Bringing maps of different grids onto one: separable, exact, and in numpy."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
import xarray as xr

from attnscope.maps.schema import parse_grid, pixel_coords

__all__ = ["How", "resample", "weights"]

How: TypeAlias = Literal["area", "nearest", "bilinear", "bicubic"]


def resample(
    array: xr.DataArray,
    size: int | str | tuple[int, int],
    how: How = "area",
    *,
    dtype: np.dtype | None = None,
) -> xr.DataArray:
    """Bring maps onto another grid.

    Parameters
    ----------
    array
        Any array with a ``pixel`` dim, as ``Capture.at`` gives it.
    size
        Rows and columns of the new grid: ``32``, ``"16x24"`` or ``(16, 24)``.
    how
        ``"area"``: every new cell is the mean of the old cells that it covers, weighted by the overlap; keeps sums over
        tokens, and equals repeating (or averaging) cells where one grid divides the other. ``"nearest"``: the old
        cell under the new cell's centre. ``"bilinear"``, ``"bicubic"``: as ``torch.nn.functional.interpolate`` with
        ``align_corners=False`` (bicubic with a = -0.75; it can leave [0, 1]).
    dtype
        Of the result; float32 where it is not given.

    Returns
    -------
    xarray.DataArray
        The same dims, ``pixel`` on the new grid.
    """
    old, new = tuple(array.attrs["grid"]), parse_grid(size)
    axis = array.get_axis_num("pixel")
    dtype = np.dtype(np.float32) if dtype is None else dtype
    if old == new:
        return array.astype(dtype)
    values = np.moveaxis(np.asarray(array.data, dtype=np.float32), axis, -1)
    values = values.reshape(*values.shape[:-1], *old)
    rows, columns = (weights(a, b, how) for a, b in zip(old, new, strict=True))
    values = np.einsum("Yy,...yx,Xx->...YX", rows, values, columns, optimize=True)
    values = np.moveaxis(values.reshape(*values.shape[:-2], -1), -1, axis).astype(dtype, copy=False)
    kept = {name: coord for name, coord in array.coords.items() if "pixel" not in coord.dims}
    result = xr.DataArray(values, dims=array.dims, name=array.name, attrs={**array.attrs, "grid": list(new)})
    result = result.assign_coords(xr.Coordinates(kept, indexes={k: i for k, i in array.xindexes.items() if k in kept}))
    return result.assign_coords(pixel_coords(new, tuple(array.attrs["size"])))


def weights(old: int, new: int, how: How) -> np.ndarray:
    """How much each of ``old`` cells in a row counts in each of ``new``: a ``(new, old)`` matrix, rows sum to 1.

    Examples
    --------
    >>> weights(4, 2, "area").tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    if how not in get_args(How):
        msg = f"how={how!r} is unknown. Available: {', '.join(get_args(How))}."
        raise ValueError(msg)
    matrix = np.zeros((new, old), dtype=np.float64)
    cells = np.arange(new)
    if how == "area":
        edges_new, edges_old = np.arange(new + 1) * (old / new), np.arange(old + 1.0)
        low = np.maximum(edges_new[:-1, None], edges_old[None, :-1])
        high = np.minimum(edges_new[1:, None], edges_old[None, 1:])
        matrix = np.clip(high - low, 0, None) * (new / old)
    elif how == "nearest":
        matrix[cells, ((cells + 0.5) * old / new).astype(int)] = 1
    else:
        centres = (cells + 0.5) * old / new - 0.5
        if how == "bilinear":
            centres = np.clip(centres, 0, old - 1)
        first = np.floor(centres).astype(int)
        for offset in (0, 1) if how == "bilinear" else (-1, 0, 1, 2):
            distance = np.abs(centres - (first + offset))
            value = 1 - distance if how == "bilinear" else _cubic(distance)
            np.add.at(matrix, (cells, np.clip(first + offset, 0, old - 1)), value)
    return matrix.astype(np.float32)


def _cubic(distance: np.ndarray, a: float = -0.75) -> np.ndarray:
    """Keys' cubic convolution kernel (IEEE ASSP 29, 1981), with torch's ``a``."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
