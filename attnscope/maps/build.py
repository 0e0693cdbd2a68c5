"""From what a capture has seen to a labelled tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from attnscope.maps.kept import in_use
from attnscope.maps.lazy import LazyAttention
from attnscope.maps.schema import attention_array, grid_name
from attnscope.maps.scores import Scores

if TYPE_CHECKING:
    from attnscope.capture.recording import GridStore, Recording, SelfStore

__all__ = ["from_recording"]


def from_recording(recording: Recording) -> xr.DataTree:
    """Label a recording.

    Nothing is copied: the arrays of the tree are views of the recording's.

    Parameters
    ----------
    recording
        What was seen.

    Returns
    -------
    xarray.DataTree
        ``/cross/<rows>x<columns>`` with ``attention (step, layer, head, pixel, token)``, finest grid first;
        ``/self/<rows>x<columns>`` with ``attention (step, layer, head, pixel, key)``, computed when asked for;
        ``/pictures`` with ``picture`` and ``preview`` where there are any.
    """
    nodes: dict[str, xr.Dataset] = {}
    for store in sorted(recording.stores, key=lambda store: store.grid, reverse=True):
        nodes[f"/cross/{grid_name(*store.grid)}"] = xr.Dataset({"attention": _cross(recording, store)})
    for store in sorted(recording.self_stores, key=lambda store: store.grid, reverse=True):
        nodes[f"/self/{grid_name(*store.grid)}"] = xr.Dataset({"attention": _self(recording, store)})
    pictures = _pictures(recording)
    if pictures:
        nodes["/pictures"] = xr.Dataset(pictures, coords={"step": [step.step for step in recording.steps]})
    nodes["/"] = xr.Dataset(attrs=recording.attrs)
    return xr.DataTree.from_dict(nodes)


def _cross(recording: Recording, store: GridStore) -> xr.DataArray:
    data = store.array
    images, heads = data.shape[1], data.shape[-3]
    dims = ("image",) * (images > 1) + ("step", "layer", "head", "pixel", "token")
    return attention_array(
        in_use(xr.Variable(dims, _images_first(data))),
        dims,
        coords=_coords(recording, store, images, heads) | token_coords(recording),
        grid=store.grid,
        size=recording.size,
        attrs=_attrs(recording, store, "cross"),
    )


def _self(recording: Recording, store: SelfStore) -> xr.DataArray:
    layers = []
    for site in store.sites:
        kept = {name: _images_first(part) for name, part in store.arrays(site.layer).items()}
        layers.append(
            Scores(
                kept["query"],
                kept["key"],
                scale=store.scales[site.layer],
                lse=kept["sums"],
                bias=kept.get("bias"),
                bfloat16=kept["query"].dtype == np.uint16,
            )
        )
    data = LazyAttention(layers)
    images = store.arrays(store.sites[0].layer)["query"].shape[1]
    dims = ("image",) * (images > 1) + ("step", "layer", "head", "pixel", "key")
    return attention_array(
        data,
        dims,
        coords=_coords(recording, store, images, data.shape[-3]),
        grid=store.grid,
        size=recording.size,
        attrs=_attrs(recording, store, "self"),
    )


def _images_first(data: np.ndarray) -> np.ndarray:
    """Images lead, so that an array of one image has the plain five dims."""
    return np.moveaxis(data, 1, 0) if data.shape[1] > 1 else data[:, 0]


def _coords(recording: Recording, store: GridStore | SelfStore, images: int, heads: int) -> dict[str, Any]:
    return {
        **step_coords(recording),
        **layer_coords(recording, store),
        "head": ("head", np.arange(heads)),
        "image": ("image", np.arange(images)) if images > 1 else 0,
        "branch": recording.branch,
    }


def _attrs(recording: Recording, store: GridStore | SelfStore, kind: str) -> dict[str, Any]:
    provenance = {name: value for name, value in recording.attrs.items() if name != "missing"}
    return {**provenance, "kind": kind, "grid": list(store.grid), "size": list(recording.size)}


def step_coords(recording: Recording) -> dict[str, Any]:
    """``step`` and what lies along it."""
    coords: dict[str, Any] = {
        "step": ("step", np.array([step.step for step in recording.steps], dtype=np.int64)),
        "timestep": ("step", np.array([step.timestep for step in recording.steps], dtype=np.float64)),
    }
    if any(step.sigma is not None for step in recording.steps):
        sigmas = [np.nan if step.sigma is None else step.sigma for step in recording.steps]
        coords["sigma"] = ("step", np.array(sigmas, dtype=np.float64))
    return coords


def layer_coords(recording: Recording, store: GridStore | SelfStore) -> dict[str, Any]:
    """``layer`` and what lies along it."""
    names = ("layer", "place", "block", "attention", "depth", "module", "heads")
    values = {name: np.array([getattr(site, name) for site in store.sites]) for name in names}
    values["attention_index"] = values.pop("attention")
    coords = {name: ("layer", value) for name, value in values.items()}
    widths = np.array([recording.head_widths.get(site.module, 0) for site in store.sites], dtype=np.int64)
    return {**coords, "head_width": ("layer", widths)}


def token_coords(recording: Recording) -> dict[str, Any]:
    """``token`` and what lies along it."""
    fields = {
        "token": "position",
        "token_text": "text",
        "word": "word",
        "word_index": "word_index",
        "token_kind": "kind",
        "token_count": "count",
    }
    return {
        name: ("token", np.array([getattr(token, field) for token in recording.tokens]))
        for name, field in fields.items()
    }


def _pictures(recording: Recording) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    if recording.pictures is not None:
        variables["picture"] = (("image", "row", "column", "rgb"), recording.pictures)
    if recording.previews is not None:
        dims = ("step", "image", "preview_row", "preview_column", "rgb")
        variables["preview"] = (dims, recording.previews)
    return variables
