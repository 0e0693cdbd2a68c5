"""From what a capture has seen to a labelled tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from attnscope.maps.kept import in_use
from attnscope.maps.lazy import LazyAttention
from attnscope.maps.schema import attention_array, grid_name, index_groups
from attnscope.maps.scores import Scores

if TYPE_CHECKING:
    from attnscope.capture.measure import Measured
    from attnscope.capture.recording import Recording, Step, Token
    from attnscope.capture.stores import GridStore, SelfStore

__all__ = ["from_recording", "kept_maps", "leading_dims", "measures", "pictures", "step_coords"]

#: Attributes that are long, and say nothing of single arrays.
_OF_THE_ROOT = ("missing", "model_config", "model_inputs")
_MEANINGS = {
    "added": "L2 norm over channels of what the sub-layer adds to the residual stream, mean over pixels",
    "stream": "L2 norm over channels of the residual stream that it is added to, mean over pixels",
}


def from_recording(recording: Recording) -> xr.DataTree:
    """Label a recording.

    Nothing is copied: the arrays of the tree are views of the recording's. The recording may grow meanwhile, in another
    thread: what is labelled are the steps that were complete when this was called.

    Parameters
    ----------
    recording
        What was seen.

    Returns
    -------
    xarray.DataTree
        ``/cross/<rows>x<columns>`` with ``attention (step, layer, head, pixel, token)``, finest grid first;
        ``/self/<rows>x<columns>`` with ``attention (step, layer, head, pixel, key)``, computed when asked for;
        ``/measures`` with ``added`` and ``stream (step, layer, part)`` where they were asked for;
        ``/pictures`` with ``picture`` and ``preview`` where there are any.
    """
    nodes: dict[str, xr.Dataset] = {}
    recording = replace(recording, steps=list(recording.steps))
    for store in sorted(recording.stores, key=lambda store: (store.kind == "cross", store.grid), reverse=True):
        nodes[f"/{store.kind}/{grid_name(*store.grid)}"] = xr.Dataset({"attention": _over_tokens(recording, store)})
    for store in sorted(recording.self_stores, key=lambda store: store.grid, reverse=True):
        nodes[f"/self/{grid_name(*store.grid)}"] = xr.Dataset({"attention": _self(recording, store)})
    if recording.measures is not None:
        nodes["/measures"] = measures(recording, recording.measures)
    if found := pictures(recording):
        nodes["/pictures"] = found
    nodes["/"] = xr.Dataset(attrs=recording.attrs)
    return xr.DataTree.from_dict(nodes)


def kept_maps(recording: Recording, store: GridStore) -> xr.Variable:
    """Name the dims of a store's finished steps, and no more: a view that costs nothing, also while the run goes on."""
    lead, steps = leading_dims(recording), len(recording.steps)
    return xr.Variable((*lead, "step", "layer", "head", "pixel", "token"), _rows_first(store.array[:steps], lead))


def _over_tokens(recording: Recording, store: GridStore) -> xr.DataArray:
    maps = kept_maps(recording, store)
    return attention_array(
        in_use(maps),
        [str(dim) for dim in maps.dims],
        coords=_coords(recording, store, maps.sizes["head"]) | token_coords(recording, store.kind),
        grid=store.grid,
        size=recording.size,
        attrs=_attrs(recording, store, store.kind),
    )


def _self(recording: Recording, store: SelfStore) -> xr.DataArray:
    lead, layers, steps = leading_dims(recording), [], len(recording.steps)
    for site in store.sites:
        kept = {name: _rows_first(part[:steps], lead) for name, part in store.arrays(site.layer).items()}
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
    return attention_array(
        data,
        (*lead, "step", "layer", "head", "pixel", "key"),
        coords=_coords(recording, store, data.shape[-3]),
        grid=store.grid,
        size=recording.size,
        attrs=_attrs(recording, store, "self"),
    )


def _values(recording: Recording) -> dict[str, list[Any]]:
    """The branches, images and frames that the rows are all combinations of."""
    names = ("branch", "image", "frame")
    return {name: list(dict.fromkeys(getattr(row, name) for row in recording.rows)) for name in names}


def leading_dims(recording: Recording) -> dict[str, int]:
    """Dims that lead, with their lengths: those of which there are several."""
    return {name: len(values) for name, values in _values(recording).items() if len(values) > 1}


def _rows_first(data: np.ndarray, lead: dict[str, int]) -> np.ndarray:
    """``(step, row, ...)`` to ``(*lead, step, ...)``, so that an array of one row has the plain five dims; a view."""
    rows = np.moveaxis(data, 1, 0)
    return rows.reshape(*lead.values(), *rows.shape[1:])


def _coords(recording: Recording, store: GridStore | SelfStore, heads: int) -> dict[str, Any]:
    return {
        **step_coords(recording.steps),
        **layer_coords(recording, store),
        "head": ("head", np.arange(heads)),
        **_row_coords(recording),
    }


def _row_coords(recording: Recording) -> dict[str, Any]:
    return {
        name: (name, np.array(values)) if len(values) > 1 else values[0]
        for name, values in _values(recording).items()
        if values != [None]
    }


