"""The anatomy of the transformer that holds a layer, for the browser to draw."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from attnscope.errors import UnknownLayerError, ViewError
from attnscope.maps.measures import MEASURES

if TYPE_CHECKING:
    from attnscope.maps.capture import Capture

__all__ = ["anatomy_table", "has_anatomy"]

_COLUMNS = ["layer", "part", "operation", "module", "definition", "input", "output"]


def has_anatomy(cap: Capture) -> bool:
    """Whether a capture says of which model it is, and that is one that can be taken apart."""
    config = cap.attrs.get("model_config")
    known = isinstance(config, dict) and config.get("_class_name") == "UNet2DConditionModel"
    return known and cap.attrs.get("model_inputs") is not None and type(cap).anatomist is not None


def anatomy_table(cap: Capture, entry: dict[str, Any], where: dict[str, int]) -> np.ndarray:
    """Take apart the ``Transformer2DModel`` that holds a layer.

    Where it has several blocks, the steps inside the others are left out: they are the same.

    Parameters
    ----------
    cap
        The capture.
    entry
        The layer's row in `Capture.layers`.
    where
        The image and the branch whose norms go along, by dim.

    Returns
    -------
    numpy.ndarray
        JSON, UTF-8: ``rows`` as in `Capture.anatomy`, and ``measures``: how much each sub-layer of the layer's block
        added at each step, or null.

    Raises
    ------
    ViewError
        If the capture does not say of which model it is, or torch is not there to build it.
    """
    if not has_anatomy(cap):
        msg = (
            "This capture cannot be taken apart: it does not hold the configuration of a UNet2DConditionModel. "
            "Take the pipeline apart instead: attnscope.anatomy(pipe, height, width)."
        )
        raise ViewError(msg)
    try:
        rows = _rows(cap, entry)
    except ImportError as error:
        msg = (
            "The anatomy is read off a model that is built from its configuration, which takes torch and diffusers: "
            f"{error}. Install both (pip install torch diffusers), and ask again."
        )
        raise ViewError(msg) from error
    table = {"rows": rows.loc[:, _COLUMNS].to_dict("records"), "measures": _measures(cap, entry, where)}
    return np.frombuffer(json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode(), np.uint8)


def _rows(cap: Capture, entry: dict[str, Any]) -> pd.DataFrame:
    place = entry["place"] if entry["place"] == "mid" else f"{entry['place']}.{entry['block']}"
    label = f"{place}.{entry['attention']}"
    around = cap.anatomy(label)
    try:
        block = cap.anatomy(f"{label}.{entry['depth']}")
    except UnknownLayerError:
        return around  # of one block, whose steps have the transformer's own label
    called = around["module"] == _block(entry)
    after = int(np.flatnonzero(called)[-1]) + 1
    return pd.concat([around.iloc[:after], block, around.iloc[after:]], ignore_index=True)


def _measures(cap: Capture, entry: dict[str, Any], where: dict[str, int]) -> dict[str, list[float | None]] | None:
    if MEASURES not in cap.tree.children:
        return None
    added = cap.measures["added"].isel(where, missing_dims="ignore")
    places = np.flatnonzero(added["module"].values == _block(entry))
    if not len(places):
        return None
    steps = next(iter(cap.tree[cap.kinds[0]].children.values()))["step"].values
    values = added.isel(layer=int(places[0])).reindex(step=steps).transpose("part", "step").values
    return {
        str(part): [float(f"{value:.6g}") if np.isfinite(value) else None for value in row]
        for part, row in zip(added["part"].values, values, strict=True)
    }


def _block(entry: dict[str, Any]) -> str:
    """Dotted path of the transformer block that a layer is in."""
    return str(entry["module"]).rpartition(".")[0]
