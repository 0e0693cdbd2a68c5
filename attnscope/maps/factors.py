"""Self-attention as plain variables, to be written and read: queries, keys and log-sum-exps of each layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from attnscope.maps.lazy import LazyAttention
from attnscope.maps.schema import attention_array
from attnscope.maps.scores import Scores

__all__ = ["is_split", "join", "split"]

_PARTS = ("query", "key", "lse", "bias")
_ATTRS, _SCALES, _BITS = "attention_attrs", "scales", "bfloat16"


def is_split(node: xr.Dataset) -> bool:
    """Whether a node came from `split`."""
    return _SCALES in node.attrs


def split(array: xr.DataArray) -> xr.Dataset:
    """Give what a self-attention array is computed from.

    Parameters
    ----------
    array
        ``(step, layer, head, pixel, key)``, after ``image`` where there are several; lazy.

    Returns
    -------
    xarray.Dataset
        ``query.<layer>`` and ``key.<layer>``, ``(..., head, pixel, width)``, ``lse.<layer>``, and ``bias.<layer>``
        where the model adds one, each with heads and width of its own; the coordinates of the array; scales and the
        array's own attributes in the attributes.
    """
    data = array.variable._data
    assert isinstance(data, LazyAttention)
    labels = [str(label) for label in array["layer"].values]
    lead = array.dims[:-4]
    variables: dict[str, xr.Variable] = {}
    for label, layer in zip(labels, data.layers, strict=True):
        inner = (f"head.{label}", "pixel")
        dims = {"query": (*lead, *inner, f"width.{label}"), "lse": (*lead, *inner), "bias": (*lead, "pixel")}
        dims["key"] = dims["query"]
        for part in _PARTS:
            if (values := getattr(layer, part)) is not None:
                values = values if isinstance(values, xr.Variable) else xr.Variable(dims[part], values)
                variables[f"{part}.{label}"] = values
    attrs = {
        _ATTRS: dict(array.attrs),
        _SCALES: {label: layer.scale for label, layer in zip(labels, data.layers, strict=True)},
        _BITS: [label for label, layer in zip(labels, data.layers, strict=True) if layer.bfloat16],
    }
    return xr.Dataset(variables, attrs=attrs).assign_coords(
        {name: coord.variable for name, coord in array.coords.items() if not {"pixel", "key"} & set(coord.dims)}
    )


def join(node: xr.Dataset) -> xr.DataArray:
    """Label what `split` gave; nothing is read.

    Parameters
    ----------
    node
        Variables, coordinates and attributes as `split` makes them.

    Returns
    -------
    xarray.DataArray
        ``(step, layer, head, pixel, key)``, after ``image`` where there are several; lazy.
    """
    labels = [str(label) for label in node["layer"].values]
    layers = []
    for label in labels:
        query, key, lse, bias = (node.variables.get(f"{part}.{label}") for part in _PARTS)
        bits = label in node.attrs[_BITS]
        scale = node.attrs[_SCALES][label]
        layers.append(Scores(query, key, scale=scale, lse=lse, bias=bias, bfloat16=bits))
    attrs: dict[str, Any] = node.attrs[_ATTRS]
    first = node.variables[f"query.{labels[0]}"]
    coords = {str(name): (coord.dims, np.asarray(coord.values)) for name, coord in node.coords.items()}
    return attention_array(
        LazyAttention(layers),
        (*(str(dim) for dim in first.dims[:-3]), "layer", "head", "pixel", "key"),
        coords=coords,  # type: ignore[arg-type]
        grid=tuple(attrs["grid"]),
        size=tuple(attrs["size"]),
        attrs=attrs,
    )
