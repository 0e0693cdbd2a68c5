"""The numbers of maps in words: how concentrated one is, how two differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from attnscope.analysis import compare, concentration
from attnscope.figures.numbers import figure
from attnscope.figures.view import any_array
from attnscope.maps.schema import pixel_coords

if TYPE_CHECKING:
    from attnscope.figures.shown import Shown

__all__ = ["difference_in_words", "labelled", "measured"]


def measured(shown: Shown) -> list[str]:
    """Say how concentrated the map of a view is, one line for each word that it has; none without a word."""
    if shown.view.strongest:
        return []
    values = shown.values if shown.apart else shown.values[..., None]
    names = [f"‘{word}’" for word in shown.words] or [shown.subject if shown.view.words else ""]
    lines = []
    for place, name in enumerate(names):
        numbers = concentration(labelled(shown, values[..., place]))
        if not np.isfinite(numbers["half_mass"].item()):
            continue
        of = f" of {name}" if name else ""
        lines.append(
            f"50 % of the mass{of} in {figure(100 * numbers['half_mass'].item())} % of the pixels · "
            f"entropy {figure(numbers['entropy'].item())} bits · peak {figure(numbers['peak'].item())} "
            f"at (y {figure(numbers['peak_y'].item())}, x {figure(numbers['peak_x'].item())})"
        )
    return lines


def difference_in_words(a: xr.DataArray, b: xr.DataArray) -> str:
    """Say in three numbers how two maps differ."""
    numbers = compare(a, b)
    r, divergence, shift = (numbers[name].item() for name in ("correlation", "divergence", "shift"))
    return (
        f"Pearson r = {figure(r)} · Jensen-Shannon divergence {figure(divergence)} bits · "
        f"centre of mass {figure(shift)} px apart"
    )


def labelled(shown: Shown, values: np.ndarray) -> xr.DataArray:
    """Label ``(row, column)`` with its pixels."""
    size = tuple(any_array(shown.cap).attrs["size"])
    grid = values.shape[0], values.shape[1]
    return xr.DataArray(values.ravel(), dims="pixel", coords=pixel_coords(grid, size))
