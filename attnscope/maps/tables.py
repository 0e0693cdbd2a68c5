"""What a capture holds, as tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from attnscope.maps.narrow import labels, text_dims
from attnscope.maps.schema import LAYER_COORDS, TOKEN_COORDS, grid_name

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["contents", "layer_table", "token_table"]

_COLUMNS = ["layer", "kind", "place", "module", "grid", "heads", "head_width", "height", "width", "block"]
_PLURALS = {"branch": "branches", "image": "images", "frame": "frames"}


def layer_table(arrays: Iterable[xr.DataArray]) -> pd.DataFrame:
    """One row for each layer and kind, in network order."""
    names = ("layer", *LAYER_COORDS)
    rows = []
    for array in arrays:
        height, width = array.attrs["grid"]
        columns = {name: array.coords[name].values.tolist() for name in names}
        for index in range(array.sizes["layer"]):
            row = {name: values[index] for name, values in columns.items()}
            row |= {"kind": array.attrs["kind"], "grid": grid_name(height, width)}
            rows.append(row | {"height": height, "width": width})
    order = {"down": 0, "mid": 1, "up": 2}
    rows.sort(key=lambda row: (order.get(row["place"], 3), row["block"], row["attention_index"], row["depth"]))
    table = pd.DataFrame(rows, columns=[*_COLUMNS, "attention_index", "depth"])
    return table.rename(columns={"attention_index": "attention"})


def token_table(array: xr.DataArray) -> pd.DataFrame:
    """One row for each token of each text; whose text it is stands in front, where texts differ."""
    dims, parts = text_dims(array), []
    for where in itertools.product(*(range(array.sizes[dim]) for dim in dims)):
        chosen = dict(zip(dims, where, strict=True))
        whose = {dim: labels(array, dim)[place] for dim, place in chosen.items()}
        coords = {name: array.coords[name].variable for name in ("token", *TOKEN_COORDS)}
        columns = {name: one.isel(chosen, missing_dims="ignore").values for name, one in coords.items()}
        parts.append(pd.DataFrame({**whose, **columns}))
    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def contents(array: xr.DataArray) -> list[str]:
    """Say how many branches, images and frames there are, and texts where they differ.

    Examples
    --------
    >>> import xarray as xr
    >>> contents(xr.DataArray([0.5, 0.5], {"branch": ["cond", "uncond"]}, "branch"))
    ['2 branches (cond, uncond)']
    """
    parts = []
    for dim, several in _PLURALS.items():
        if dim in array.dims:
            names = f" ({', '.join(map(str, labels(array, dim)))})" if dim == "branch" else ""
            parts.append(f"{array.sizes[dim]} {several}{names}")
        elif dim == "branch" and labels(array, dim) not in ([], ["cond"], ["unknown"]):
            parts.append(f"branch {labels(array, dim)[0]}")
    if text_dims(array):
        words = array["token_text"].transpose(..., "token").values
        parts.append(f"{len({tuple(text) for text in words.reshape(-1, words.shape[-1]).tolist()})} texts")
    return parts
