"""The legend sentence of a figure: what a view says of itself, and what only the capture knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.figures.legend import Changes, Comparison, LegendView, legend
from attnscope.figures.shown import times_chance, token_texts, word_texts
from attnscope.figures.view import any_array, apart, asked_cells, cell_at, counts
from attnscope.maps.schema import cell_centres

if TYPE_CHECKING:
    from attnscope.figures.spec import Map
    from attnscope.figures.view import View
    from attnscope.maps.capture import Capture

__all__ = ["changes", "pixel_at", "sentence"]


def sentence(
    cap: Capture,
    view: View,
    shown: Map,
    *,
    reduced: tuple[int, int] | None = None,
    compare: Comparison | None = None,
) -> str:
    """Say what the main map of a view shows.

    Parameters
    ----------
    cap, view
        What is looked at.
    shown
        Its map, as it is coloured.
    reduced
        The finest native grid, where the map is coarser.
    compare
        What it is compared with.
    """
    layers = [row for row in cap.layers.to_dict("records") if row["kind"] == view.kind]
    steps = any_array(cap, view.kind)
    row = None if view.level == "unet" else next(row for row in layers if row["layer"] == view.layer)
    heads = {row["heads"] for row in layers} if row is None else {row["heads"]}
    images, branches = counts(cap, view.kind)
    height, width = shown.values.shape
    timestep = steps["timestep"].sel(step=view.step).item() if "timestep" in steps.coords else None
    attrs = cap.attrs
    hues = apart(cap, view)
    facts: LegendView = {
        "kind": view.kind,
        "layer": None if row is None else str(row["layer"]),
        "module": None if row is None else str(row["module"]),
        "layers": len(layers) if row is None else None,
        "seen": _seen(cap, view) if row is None else None,
        "head": view.head_shown,
        "heads": int(heads.pop()) if len(heads) == 1 else None,
        "step": view.step,
        "steps": None if attrs.get("steps") is None else int(attrs["steps"]),
        "timestep": timestep,
        "averaged_steps": attrs.get("averaged_steps"),
        "tokens": word_texts(cap, view) if hues else token_texts(cap, view),
        "scale": view.scale_shown,
        "transform": view.transform,
        "lo": None if shown.categories else shown.lo,
        "hi": None if shown.categories else shown.hi,
        "height": height,
        "width": width,
        "reduced": reduced,
        "eight_bit": False,
        "nan": int((shown.values < 0).sum() if shown.categories else np.isnan(shown.values).sum()),
        "constant": shown.constant,
        "image": str(view.image),
        "branch": view.branch,
        "images": images,
        "branches": branches,
        "hues": hues,
        "highs": [hue.hi for hue in shown.hues] if view.scale_shown == "own" else [],
        "clip": view.clip,
        "renormalise": view.renormalise,
        "drop": view.drop,
        "blend": "mask" if shown.mask else "contour" if view.blend == "contour" and not shown.categories else "colour",
        "smooth": view.smooth,
        "sixteen_bit": not view.words and _sixteen_bit(cap, view),
        "compare": compare,
    }
    if view.transform == "uniform" or (view.words and view.renormalise):
        facts["positions"] = times_chance(cap, view)
    if not view.words and view.asks:
        grid = None if row is None else (int(row["height"]), int(row["width"]))
        cells = asked_cells(cap, view)
        facts["box"] = len(cells) if isinstance(cells, list) else None
        facts["pixel"], facts["direction"] = pixel_at(cap, view, grid), view.direction
    return legend(facts)


def pixel_at(cap: Capture, view: View, grid: tuple[int, int] | None) -> tuple[float, float]:
    """Find the point that is asked about in pixels of the picture: on a grid the centre of its cell; ``y`` first."""
    size = tuple(any_array(cap).attrs["size"])
    u, v = view.uv or (0.5, 0.5)
    if view.region is not None and grid is not None:
        u, v = ((view.region[axis] + view.region[axis + 2]) / 2 for axis in (0, 1))
    if grid is None:
        return v * size[0], u * size[1]
    y, x = (
        float(cell_centres(cells, pixels)[at])
        for at, cells, pixels in zip(cell_at(grid, (u, v)), grid, size, strict=True)
    )
    return y, x


def changes(cap: Capture, view: View, there: View) -> Changes:
    """Say what is changed in a view that is compared with, as the legend takes it; ``cap`` is the capture of that."""
    asked = dict(view.compare or {})
    said: Changes = {}
    if asked.get("capture"):
        said["capture"] = 1
    if "layer" in asked:
        said["layer"] = there.layer
    if "head" in asked:
        said["head"] = there.head
    if "step" in asked:
        said["step"] = there.step
    if "token" in asked:
        said["tokens"] = token_texts(cap, there)
    if "image" in asked:
        said["image"] = str(there.image)
    if "branch" in asked:
        said["branch"] = there.branch
    if "direction" in asked:
        said["direction"] = there.direction
    return said


def _nodes(cap: Capture, kind: str) -> list[Any]:
    return [node["attention"] for node in cap.tree[kind].children.values()]


def _sixteen_bit(cap: Capture, view: View) -> bool:
    """Whether any of the layers that a view looks at keeps queries and keys in 16 bits."""
    for array in _nodes(cap, "self"):
        for label, layer in zip(array["layer"].values.tolist(), array.variable._data.layers, strict=True):
            if (view.level == "unet" or label == view.layer) and layer.dtype != "float32":
                return True
    return False


def _seen(cap: Capture, view: View) -> int:
    """How many layers have values where a view looks."""
    images, branches = counts(cap, view.kind)
    where: dict[str, Any] = {"step": view.step}
    where |= {"image": view.image} if images > 1 else {}
    where |= {"branch": view.branch} if branches > 1 else {}
    count = 0
    for array in _nodes(cap, view.kind):
        maps = array.sel(where).isel(head=0)
        maps = maps if view.words else maps.isel(pixel=0)
        count += int(np.isfinite(maps).any([dim for dim in maps.dims if dim != "layer"]).sum())
    return count
