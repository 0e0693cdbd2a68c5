"""What self-attention says without looking at every entry; its map, where it is lazy, is never formed.

Each function takes a labelled array ``(..., pixel, key)``, in any order of dims, lazy or not. A layer, head or step
that was not seen is NaN, and so is what is computed from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from attnscope.maps.lazy import LazyAttention

__all__ = ["entropy", "mean_distance", "propagate", "received"]

#: Gets weights ``(..., pixel, key)`` and which pixels they are; gives ``(..., pixel, n)``.
Rows = Callable[[np.ndarray, slice], np.ndarray]


def received(array: xr.DataArray) -> xr.DataArray:
    """How much a pixel is looked at: the mean of its column over all queries.

    ``r_j = 1/n sum_i A_ij``. As rows sum to 1, it is 1/n where all pixels are looked at equally. Summed over queries
    it is the accumulated score by which Zhang et al., H2O (NeurIPS 2023), tell the "heavy hitters" among keys.

    Parameters
    ----------
    array
        Self-attention ``(..., pixel, key)``.

    Returns
    -------
    xarray.DataArray
        ``(..., key)``; ``.unstack("key")`` is an image.

    Examples
    --------
    >>> from attnscope.maps.schema import attention_array
    >>> maps = np.array([[0.5, 0.5], [0.0, 1.0]], dtype=np.float32)
    >>> maps = attention_array(maps, ("pixel", "key"), coords={}, grid=(1, 2), size=(8, 16), attrs={})
    >>> received(maps).values.tolist()
    [0.25, 0.75]
    """
    _check(array, "pixel", "key")
    return array.mean("pixel", skipna=False, keep_attrs=True).rename("received attention")


def entropy(array: xr.DataArray) -> xr.DataArray:
    """How spread out a pixel looks: the entropy of its row, in nats.

    ``H_i = -sum_j A_ij log A_ij``, with ``0 log 0 = 0``: from 0, for one key alone, to ``log n``, for all alike. Used
    for attention heads by Clark et al., What Does BERT Look At? (BlackboxNLP 2019).

    Parameters
    ----------
    array
        Self-attention ``(..., pixel, key)``, or cut down to some queries.

    Returns
    -------
    xarray.DataArray
        ``(..., pixel)``.

    Examples
    --------
    >>> from attnscope.maps.schema import attention_array
    >>> maps = np.array([[0.5, 0.5], [0.0, 1.0]], dtype=np.float32)
    >>> maps = attention_array(maps, ("pixel", "key"), coords={}, grid=(1, 2), size=(8, 16), attrs={})
    >>> entropy(maps).values.round(3).tolist()
    [0.6930000185966492, 0.0]
    """
    _check(array, "key")
    smallest = np.finfo(np.float32).tiny

    def rows(block: np.ndarray, pixels: slice) -> np.ndarray:
        logs = np.log(np.maximum(block, smallest))
        logs *= block
        # No entry is above 0; unlike a minus, abs makes no -0.
        return np.abs(logs.sum(axis=-1, keepdims=True))

    return _labelled(array, _over_keys(array, rows, 1)[..., 0], "entropy").assign_attrs(units="nats")


def mean_distance(array: xr.DataArray) -> xr.DataArray:
    """How far a pixel looks, on average, in pixels of the picture.

    ``D_i = sum_j A_ij |c_i - c_j|``, with the centres ``c`` of the cells from the coordinates ``y``, ``x`` and
    ``key_y``, ``key_x``. The mean attention distance of Dosovitskiy et al., An Image is Worth 16x16 Words (ICLR 2021),
    there averaged over pixels.

    Parameters
    ----------
    array
        Self-attention ``(..., pixel, key)`` with these coordinates, or cut down to some queries.

    Returns
    -------
    xarray.DataArray
        ``(..., pixel)``.

    Examples
    --------
    >>> from attnscope.maps.schema import attention_array
    >>> maps = np.array([[0.5, 0.5], [0.0, 1.0]], dtype=np.float32)
    >>> maps = attention_array(maps, ("pixel", "key"), coords={}, grid=(1, 2), size=(8, 16), attrs={})
    >>> mean_distance(maps).values.tolist()
    [4.0, 0.0]
    """
    _check(array, "key")
    queries, keys = (
        np.stack([np.atleast_1d(array.coords[name].values).astype(np.float32) for name in names], axis=-1)
        for names in (("y", "x"), ("key_y", "key_x"))
    )

    def rows(block: np.ndarray, pixels: slice) -> np.ndarray:
        distances = np.hypot(*(queries[pixels, None, axis] - keys[:, axis] for axis in (0, 1)))
        return np.einsum("...ij,ij->...i", block, distances)[..., None]

    result = _labelled(array, _over_keys(array, rows, 1)[..., 0], "mean attention distance")
    return result.assign_attrs(units="pixels of the picture")


def propagate(array: xr.DataArray, word_map: xr.DataArray) -> xr.DataArray:
    """Spread a word's map along self-attention: every pixel gets the mean of the map where it looks.

    ``w'_i = sum_j A_ij w_j``. Sharpens a word's coarse cross-attention; the step that Nguyen et al., Dataset Diffusion
    (NeurIPS 2023), repeat to refine theirs.

    Parameters
    ----------
    array
        Self-attention ``(..., pixel, key)``, or cut down to some queries, with every key.
    word_map
        Values of the keys: with the dim ``pixel`` of the same grid (or ``key``, or ``y`` and ``x``). Dims that it
        shares with ``array``, such as ``step``, go along with each other; others, such as ``token``, are kept.

    Returns
    -------
    xarray.DataArray
        The dims of ``array`` without ``key``, then the other dims of ``word_map``.

    Raises
    ------
    ValueError
        If the map has another grid than the keys.

    Examples
    --------
    >>> from attnscope.maps.schema import attention_array, pixel_coords
    >>> maps = np.array([[0.5, 0.5], [0.0, 1.0]], dtype=np.float32)
    >>> maps = attention_array(maps, ("pixel", "key"), coords={}, grid=(1, 2), size=(8, 16), attrs={})
    >>> word = xr.DataArray([0.2, 0.6], dims="pixel", coords=pixel_coords((1, 2), (8, 16)))
    >>> propagate(maps, word).values.round(3).tolist()
    [0.4000000059604645, 0.6000000238418579]
    """
    _check(array, "key")
    values = _by_key(word_map)
    if values.sizes["key"] != array.sizes["key"]:
        msg = (
            f"The map has {values.sizes['key']} cells, the self-attention {array.sizes['key']} keys. Bring the map "
            "onto the grid of the self-attention first: attnscope.maps.resample.resample(word_map, grid)."
        )
        raise ValueError(msg)
    shared = [dim for dim in array.dims if dim in values.dims and dim != "key"]
    others = [dim for dim in values.dims if dim not in (*shared, "key")]
    array, values = xr.align(array, values, join="exact", copy=False, exclude=set(array.dims) - set(shared))
    values = values.transpose(*shared, "key", *others)
    kept = [dim for dim in array.dims if dim != "key"]
    result = np.empty([*(array.sizes[dim] for dim in kept), *(values.sizes[dim] for dim in others)], np.float32)
    for where in np.ndindex(*(array.sizes[dim] for dim in shared)):
        one = dict(zip(shared, where, strict=True))
        weights = np.asarray(values.data[where], dtype=np.float32)
        part = _over_keys(array.isel(one), _times(weights.reshape(len(weights), -1)), weights[0].size)
        result[tuple(one.get(dim, slice(None)) for dim in kept)] = part.reshape(*part.shape[:-1], *weights.shape[1:])
    labels = {name: coord for name, coord in values.coords.items() if set(coord.dims) & set(others)}
    return _labelled(array, result, str(word_map.name or "propagated"), others, labels)


def _times(weights: np.ndarray) -> Rows:
    return lambda block, pixels: block @ weights


def _by_key(word_map: xr.DataArray) -> xr.DataArray:
    if {"y", "x"} <= set(word_map.dims):
        word_map = word_map.stack(pixel=("y", "x"), create_index=False)
    dims = [dim for dim in ("key", "pixel") if dim in word_map.dims]
    if not dims:
        msg = f"The map has the dims {word_map.dims}; it must have 'pixel', 'key', or 'y' and 'x'."
        raise ValueError(msg)
    word_map = word_map.drop_vars([name for name, coord in word_map.coords.items() if dims[0] in coord.dims])
    return word_map.rename({dims[0]: "key"})


def _check(array: xr.DataArray, *dims: str) -> None:
    if missing := [dim for dim in dims if dim not in array.dims]:
        lacking = ", ".join(map(repr, missing))
        msg = f"The array has the dims {array.dims}, not {lacking}; give self-attention (..., pixel, key)."
        raise ValueError(msg)


def _labelled(
    array: xr.DataArray, values: np.ndarray, name: str, others: list[Any] | None = None, labels: Any = None
) -> xr.DataArray:
    """Label what came of the rows as the array is, without ``key``."""
    template = array.isel(key=0, drop=True)
    if not others:
        return template.copy(data=values).rename(name)
    result = xr.DataArray(values, dims=(*template.dims, *others), name=name, attrs=array.attrs)
    return result.assign_coords(template.coords).assign_coords(labels or {})


def _over_keys(array: xr.DataArray, rows: Rows, width: int) -> np.ndarray:
    """Apply a function to whole rows, a block at a time; the dims but ``key``, then the ``width`` values it gives."""
    axis = array.get_axis_num("key")
    data = array.variable.data
    if isinstance(data, LazyAttention) and _in_place(array, data):
        result = data.map_rows(lambda block, where: rows(block, where[-2]), width)
        return np.moveaxis(result, axis, -1)
    values = np.moveaxis(np.asarray(data), axis, -1)
    if "pixel" not in array.dims:
        return rows(values[..., None, :], slice(None))[..., 0, :]
    pixel = [dim for dim in array.dims if dim != "key"].index("pixel")
    values = np.moveaxis(values, pixel, -2)
    result = np.empty((*values.shape[:-1], width), np.float32)
    for where in np.ndindex(values.shape[:-2]):
        result[where] = rows(values[where], slice(None))
    return np.moveaxis(result, -2, pixel)


def _in_place(array: xr.DataArray, data: LazyAttention) -> bool:
    """Whether the dims of these names are the lazy array's own, which a renamed one may not have."""
    last = len(data.selection.picks) - 1
    axes = {dim: data.selection.order[array.get_axis_num(dim)] for dim in ("pixel", "key") if dim in array.dims}
    return axes["key"] == last and axes.get("pixel", last - 1) == last - 1
