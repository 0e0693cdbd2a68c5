"""Self-attention for tests, lazy and formed: two layers that differ in heads and width, all sizes different."""

import numpy as np

from attnscope.maps.lazy import LazyAttention
from attnscope.maps.schema import attention_array
from attnscope.maps.scores import Scores

GRID, SIZE = (5, 7), (40, 56)
DIMS = ("image", "step", "layer", "head", "pixel", "key")


def draw(heads, width, *, lead=(2, 3), pixels=35, seed=0, dtype=np.float32):
    """Queries and keys whose softmax is neither flat nor a single peak."""
    random = np.random.default_rng(seed)
    shape = (*lead, heads, pixels, width)
    return tuple(random.standard_normal(shape).astype(dtype) for _ in range(2))


def softmax(query, key, scale, bias=None, *, float64=False):
    dtype = np.float64 if float64 else np.float32
    scores = dtype(scale) * (query.astype(dtype) @ key.astype(dtype).swapaxes(-1, -2))
    if bias is not None:
        scores = scores + bias[..., None, None, :]
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return scores / scores.sum(axis=-1, keepdims=True)


def log_sums(query, key, scale, bias=None):
    scores = scale * (query.astype(np.float64) @ key.astype(np.float64).swapaxes(-1, -2))
    if bias is not None:
        scores = scores + bias[..., None, None, :]
    return np.log(np.exp(scores).sum(axis=-1)).astype(np.float32)


def pair(*, lse=True, bias=False, seen=None, dtype=np.float32):
    """A lazy array ``(2, 3, 2, 4, 35, 35)`` and the same formed; the second layer has 3 heads of another width."""
    layers, maps = [], np.full((2, 3, 2, 4, 35, 35), np.nan, np.float32)
    for index, (heads, width) in enumerate([(4, 8), (3, 6)]):
        query, key = draw(heads, width, seed=index, dtype=dtype)
        added = np.linspace(-2, 1, 2 * 3 * 35, dtype=np.float32).reshape(2, 3, 35) if bias else None
        scale = width**-0.5
        sums = log_sums(query, key, scale, added) if lse else None
        layers.append(Scores(query, key, scale=scale, lse=sums, bias=added, seen=seen if index else None))
        maps[:, :, index, :heads] = softmax(query, key, scale, added)
        if index and seen is not None:
            maps[:, :, index][~seen] = np.nan
    return LazyAttention(layers), maps


def labelled(data):
    coords = {
        "image": ("image", [0, 1]),
        "step": ("step", [0, 4, 7]),
        "layer": ("layer", np.array(["down.0.0", "up.2.0"])),
        "place": ("layer", np.array(["down", "up"])),
        "head": ("head", np.arange(4)),
    }
    attrs = {"grid": list(GRID), "size": list(SIZE)}
    return attention_array(data, DIMS, coords=coords, grid=GRID, size=SIZE, attrs=attrs)


class Recording:
    """An array that writes down what is read of it."""

    def __init__(self, values):
        self.values, self.reads = values, []
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim

    def __getitem__(self, key):
        read = self.values[key]
        self.reads.append(read.shape)
        return read
