"""The data model in one place: dims, coordinates, and how a node of the tree is put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from attnscope.maps.index import GroupIndex, SeveralTexts

__all__ = [
    "GROUPS",
    "LAYER_COORDS",
    "TOKEN_COORDS",
    "attention_array",
    "cell_centres",
    "grid_name",
    "key_coords",
    "parse_grid",
    "pixel_coords",
]

#: Coordinates beside ``layer`` and beside ``token``, in the order of the tables. ``attention_index`` is the N of
#: diffusers' ``attentions.N``; a plain ``attention`` is the name of the maps themselves.
LAYER_COORDS = ("place", "block", "attention_index", "depth", "module", "heads", "head_width")
TOKEN_COORDS = ("token_text", "word", "word_index", "token_kind", "token_count")
#: Those that ``.sel`` takes, beside the dims' own labels.
GROUPS = ("place", "block", "module", "token_text", "word", "word_index", "token_kind")


_Labelled = TypeVar("_Labelled", xr.DataArray, xr.Dataset)


def grid_name(height: int, width: int) -> str:
    """Name a native grid, rows first.

    Examples
    --------
    >>> grid_name(16, 24)
    '16x24'
    """
    return f"{height}x{width}"


def parse_grid(grid: int | str | Sequence[int]) -> tuple[int, int]:
    """Read a grid: ``16``, ``"16x24"`` or ``(16, 24)``, rows first.

    Examples
    --------
    >>> parse_grid(16), parse_grid("16x24")
    ((16, 16), (16, 24))
    """
    if isinstance(grid, (int, np.integer)):
        grid = [int(grid)]
    parts = grid.lower().replace("×", "x").split("x") if isinstance(grid, str) else list(grid)
    if len(parts) not in (1, 2) or not all(str(part).strip().isdigit() and int(part) > 0 for part in parts):
        msg = f"{grid!r} is no grid. Give rows and columns: 16, '16x24' or (16, 24)."
        raise ValueError(msg)
    return int(parts[0]), int(parts[-1])


def cell_centres(cells: int, pixels: float) -> np.ndarray:
    """Centres of ``cells`` equal cells over a picture side of ``pixels``.

    Examples
    --------
    >>> cell_centres(4, 128).tolist()
    [16.0, 48.0, 80.0, 112.0]
    """
    return (np.arange(cells) + 0.5) * (pixels / cells)


def pixel_coords(grid: tuple[int, int], size: tuple[int, int]) -> xr.Coordinates:
    """Make the ``pixel`` coordinate: a MultiIndex of cell centres ``y``, ``x`` in pixels of the picture."""
    return _cells(grid, size, "pixel", ("y", "x"))


def key_coords(grid: tuple[int, int], size: tuple[int, int]) -> xr.Coordinates:
    """Make the ``key`` coordinate, the pixel that is looked at: as `pixel_coords`, with ``key_y`` and ``key_x``.

    Examples
    --------
    >>> row = xr.DataArray(np.arange(6), dims="key", coords=key_coords((2, 3), (16, 24)))
    >>> row.unstack("key").sizes
    Frozen({'key_y': 2, 'key_x': 3})
    """
    return _cells(grid, size, "key", ("key_y", "key_x"))


def _cells(grid: tuple[int, int], size: tuple[int, int], dim: str, names: tuple[str, str]) -> xr.Coordinates:
    centres = [cell_centres(cells, pixels) for cells, pixels in zip(grid, size, strict=True)]
    index = pd.MultiIndex.from_product(centres, names=list(names))
    return xr.Coordinates.from_pandas_multiindex(index, dim)


def attention_array(
    data: Any,
    dims: Sequence[str],
    *,
    coords: Mapping[str, tuple[str, Any]],
    grid: tuple[int, int],
    size: tuple[int, int],
    attrs: Mapping[str, Any],
) -> xr.DataArray:
    """Label one node's maps.

    Parameters
    ----------
    data
        Array or variable with one axis for each of ``dims``, the pixels row by row; a `LazyAttention` stays one.
    dims
        Such as ``("step", "layer", "head", "pixel", "token")``, or with ``"key"`` last for self-attention.
    coords
        Name to ``(dim, values)``, all but ``pixel`` and ``key``.
    grid, size
        Rows and columns of the maps; height and width of the picture in pixels.
    attrs
        Attributes of the array.
    """
    variable = data if isinstance(data, xr.Variable) else xr.Variable(tuple(dims), data)
    array = xr.DataArray(variable, coords=dict(coords), name="attention").assign_attrs(attrs)
    array = array.assign_coords(pixel_coords(grid, size))
    if "key" in array.dims:
        array = array.assign_coords(key_coords(grid, size))
    return index_groups(array)


def index_groups(array: _Labelled) -> _Labelled:
    """Let ``.sel`` take the group coordinates that the array has."""
    for name in GROUPS:
        if name in array.coords and array.coords[name].ndim and name not in array.xindexes:
            array = array.set_xindex(name, GroupIndex if array.coords[name].ndim == 1 else SeveralTexts)
    return array