def _provenance(recording: Recording) -> dict[str, Any]:
    return {name: value for name, value in recording.attrs.items() if name not in _OF_THE_ROOT}


def _attrs(recording: Recording, store: GridStore | SelfStore, kind: str) -> dict[str, Any]:
    return {**_provenance(recording), "kind": kind, "grid": list(store.grid), "size": list(recording.size)}


def measures(recording: Recording, measured: Measured) -> xr.Dataset:
    """Label what was measured of each sub-layer."""
    lead = leading_dims(recording)
    dims = (*lead, "step", "layer", "part")
    at = list(measured.at)  # taken first: while the run goes on, norms are added before their step
    norms = np.stack(measured.steps[: len(at)])  # (step, quantity, row, layer, part)
    variables = {
        name: xr.Variable(dims, _rows_first(norms[:, index], lead), {"long_name": _MEANINGS[name]})
        for index, name in enumerate(measured.quantities)
    }
    layers = layer_coords(recording, measured)
    coords = {
        **step_coords(at),
        **{name: layers[name] for name in ("layer", "place", "block", "attention_index", "depth", "module")},
        "part": ("part", np.array(measured.parts)),
        **_row_coords(recording),
    }
    attrs = {**_provenance(recording), "unseen": measured.unseen}
    return index_groups(xr.Dataset(variables, coords, attrs))


def step_coords(steps: Sequence[Step]) -> dict[str, Any]:
    """``step`` and what lies along it."""
    coords: dict[str, Any] = {
        "step": ("step", np.array([step.step for step in steps], dtype=np.int64)),
        "timestep": ("step", np.array([step.timestep for step in steps], dtype=np.float64)),
    }
    if any(step.sigma is not None for step in steps):
        sigmas = [np.nan if step.sigma is None else step.sigma for step in steps]
        coords["sigma"] = ("step", np.array(sigmas, dtype=np.float64))
    return coords


def layer_coords(recording: Recording, store: GridStore | SelfStore | Measured) -> dict[str, Any]:
    """``layer`` and what lies along it."""
    names = ("layer", "place", "block", "attention", "depth", "module", "heads")
    values = {name: np.array([getattr(site, name) for site in store.sites]) for name in names}
    values["attention_index"] = values.pop("attention")
    coords = {name: ("layer", value) for name, value in values.items()}
    widths = np.array([recording.head_widths.get(site.module, 0) for site in store.sites], dtype=np.int64)
    return {**coords, "head_width": ("layer", widths)}


def token_coords(recording: Recording, kind: str) -> dict[str, Any]:
    """``token`` and what lies along it; along the leading dims too, where texts differ."""
    fields = {
        "token_text": "text",
        "word": "word",
        "word_index": "word_index",
        "token_kind": "kind",
        "token_count": "count",
    }
    lead, texts = leading_dims(recording), recording.texts[kind]
    dims = [name for name in lead if _differ(texts, recording, name)]
    first = {name: 0 for name in lead if name not in dims}
    coords: dict[str, Any] = {"token": ("token", np.array([token.position for token in texts[0]]))}
    for name, field in fields.items():
        values = np.array([[getattr(token, field) for token in text] for text in texts])
        every = xr.Variable((*lead, "token"), values.reshape(*lead.values(), len(texts[0])))
        coords[name] = ((*dims, "token"), every.isel(first).values)
    return coords


def _differ(texts: list[list[Token]], recording: Recording, dim: str) -> bool:
    """Whether the text is another one along a leading dim."""
    rows = recording.rows
    others = ("branch", "image", "frame")
    same = [[getattr(row, name) for name in others if name != dim] for row in rows]
    groups: dict[tuple[Any, ...], list[Token]] = {}
    return any(groups.setdefault(tuple(key), text) != text for key, text in zip(same, texts, strict=True))


def pictures(recording: Recording) -> xr.Dataset:
    """Label the final pictures and the previews; empty where there are none."""
    variables: dict[str, Any] = {}
    if recording.pictures is not None:
        frames, several = len(_values(recording)["frame"]), len(recording.pictures)
        dims = ("image", "row", "column", "rgb")
        variables["picture"] = (dims, recording.pictures)
        if frames > 1 and several % frames == 0:
            by_frame = recording.pictures.reshape(-1, frames, *recording.pictures.shape[1:])
            variables["picture"] = (("image", "frame", *dims[1:]), by_frame)
    if recording.previews is not None:
        dims = ("step", "image", "preview_row", "preview_column", "rgb")
        variables["preview"] = (dims, recording.previews)
        frames, several = len(_values(recording)["frame"]), recording.previews.shape[1]
        if frames > 1 and several % frames == 0:
            steps, _, *size = recording.previews.shape
            by_frame = recording.previews.reshape(steps, -1, frames, *size)
            variables["preview"] = (("step", "image", "frame", *dims[2:]), by_frame)
    return xr.Dataset(variables, coords={"step": [step.step for step in recording.steps]} if variables else {})
