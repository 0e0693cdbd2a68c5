"""Captures of odd, all-different sizes, made without a model."""

import numpy as np
import pytest
import xarray as xr
from selfattention import draw, log_sums, softmax
from widget.synthetic import SIZE, recording

from attnscope.maps.capture import Capture
from attnscope.maps.lazy import LazyAttention
from attnscope.maps.schema import LAYER_COORDS, attention_array
from attnscope.maps.scores import Scores

STEPS = (0, 4, 7)


@pytest.fixture
def cap() -> Capture:
    return Capture(recording())


@pytest.fixture
def cap_gap() -> Capture:
    """A capture whose layer up.1.0 was not seen at step 4."""
    made = recording()
    made.stores[0].array[1, :, 1] = float("nan")
    return Capture(made)


@pytest.fixture
def formed() -> dict[str, np.ndarray]:
    """The self-attention of `cap_self`, formed: label to ``(step, head, pixel, key)``."""
    return {}


@pytest.fixture
def cap_self(formed) -> Capture:
    """A capture with self-attention beside cross-attention; up.1.0 keeps queries and keys in 16 bits."""
    cross = Capture(recording()).tree
    nodes = {"/": xr.Dataset(attrs=dict(cross.attrs))}
    for name, node in [*cross["cross"].children.items()]:
        nodes[f"/cross/{name}"] = node.to_dataset()
        nodes[f"/self/{name}"] = xr.Dataset({"attention": over_pixels(node["attention"], formed)})
    nodes["/pictures"] = cross["pictures"].to_dataset()
    return Capture(xr.DataTree.from_dict(nodes))


def over_pixels(like: xr.DataArray, formed: dict[str, np.ndarray]) -> xr.DataArray:
    heads, pixels, layers = like.sizes["head"], like.sizes["pixel"], []
    for place, label in enumerate(like["layer"].values.tolist()):
        dtype = np.float16 if label == "up.1.0" else np.float32
        query, key = draw(heads, 5 + place, lead=(len(STEPS),), pixels=pixels, seed=pixels + place, dtype=dtype)
        layers.append(Scores(query, key, scale=0.7, lse=log_sums(query, key, 0.7)))
        formed[label] = softmax(query, key, 0.7, float64=True)
    names = ("step", "timestep", "layer", "head", *LAYER_COORDS)
    coords = {name: (like[name].dims, like[name].values) for name in names}
    dims = ("step", "layer", "head", "pixel", "key")
    attrs = {**like.attrs, "kind": "self"}
    grid = tuple(like.attrs["grid"])
    array = attention_array(LazyAttention(layers), dims, coords=coords, grid=grid, size=SIZE, attrs=attrs)
    return array.assign_coords(image=0, branch="cond")
