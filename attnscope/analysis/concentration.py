"""How concentrated a map is, in the numbers that stand beside it."""

from __future__ import annotations

import numpy as np
import xarray as xr

from attnscope.analysis.cells import cells_of

__all__ = ["concentration", "half_mass_level"]


def concentration(maps: xr.DataArray) -> xr.Dataset:
    """Measure how little of the picture holds how much of a map.

    Parameters
    ----------
    maps
        ``(..., pixel)``, ``(..., key)`` or ``(..., y, x)``; not negative.

    Returns
    -------
    xarray.Dataset
        For each map ``half_mass``, the share of its pixels that holds half of its sum, the highest first (the outline
        of a distribution's "highest density region": Hyndman, The American Statistician 50, 1996); ``entropy``, of
        the map divided by its sum, in bits (Shannon, 1948); ``peak``, its highest value, and ``peak_y``, ``peak_x``,
        where it lies, in pixels of the picture. NaN for a map with a NaN; of a map of zeros only the peak is known.

    Examples
    --------
    >>> maps = xr.DataArray([[1.0, 4.0], [2.0, 1.0]], dims=("y", "x"), coords={"y": [4.0, 12.0], "x": [4.0, 12.0]})
    >>> found = concentration(maps)
    >>> {name: found[name].item() for name in found}
    {'half_mass': 0.25, 'entropy': 1.75, 'peak': 4.0, 'peak_y': 4.0, 'peak_x': 12.0}
    """
    cells = cells_of(maps)
    values = cells.values
    count = _half_mass_count(values)
    total = values.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = values / total
        entropy = -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(axis=-1)
    known = np.isfinite(values).all(axis=-1)
    at = np.where(np.isfinite(values), values, -np.inf).argmax(axis=-1)
    peak = np.where(known, values.max(axis=-1), np.nan)
    return xr.Dataset(
        {
            "half_mass": cells.label(count / values.shape[-1], "half_mass"),
            "entropy": cells.label(np.abs(entropy), "entropy", units="bits"),
            "peak": cells.label(peak, "peak"),
            "peak_y": cells.label(np.where(known, cells.y[at], np.nan), "peak_y", units="pixels of the picture"),
            "peak_x": cells.label(np.where(known, cells.x[at], np.nan), "peak_x", units="pixels of the picture"),
        }
    )


def half_mass_level(values: np.ndarray) -> float:
    """Give the level whose cells above it are the fewest that hold half of a map's sum.

    Parameters
    ----------
    values
        One map, of any shape; not negative.

    Returns
    -------
    float
        Halfway between the lowest cell inside and the highest below it; NaN where the map has no sum or nothing lower.

    Examples
    --------
    >>> half_mass_level(np.array([[1.0, 4.0], [2.0, 1.0]]))
    3.0
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=None)[::-1]
    count = _half_mass_count(ordered)
    if not np.isfinite(count):
        return float("nan")
    last = ordered[int(count) - 1]
    # Cells as high as the last one inside are inside too: a line has no way between equals.
    below = ordered[ordered < last]
    return float(last + below[0]) / 2 if below.size else float("nan")


def _half_mass_count(values: np.ndarray) -> np.ndarray:
    """Of ``(..., cell)``, how many cells hold half of the sum, the highest first."""
    running = np.cumsum(-np.sort(-values, axis=-1), axis=-1)
    half = running[..., -1:] / 2
    count = 1.0 + (running < half * (1 - 1e-12)).sum(axis=-1)
    return np.where(np.isfinite(half[..., 0]) & (half[..., 0] > 0), count, np.nan)
