"""Captures on disk: a Zarr v3 group, lossless both ways, that opens without reading maps."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
import zarr
from zarr.codecs import ZstdCodec
from zarr.errors import GroupNotFoundError

from attnscope.errors import SavedCaptureError
from attnscope.maps.factors import is_split, join, split
from attnscope.maps.kept import in_use, kept, on_disk
from attnscope.maps.lazy import LazyAttention
from attnscope.maps.schema import index_groups, pixel_coords

if TYPE_CHECKING:
    from attnscope.maps.capture import Capture

__all__ = ["FORMAT", "load", "save"]

#: Version of the layout on disk. A reader refuses a higher one.
FORMAT = 1
_CONTENTS, _COORDS = "attnscope_contents", "attnscope_coords"
_PIXEL = ("pixel", "y", "x", "key", "key_y", "key_x")
_CHUNK_BYTES = 2**20


def save(capture: Capture, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a capture.

    Parameters
    ----------
    capture
        What to write.
    path
        Folder of the new store, such as ``run.zarr``.
    overwrite
        Whether to replace what is there.

    Returns
    -------
    pathlib.Path
        The folder. It appears only when it is whole.

    Raises
    ------
    SavedCaptureError
        If the path is taken and ``overwrite`` is not set, or is no place to write to.

    Notes
    -----
    Coordinates lie as JSON in a node's attributes: they are small, read at once, and strings have no stable Zarr v3
    data type before zarr 3.3. ``pixel`` is made anew from grid and picture size.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        msg = f"{str(path)!r} exists already. Choose another path, or pass overwrite=True."
        raise SavedCaptureError(msg)
    if path.exists() and not _may_go(path):
        msg = f"{str(path)!r} is no capture, so overwrite=True does not replace it. Choose another path."
        raise SavedCaptureError(msg)
    tree = capture.tree
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            partial = Path(folder) / "capture"
            nodes = {node.path: _as_written(node.to_dataset()) for node in tree.subtree if node.data_vars}
            contents = {name: _names(node) for name, node in nodes.items()}
            attributes: Any = {**tree.attrs, "attnscope_format": FORMAT, _CONTENTS: contents}
            zarr.open_group(partial, mode="w", zarr_format=3, attributes=attributes)
            for name, node in nodes.items():
                _write(node, partial, name)
            replaced = path.rename(Path(folder) / "replaced") if path.exists() else None
            try:
                partial.rename(path)
            except OSError:
                if replaced:
                    replaced.rename(path)
                raise
    except OSError as error:
        if isinstance(error, SavedCaptureError):
            raise
        msg = f"{str(path)!r} cannot be written: {error}."
        raise SavedCaptureError(msg) from error
    return path


def _may_go(path: Path) -> bool:
    """Whether a path holds a capture, whole or not, or nothing at all."""
    if not path.is_dir():
        return False
    if not any(path.iterdir()):
        return True
    try:
        return "attnscope_format" in json.loads((path / "zarr.json").read_text())["attributes"]
    except (OSError, ValueError, KeyError):
        return False


def _as_written(node: xr.Dataset) -> xr.Dataset:
    """Replace a map that is computed by what it is computed from."""
    lazy = "attention" in node and isinstance(node["attention"].variable._data, LazyAttention)
    return split(node["attention"]) if lazy else node


def _names(node: xr.Dataset) -> list[str]:
    """What a node must hold to be whole; ``pixel`` and ``key`` are made anew."""
    return sorted(str(name) for name in node.variables if name not in _PIXEL)


def _write(node: xr.Dataset, folder: Path, group: str) -> None:
    """Write one node; every chunk, so that a chunk that is not there is one that was lost."""
    coords = {name: coord for name, coord in node.coords.items() if name not in _PIXEL}
    node = node.drop_vars(node.coords)
    node = node.assign({name: kept(variable) for name, variable in node.variables.items()})
    node.attrs[_COORDS] = {name: [list(coord.dims), coord.dtype.str, _plain(coord)] for name, coord in coords.items()}
    encoding: dict[Any, Any] = {}
    for name, variable in node.variables.items():
        encoding[name] = {
            "_FillValue": None,
            "compressors": [ZstdCodec(level=3, checksum=True)],
            "chunks": _chunks(variable),
        }
    node.to_zarr(
        folder,
        group=group,
        mode="w",
        zarr_format=3,
        consolidated=False,
        encoding=encoding,
        write_empty_chunks=True,
    )


def _plain(coord: xr.DataArray) -> Any:
    """Values as JSON takes them; it has no NaN."""
    values = np.array(coord.values, dtype=object)
    values[np.asarray(pd.isna(values))] = None
    return values.tolist()


def _chunks(variable: xr.Variable) -> tuple[int, ...]:
    """One layer and one image to a chunk, and as many steps as make about a megabyte: what a view asks for."""
    whole = dict(zip(variable.dims, variable.shape, strict=True))
    chunk = whole | dict.fromkeys(whole.keys() & {"step", "layer", "image", "branch"}, 1)
    if "step" in whole:
        one = int(np.prod(list(chunk.values()))) * variable.dtype.itemsize
        chunk["step"] = min(whole["step"], max(1, _CHUNK_BYTES // max(one, 1)))
    return tuple(chunk.values())


def load(path: str | Path) -> Capture:
    """Open a saved capture; see `attnscope.open`."""
    from attnscope.maps.capture import Capture

    path = Path(path)
    root = _root(path)
    nodes: dict[str, xr.Dataset] = {}
    try:
        for name, group in root.members(max_depth=None):
            if isinstance(group, zarr.Group) and _COORDS in group.attrs:
                nodes[f"/{name}"] = _read(path, name, group)
        _check_whole(root, nodes)
    except Exception as error:
        msg = f"{str(path)!r} is a damaged capture: {error}. Save it again from the run, or from a copy that is whole."
        raise SavedCaptureError(msg) from error
    attrs = {name: value for name, value in root.attrs.items() if name not in ("attnscope_format", _CONTENTS)}
    # As they were written: cross before self, finest grid first; a folder lists its files in any order.
    order = sorted(
        nodes,
        key=lambda name: (
            name.split("/")[1],
            [-int(part) for part in name.split("/")[-1].split("x") if part.isdigit()],
        ),
    )
    tree = {name: nodes[name] for name in order}
    return Capture(xr.DataTree.from_dict({**tree, "/": xr.Dataset(attrs=attrs)}))


def _check_whole(root: zarr.Group, nodes: dict[str, xr.Dataset]) -> None:
    contents: Any = root.attrs[_CONTENTS]
    for name, wanted in contents.items():
        found = _names(_as_written(nodes[name])) if name in nodes else []
        if lost := sorted(set(wanted) - set(found)):
            msg = f"{name} lacks {', '.join(lost)}"
            raise ValueError(msg)


def _root(path: Path) -> zarr.Group:
    if not path.exists():
        msg = f"{str(path)!r} does not exist. Give the folder that Capture.save(path) wrote."
        raise SavedCaptureError(msg)
    try:
        root = zarr.open_group(path, mode="r")
    except GroupNotFoundError as error:
        msg = f"{str(path)!r} is no capture: there is no Zarr group. Give the folder that Capture.save(path) wrote."
        raise SavedCaptureError(msg) from error
    except Exception as error:
        msg = f"{str(path)!r} is a damaged capture: its metadata cannot be read ({error})."
        raise SavedCaptureError(msg) from error
    written = root.attrs.get("attnscope_format")
    if not isinstance(written, int):
        msg = f"{str(path)!r} is a Zarr group, but no capture of attnscope: it has no attnscope_format."
        raise SavedCaptureError(msg)
    if written > FORMAT:
        newer = root.attrs.get("attnscope_version")
        msg = (
            f"{str(path)!r} was written by a newer attnscope ({newer}, format {written}); this one reads format "
            f"{FORMAT}. Install a newer attnscope: pip install -U attnscope."
        )
        raise SavedCaptureError(msg)
    return root


def _count_files(folder: Path) -> int:
    """Count the files of a folder, and of those in it, that are not empty."""
    return sum(
        _count_files(Path(entry.path)) if entry.is_dir() else entry.stat().st_size > 0 for entry in os.scandir(folder)
    )


def _read(path: Path, name: str, group: zarr.Group) -> xr.Dataset:
    for key, array in group.arrays():
        # Counting files is a listing; zarr's own nchunks_initialized asks for every chunk by name.
        if lost := array.nchunks - _count_files(path / name / key / "c"):
            msg = f"{lost} of {array.nchunks} chunks of {name}/{key} are gone or empty"
            raise ValueError(msg)
    node = xr.open_zarr(path, group=name, zarr_format=3, consolidated=False, chunks=None, decode_cf=False)
    coords = {key: (dims, np.array(values, dtype)) for key, (dims, dtype, values) in node.attrs.pop(_COORDS).items()}
    node = node.assign({key: on_disk(node.variables[key], repr(str(path))) for key in node.data_vars})
    node = node.assign_coords(coords)
    if is_split(node):
        return xr.Dataset({"attention": join(node)})
    if "attention" not in node:
        return index_groups(node)
    attention = node.assign(attention=in_use(node.variables["attention"]))["attention"]
    pixels = pixel_coords(tuple(attention.attrs["grid"]), tuple(attention.attrs["size"]))
    return xr.Dataset({"attention": index_groups(attention.assign_coords(pixels))})
