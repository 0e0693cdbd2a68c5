"""From what a capture has seen to a labelled tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from attnscope.maps.kept import in_use
from attnscope.maps.schema import attention_array, grid_name

if TYPE_CHECKING:
    from attnscope.capture.recording import GridStore, Recording

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
        ``/pictures`` with ``picture`` and ``preview`` where there are any.
    """
    stores = sorted(recording.stores, key=lambda store: store.grid, reverse=True)
    nodes = {
        f"/cross/{grid_name(*store.grid)}": xr.Dataset({"attention": _attention(recording, store)}) for store in stores
    }
    pictures = _pictures(recording)
    if pictures:
        nodes["/pictures"] = xr.Dataset(pictures, coords={"step": [step.step for step in recording.steps]})
    nodes["/"] = xr.Dataset(attrs=recording.attrs)
    return xr.DataTree.from_dict(nodes)


def _attention(recording: Recording, store: GridStore) -> xr.DataArray:
    data = store.array
    images = data.shape[1]
    # Images lead, so that an array of one image has the plain five dims.
    data = np.moveaxis(data, 1, 0) if images > 1 else data[:, 0]
    dims = ("step", "layer", "head", "pixel", "token")
    coords: dict[str, Any] = {
        **step_coords(recording),
        **layer_coords(recording, store),
        "head": ("head", np.arange(data.shape[-3])),
        **token_coords(recording),
        "image": ("image", np.arange(images)) if images > 1 else 0,
        "branch": recording.branch,
    }
    provenance = {name: value for name, value in recording.attrs.items() if name != "missing"}
    dims = ("image", *dims) if images > 1 else dims
    return attention_array(
        in_use(xr.Variable(dims, data)),
        dims,
        coords=coords,
        grid=store.grid,
        size=recording.size,
        attrs={**provenance, "kind": "cross", "grid": list(store.grid), "size": list(recording.size)},
    )


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


def layer_coords(recording: Recording, store: GridStore) -> dict[str, Any]:
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
