"""A tree narrowed to one branch, image, frame: views, nothing copied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from attnscope.errors import UnknownRowError, choices
from attnscope.maps.kept import in_use, kept
from attnscope.maps.lazy import LazyAttention
from attnscope.maps.measures import attention_kinds
from attnscope.maps.scores import Scores

__all__ = ["LEADING", "labels", "narrow", "text_dims"]

#: The dims that lead, where there are several of them.
LEADING = ("branch", "image", "frame")
#: Attributes that have one entry for each prompt, or each picture, where these differ.
_OF_THE_IMAGES = ("prompt", "negative_prompt", "seed")


def labels(array: xr.DataArray, dim: str) -> list[Any]:
    """Name the branches, images or frames of an array; none where it has no such coordinate."""
    return np.atleast_1d(array[dim].values).tolist() if dim in array.coords else []


def text_dims(array: xr.DataArray) -> list[str]:
    """Name the dims along which the texts differ."""
    return [str(dim) for dim in array["word"].dims if dim != "token"] if "word" in array.coords else []


def narrow(tree: xr.DataTree, wanted: Mapping[str, Any]) -> xr.DataTree:
    """Choose one branch, image or frame.

    Parameters
    ----------
    tree
        A labelled tree.
    wanted
        Labels by dim; None where nothing is chosen.

    Returns
    -------
    xarray.DataTree
        The same nodes without these dims, which stay as scalar coordinates. Pictures keep ``image``, of one entry.

    Raises
    ------
    UnknownRowError
        If a label is not there.
    """
    nodes: Any = [child["attention"] for kind in attention_kinds(tree) for child in tree[kind].children.values()]
    first: xr.DataArray = nodes[0]
    where: dict[str, int] = {}
    for dim, label in wanted.items():
        if label is None:
            continue
        there = labels(first, dim)
        if label not in there or isinstance(label, bool):
            msg = f"{dim}={label!r} was not captured. {choices(label, there)}"
            raise UnknownRowError(msg)
        if dim in first.dims:
            where[dim] = there.index(label)
    if not where:
        return tree
    narrowed = {
        node.path: _node(node.to_dataset(inherit=False), where, first) for node in tree.subtree if node.data_vars
    }
    root = xr.Dataset(attrs=_attrs(tree.attrs, where, first))
    return xr.DataTree.from_dict({"/": root, **narrowed})


def _node(node: xr.Dataset, where: dict[str, int], first: xr.DataArray) -> xr.Dataset:
    attrs = _attrs(node.attrs, where, first)
    if "attention" in node:
        return xr.Dataset({"attention": _maps(node["attention"], where, first)}, attrs=attrs)
    if "picture" not in node and "preview" not in node:
        return node.isel({dim: place for dim, place in where.items() if dim in node.dims}).assign_attrs(attrs)
    # A panorama has several images (its views), and one picture, which stays.
    kept_dims = {dim: [place] for dim, place in where.items() if node.sizes.get(dim) == first.sizes[dim]}
    return node.isel(kept_dims).assign_attrs(attrs)


def _maps(array: xr.DataArray, where: dict[str, int], first: xr.DataArray) -> xr.DataArray:
    narrowed, data = array.isel(where), array.variable._data
    # Of what is kept, and not of what is in use, so that who saves or counts what is kept finds the same part.
    if isinstance(data, LazyAttention):
        lead = tuple(where.get(str(dim), slice(None)) for dim in array.dims[:-4])
        variable = xr.Variable(narrowed.dims, LazyAttention([_scores(layer, lead) for layer in data.layers]))
    else:
        variable = in_use(kept(array).isel(where))
    narrowed = xr.DataArray(variable, coords=narrowed.coords, name=array.name)
    return narrowed.assign_attrs(_attrs(array.attrs, where, first))


def _scores(layer: Scores, lead: tuple[Any, ...]) -> Scores:
    bias = layer.bias if layer.bias is None or len(layer.bias.shape) == 1 else layer.bias[lead]
    lse, seen = (None if part is None else part[lead] for part in (layer.lse, layer.seen))
    parts: dict[str, Any] = {"scale": layer.scale, "lse": lse, "bias": bias, "seen": seen, "bfloat16": layer.bfloat16}
    return Scores(layer.query[lead], layer.key[lead], **parts)


def _attrs(attrs: Mapping[Any, Any], where: dict[str, int], first: xr.DataArray) -> dict[Any, Any]:
    narrowed = dict(attrs)
    if "image" not in where:
        return narrowed
    images = first.sizes["image"]
    for name in _OF_THE_IMAGES:
        several = attrs.get(name)
        if isinstance(several, (list, tuple)) and several and images % len(several) == 0:
            narrowed[name] = several[where["image"] // (images // len(several))]
    return narrowed
