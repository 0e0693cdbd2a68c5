"""How a capture lies on disk: what `attnscope.maps.io` and `attnscope.maps.stream` write alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from zarr.codecs import ZstdCodec

from attnscope.maps.factors import split
from attnscope.maps.lazy import LazyAttention

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "as_written",
    "chunks",
    "chunks_of_a_step",
    "compressor",
    "described",
    "format_needed",
    "from_json",
    "names",
    "to_json",
]

#: Version of the layout on disk. A reader refuses a higher one.
FORMAT = 2
#: Attributes of the root: the version, what belongs to a whole capture, and how far a run came that goes on, or was
#: killed. Of a node: its coordinates.
VERSION, CONTENTS, RUNNING, COORDS = "attnscope_format", "attnscope_contents", "attnscope_running", "attnscope_coords"
_PIXEL = ("pixel", "y", "x", "key", "key_y", "key_x")
_CHUNK_BYTES = 2**20
#: Dims of which a chunk has one entry: what a view asks for.
_SINGLE = ("layer", "image", "branch", "frame")


def format_needed(nodes: Mapping[str, xr.Dataset], *, running: bool = False) -> int:
    """Give the lowest version that reads this: maps in 8 bits and unfinished runs came with version 2."""
    coded = any(node[name].dtype == np.uint8 for node in nodes.values() for name in node.data_vars if name in _CODED)
    return 2 if running or coded else 1


_CODED = ("attention",)


def as_written(node: xr.Dataset) -> xr.Dataset:
    """Replace a map that is computed by what it is computed from."""
    lazy = "attention" in node and isinstance(node["attention"].variable._data, LazyAttention)
    return split(node["attention"]) if lazy else node


def names(node: xr.Dataset) -> list[str]:
    """What a node must hold to be whole; ``pixel`` and ``key`` are made anew."""
    return sorted(str(name) for name in node.variables if name not in _PIXEL)


def described(node: xr.Dataset) -> dict[str, Any]:
    """Coordinates of a node as they lie in its attributes, all but those that are made anew."""
    return {str(name): to_json(coord) for name, coord in node.coords.items() if name not in _PIXEL}


def to_json(coord: xr.DataArray | xr.Variable) -> list[Any]:
    """Write a coordinate as JSON takes it, which has no NaN.

    Examples
    --------
    >>> import xarray as xr
    >>> to_json(xr.Variable("step", [0.5, np.nan]))
    [['step'], '<f8', [0.5, None]]
    """
    values = np.array(coord.values, dtype=object)
    values[np.asarray(pd.isna(values))] = None
    return [list(coord.dims), coord.dtype.str, values.tolist()]


def from_json(written: Mapping[str, Any]) -> dict[str, Any]:
    """Read what `to_json` wrote, by name."""
    return {name: (dims, np.array(values, dtype)) for name, (dims, dtype, values) in written.items()}


def chunks(variable: xr.Variable) -> tuple[int, ...]:
    """One layer and one row to a chunk, and as many steps as make about a megabyte."""
    lengths = dict(zip(variable.dims, variable.shape, strict=True))
    chunk = dict(zip(variable.dims, chunks_of_a_step(variable), strict=True))
    if "step" in chunk:
        one = int(np.prod(list(chunk.values()))) * variable.dtype.itemsize
        chunk["step"] = min(lengths["step"], max(1, _CHUNK_BYTES // max(one, 1)))
    return tuple(chunk.values())


def chunks_of_a_step(variable: xr.Variable) -> tuple[int, ...]:
    """One step, one layer and one row to a chunk."""
    return tuple(
        1 if dim in ("step", *_SINGLE) else length for dim, length in zip(variable.dims, variable.shape, strict=True)
    )


def compressor() -> ZstdCodec:
    """Give the codec of every chunk; its checksum tells a damaged one."""
    return ZstdCodec(level=3, checksum=True)
