"""Two maps side by side: their difference on one grid, and three numbers."""

from __future__ import annotations

import numpy as np
import xarray as xr

from attnscope.analysis.cells import Cells, cells_of
from attnscope.maps.resample import weights
from attnscope.maps.schema import pixel_coords

__all__ = ["compare", "difference"]


def difference(a: xr.DataArray, b: xr.DataArray) -> xr.DataArray:
    """Subtract one map from another, on the coarser of their grids.

    Parameters
    ----------
    a, b
        Each ``(pixel)``, ``(key)`` or ``(y, x)``, of pictures of one size.

    Returns
    -------
    xarray.DataArray
        ``a - b``, ``(pixel)``. A cell of the coarser grid takes the mean of the finer cells that it covers, weighted
        by the overlap.

    Raises
    ------
    ValueError
        If the pictures differ in size, or one of the two is not a single map.

    Examples
    --------
    >>> fine = xr.DataArray([[1.0, 3.0, 0.0, 4.0]], dims=("y", "x"), coords={"y": [8.0], "x": [2.0, 6.0, 10.0, 14.0]})
    >>> coarse = xr.DataArray([[0.5, 1.0]], dims=("y", "x"), coords={"y": [8.0], "x": [4.0, 12.0]})
    >>> difference(fine, coarse).values.tolist()
    [1.5, 1.0]
    """
    first, second, grid, size = _on_one_grid(a, b)
    return xr.DataArray(first - second, dims="pixel", name="difference", coords=pixel_coords(grid, size))


def compare(a: xr.DataArray, b: xr.DataArray) -> xr.Dataset:
    """Say in three numbers how two maps differ, on the coarser of their grids.

    Parameters
    ----------
    a, b
        Each ``(pixel)``, ``(key)`` or ``(y, x)``, of pictures of one size; not negative.

    Returns
    -------
    xarray.Dataset
        ``correlation`` over cells (Pearson); ``divergence`` of the maps divided by their sums, in bits, from 0 for
        the same shape to 1 for no cell in common (Jensen and Shannon's: Lin, IEEE Transactions on Information Theory
        37, 1991); ``shift``, the way between the centres of mass, in pixels of the picture. NaN where a map
        has a NaN or no sum, the correlation also where a map is constant.

    Raises
    ------
    ValueError
        If the pictures differ in size, or one of the two is not a single map.

    Examples
    --------
    >>> left = xr.DataArray([[1.0, 0.0]], dims=("y", "x"), coords={"y": [4.0], "x": [4.0, 12.0]})
    >>> right = left.copy(data=[[0.0, 1.0]])
    >>> found = compare(left, right)
    >>> {name: found[name].item() for name in found}
    {'correlation': -1.0, 'divergence': 1.0, 'shift': 8.0}
    """
    first, second, grid, size = _on_one_grid(a, b)
    places = pixel_coords(grid, size)
    centres = np.stack([np.asarray(places["y"].values), np.asarray(places["x"].values)], axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = first / first.sum(), second / second.sum()
        middle = (p + q) / 2
        divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
        apart = (first - first.mean(), second - second.mean())
        correlation = (apart[0] * apart[1]).sum() / np.sqrt((apart[0] ** 2).sum() * (apart[1] ** 2).sum())
    shift = np.hypot(*(p @ centres - q @ centres))
    return xr.Dataset(
        {
            "correlation": ((), float(np.clip(correlation, -1, 1))),
            "divergence": ((), float(np.clip(divergence, 0, 1)), {"units": "bits"}),
            "shift": ((), float(shift), {"units": "pixels of the picture"}),
        }
    )


def _relative_entropy(p: np.ndarray, q: np.ndarray) -> float:
    return float((p * np.log2(np.where(p > 0, p / q, np.where(np.isnan(p), np.nan, 1)))).sum())


def _on_one_grid(a: xr.DataArray, b: xr.DataArray) -> tuple[np.ndarray, np.ndarray, tuple[int, int], tuple[int, int]]:
    first, second = cells_of(a), cells_of(b)
    for maps, cells in ((a, first), (b, second)):
        if cells.values.ndim != 1:
            msg = f"One map was expected, not an array {maps.dims}: select or reduce its other dims first."
            raise ValueError(msg)
    if first.size != second.size:
        msg = f"The maps are of pictures of {first.size} and {second.size} pixels; only those of one size compare."
        raise ValueError(msg)
    grid = min(first.grid, second.grid, key=lambda grid: grid[0] * grid[1])
    return _coarser(first, grid), _coarser(second, grid), grid, first.size


def _coarser(cells: Cells, grid: tuple[int, int]) -> np.ndarray:
    if cells.grid == grid:
        return cells.values
    rows, columns = (weights(old, new, "area") for old, new in zip(cells.grid, grid, strict=True))
    return (rows @ cells.values.reshape(cells.grid) @ columns.T).ravel()
