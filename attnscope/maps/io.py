"""Captures on disk: a Zarr v3 group, lossless both ways, that opens without reading maps."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
import zarr
from zarr.errors import GroupNotFoundError

from attnscope.errors import SavedCaptureError
from attnscope.maps.factors import is_split, join
from attnscope.maps.kept import in_use, kept, on_disk
from attnscope.maps.layout import (
    CONTENTS,
    COORDS,
    FORMAT,
    RUNNING,
    VERSION,
    as_written,
    chunks,
    compressor,
    described,
    format_needed,
    from_json,
    names,
)
from attnscope.maps.schema import index_groups, pixel_coords

if TYPE_CHECKING:
    from attnscope.maps.capture import Capture

__all__ = ["dims_of", "load", "read_tree", "save", "write_node"]


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
            nodes = {node.path: _at_rest(as_written(node.to_dataset())) for node in tree.subtree if node.data_vars}
            contents = {name: names(node) for name, node in nodes.items()}
            attributes: Any = {**tree.attrs, VERSION: format_needed(nodes), CONTENTS: contents}
            zarr.open_group(partial, mode="w", zarr_format=3, attributes=attributes)
            for name, node in nodes.items():
                write_node(node, partial, name)
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
        return VERSION in json.loads((path / "zarr.json").read_text())["attributes"]
    except (OSError, ValueError, KeyError):
        return False


def _at_rest(node: xr.Dataset) -> xr.Dataset:
    """Replace arrays in use by what is kept."""
    return node.assign({name: kept(node.variables[name]) for name in node.data_vars})


def write_node(node: xr.Dataset, folder: Path, group: str) -> None:
    """Write one node; every chunk, so that a chunk that is not there is one that was lost."""
    coords = described(node)
    node = node.drop_vars(node.coords)
    node.attrs[COORDS] = coords
    encoding: dict[Any, Any] = {
        name: {"_FillValue": None, "compressors": [compressor()], "chunks": chunks(variable)}
        for name, variable in node.variables.items()
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


def load(path: str | Path) -> Capture:
    """Open a saved capture; see `attnscope.open`."""
    from attnscope.maps.capture import Capture

    return Capture(read_tree(path))


def read_tree(path: str | Path, *, trusted: bool = False) -> xr.DataTree:
    """Read the labels of a saved capture, or of the finished steps of one that is being written, or no longer is.

    Whether all files are there is not looked at where they are ``trusted``, by who has just written them.
    """
    path = Path(path)
    root = _root(path)
    running: Any = root.attrs.get(RUNNING)
    if running is not None and running["start"] == running["stop"]:
        msg = f"{str(path)!r} holds no step: its run has not finished one yet, or was killed before it did."
        raise SavedCaptureError(msg)
    try:
        contents: Any = root.attrs[CONTENTS]
        nodes = {name: _read(path, name.strip("/"), root[name.strip("/")], running, trusted) for name in contents}
        _check_whole(contents, nodes)
    except Exception as error:
        msg = f"{str(path)!r} is a damaged capture: {error}. Save it again from the run, or from a copy that is whole."
        raise SavedCaptureError(msg) from error
    attrs = {name: value for name, value in root.attrs.items() if name not in (VERSION, CONTENTS, RUNNING)}
    # As they were written: cross before self, finest grid first; a folder lists its files in any order.
    order = sorted(
        nodes,
        key=lambda name: (
            name.split("/")[1],
            [-int(part) for part in name.split("/")[-1].split("x") if part.isdigit()],
        ),
    )
    tree = {name: nodes[name] for name in order}
    return xr.DataTree.from_dict({**tree, "/": xr.Dataset(attrs=attrs)})


def _check_whole(contents: dict[str, list[str]], nodes: dict[str, xr.Dataset]) -> None:
    for name, wanted in contents.items():
        found = names(as_written(nodes[name]))
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
    written = root.attrs.get(VERSION)
    if not isinstance(written, int):
        msg = f"{str(path)!r} is a Zarr group, but no capture of attnscope: it has no {VERSION}."
        raise SavedCaptureError(msg)
    if written > FORMAT:
        newer = root.attrs.get("attnscope_version")
        msg = (
            f"{str(path)!r} was written by a newer attnscope ({newer}, format {written}); this one reads format "
            f"{FORMAT}. Install a newer attnscope: pip install -U attnscope."
        )
        raise SavedCaptureError(msg)
    return root


def _lost_chunks(folder: Path, array: zarr.Array, running: dict[str, Any] | None) -> tuple[int, int]:
    """How many chunks are not there, and of how many that should be."""
    if running is None:
        # Counting files is a listing; to ask for every chunk by name takes far longer.
        return max(0, array.nchunks - _count_files(folder)), array.nchunks
    grid = [range(-(-length // size)) for length, size in zip(array.shape, array.chunks, strict=True)]
    grid[dims_of(array).index("step")] = range(running["start"], running["stop"])
    paths = [folder.joinpath(*map(str, place)) for place in itertools.product(*grid)]
    return sum(not (path.exists() and path.stat().st_size) for path in paths), len(paths)


def dims_of(array: zarr.Array) -> tuple[str, ...]:
    """Name the axes."""
    dims: Any = array.metadata.dimension_names  # type: ignore[union-attr]
    return dims


def _count_files(folder: Path) -> int:
    """Count the files of a folder, and of those in it, that are not empty."""
    return sum(
        _count_files(Path(entry.path)) if entry.is_dir() else entry.stat().st_size > 0 for entry in os.scandir(folder)
    )


def _read(path: Path, name: str, group: Any, running: dict[str, Any] | None, trusted: bool) -> xr.Dataset:
    for key, array in () if trusted else group.arrays():
        lost, of = _lost_chunks(path / name / key / "c", array, running)
        if lost:
            msg = f"{lost} of {of} chunks of {name}/{key} are gone or empty"
            raise ValueError(msg)
    node = xr.open_zarr(path, group=name, zarr_format=3, consolidated=False, chunks=None, decode_cf=False)
    coords: dict[str, Any] = node.attrs.pop(COORDS)
    if running is not None:
        node = node.isel(step=slice(running["start"], running["stop"]))
        coords = running["coords"] | coords | running["coords"]
    node = node.assign({key: on_disk(node.variables[key], repr(str(path))) for key in node.data_vars})
    node = node.assign_coords(from_json(coords))
    if is_split(node):
        return xr.Dataset({"attention": join(node)})
    if "attention" not in node:
        return index_groups(node)
    attention = node.assign(attention=in_use(node.variables["attention"]))["attention"]
    pixels = pixel_coords(tuple(attention.attrs["grid"]), tuple(attention.attrs["size"]))
    return xr.Dataset({"attention": index_groups(attention.assign_coords(pixels))})
