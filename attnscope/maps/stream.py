"""A recording that goes to disk while the run goes on: whatever ends the run, every finished step is there."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
import zarr

from attnscope.capture.keeping import InMemory
from attnscope.errors import NothingCapturedError, SavedCaptureError
from attnscope.maps.build import from_recording, leading_dims, measures, pictures, step_coords
from attnscope.maps.io import dims_of, read_tree, write_node
from attnscope.maps.kept import kept
from attnscope.maps.layout import (
    CONTENTS,
    COORDS,
    RUNNING,
    VERSION,
    as_written,
    chunks_of_a_step,
    compressor,
    described,
    format_needed,
    names,
    to_json,
)
from attnscope.maps.schema import grid_name
from attnscope.maps.stores import GridOnDisk, SelfOnDisk

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from attnscope.capture.recording import Recording, Step
    from attnscope.capture.sites import Site
    from attnscope.capture.stores import GridStore, QueriesKeys, SelfStore

__all__ = ["OnDisk"]


class OnDisk(InMemory):
    """Makes stores that write each step to a Zarr group, in the layout of `Capture.save`.

    Parameters
    ----------
    path
        Folder of the new capture.

    Raises
    ------
    SavedCaptureError
        If the path is taken, or is no place to write to.

    Notes
    -----
    Chunks hold one step. Those of a step are written first; then the root's ``zarr.json`` is replaced, which says how
    many steps are finished: a rename, so a reader sees all of a step or nothing of it, whenever the run is killed.
    Nothing is synced to the medium: a process that is killed leaves what it wrote to the operating system, and only
    a crash of the machine may lose the last steps.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().absolute()  # who changes the folder later still finds it
        self.whole = False
        self._arrays: dict[str, dict[str, zarr.Array]] = {}
        self._contents: dict[str, list[str]] = {}
        self._lead: dict[str, int] = {}
        self._steps: list[Step] = []
        #: Where along ``step`` the finished ones lie. A running mean has one, which is written beside the one before.
        self._start, self._stop = 0, 0
        self._room = 1
        self._format = format_needed({}, running=True)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.mkdir()
            nothing = {VERSION: self._format, CONTENTS: {}, RUNNING: {"start": 0, "stop": 0, "coords": {}}}
            zarr.open_group(self.path, mode="a", zarr_format=3, attributes=nothing)
        except FileExistsError as error:
            msg = f"{str(path)!r} exists already. Choose another path for store=."
            raise SavedCaptureError(msg) from error
        except OSError as error:
            raise self._unwritable(error) from error

    def abandon(self) -> None:
        """Take the folder away: the capture did not begin."""
        shutil.rmtree(self.path, ignore_errors=True)

    # --- stores -------------------------------------------------------------------------------------------------

    def grid_store(
        self,
        kind: str,
        grid: tuple[int, int],
        sites: Sequence[Site],
        rows: int,
        tokens: int,
        dtype: np.dtype,
        steps: int,
        heads: int | None = None,
    ) -> GridStore:
        """Make a store of maps over tokens that keeps none of them in memory."""
        self._room = max(1, steps)
        return GridOnDisk(self._writer(kind, grid), kind, grid, sites, rows, tokens, dtype, heads)

    def self_store(
        self, grid: tuple[int, int], sites: Sequence[Site], first: Mapping[str, QueriesKeys], steps: int
    ) -> SelfStore:
        """Make a store of queries and keys that keeps none of them in memory."""
        self._room = max(1, steps)
        return SelfOnDisk(self._writer("self", grid), grid, sites, first)

    def _writer(self, kind: str, grid: tuple[int, int]) -> Callable[[str, np.ndarray], None]:
        name = f"/{kind}/{grid_name(*grid)}"

        def write(variable: str, rows: np.ndarray) -> None:
            with self._refusing():
                if self._next == self._room:
                    self._room *= 2
                    self._resize(self._room)
                array = self._arrays[name][variable]
                place = (*[slice(None)] * len(self._lead), self._next)
                array[place] = rows.reshape(*self._lead.values(), *rows.shape[1:])

        return write

    # --- steps --------------------------------------------------------------------------------------------------

    def begin(self, recording: Recording) -> None:
        """Make the arrays, with room for the steps that are expected."""
        with self._refusing():
            nodes = self._labels(recording)
            self._lead = leading_dims(recording)
            for name, node in nodes.items():
                group = zarr.open_group(self.path, path=name.strip("/"), mode="a", zarr_format=3)
                self._arrays[name] = {}
                for key, variable in node.data_vars.items():
                    self._arrays[name][str(key)] = self._create(group, str(key), kept(variable))
                self._describe(name, node)

    def _create(self, group: zarr.Group, name: str, variable: xr.Variable) -> zarr.Array:
        lengths = dict(zip(variable.dims, variable.shape, strict=True)) | {"step": self._room}
        return group.create_array(
            name=name,
            shape=tuple(lengths.values()),
            chunks=chunks_of_a_step(variable),
            dtype=variable.dtype,
            compressors=[compressor()],
            dimension_names=[str(dim) for dim in variable.dims],
            fill_value=float("nan") if variable.dtype.kind == "f" else 0,
            config={"write_empty_chunks": True},
        )

    def step_finished(self, recording: Recording) -> None:
        """Say that one more step is whole."""
        with self._refusing():
            stop = self._next + 1
            start = stop - len(recording.steps)
            self._commit(recording.attrs, recording.steps, start, stop)
            self._steps, self._start, self._stop = list(recording.steps), start, stop

    @property
    def _next(self) -> int:
        """Where along ``step`` the next one is written: never over what is finished."""
        return 0 if self._start else self._stop

    def run_finished(self, recording: Recording) -> None:
        """Make it what `Capture.save` would have written; take the folder away where there is nothing to keep."""
        if not self._steps:
            self.abandon()
            return
        with self._refusing():
            if self._start:
                self._move_to_front(recording)
            self._resize(len(self._steps))
            self._sweep()
            nodes = self._labels(recording)
            for name, node in nodes.items():
                self._describe(name, node)
            for name, node in _beside(recording).items():
                write_node(node, self.path, name)
                self._contents[name] = names(node)
            whole = {**recording.attrs, VERSION: format_needed(nodes), CONTENTS: self._contents}
            self._edit(self.path, lambda content: content.update(attributes=whole))
            self.whole = True

    def _move_to_front(self, recording: Recording) -> None:
        every = [slice(None)] * len(self._lead)
        for arrays in self._arrays.values():
            for array in arrays.values():
                array[(*every, 0)] = array[(*every, self._start)]
        self._commit(recording.attrs, self._steps, 0, 1)
        self._start, self._stop = 0, 1

    def tree(self, recording: Recording) -> xr.DataTree:
        """Label what is on disk by now; nothing is read before it is asked for."""
        if not self._steps:
            msg = "Nothing has been captured yet: the first step is not finished."
            raise NothingCapturedError(msg)
        tree = read_tree(self.path, trusted=True)
        if not self.whole:
            tree.attrs = dict(recording.attrs)
            for name, node in _beside(recording).items():
                tree[name.strip("/")] = xr.DataTree(node)
        return tree

    # --- files --------------------------------------------------------------------------------------------------

    def _labels(self, recording: Recording) -> dict[str, xr.Dataset]:
        """The nodes without any step, as they are written."""
        tree = from_recording(replace(recording, steps=[], pictures=None, previews=None, measures=None))
        return {node.path: as_written(node.to_dataset()) for node in tree.subtree if node.data_vars}

    def _describe(self, name: str, node: xr.Dataset) -> None:
        """Write the attributes of a node and of its arrays."""
        steps = _step_coords(self._steps)
        coords = steps | described(node) | steps
        self._contents[name] = sorted({*map(str, node.data_vars), *coords})
        folder = self.path / name.strip("/")
        self._edit(folder, lambda content: content.update(attributes={**node.attrs, COORDS: coords}))
        for key, variable in node.data_vars.items():
            attrs = dict(variable.attrs)
            self._edit(folder / str(key), lambda content, attrs=attrs: content.update(attributes=attrs))

    def _commit(self, attrs: Mapping[str, Any], steps: Sequence[Step], start: int, stop: int) -> None:
        """Say which steps are whole, at once."""
        coords = _step_coords(steps)
        contents = {name: sorted({*held, *coords}) for name, held in self._contents.items()}
        running = {"start": start, "stop": stop, "coords": coords}
        attributes = {**attrs, VERSION: self._format, CONTENTS: contents, RUNNING: running}
        self._edit(self.path, lambda content: content.update(attributes=attributes))

    def _resize(self, steps: int) -> None:
        """Change how many steps the arrays have room for; chunks hold one, so none of them changes."""
        for name, arrays in self._arrays.items():
            for key, array in arrays.items():
                axis = dims_of(array).index("step")
                folder = self.path / name.strip("/") / key
                self._edit(folder, lambda content, axis=axis: content["shape"].__setitem__(axis, steps))
                arrays[key] = zarr.open_array(folder, mode="r+", zarr_format=3, config={"write_empty_chunks": True})

    def _sweep(self) -> None:
        """Take away what was written of a step that was not finished."""
        for name, arrays in self._arrays.items():
            for key, array in arrays.items():
                folder = self.path / name.strip("/") / key / "c"
                places = itertools.product(*map(range, array.cdata_shape))
                known = {folder.joinpath(*map(str, place)) for place in places}
                for path in folder.rglob("*"):
                    if path.is_file() and path not in known:
                        path.unlink()

    def _edit(self, folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
        """Replace metadata at once: who reads meanwhile sees the old or the new."""
        path, following = folder / "zarr.json", self.path / ".next"
        content = json.loads(path.read_text())
        change(content)
        following.write_text(json.dumps(content, indent=2))
        following.replace(path)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, TypeError, ValueError) as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: Exception) -> SavedCaptureError:
        return SavedCaptureError(f"{str(self.path)!r} cannot be written: {error}.")


def _beside(recording: Recording) -> dict[str, xr.Dataset]:
    """What there is beside the maps: small, kept in memory, and written at the end."""
    nodes = {}
    if recording.measures is not None:
        nodes["/measures"] = measures(recording, recording.measures)
    if found := pictures(recording):
        nodes["/pictures"] = found
    return nodes


def _step_coords(steps: Sequence[Step]) -> dict[str, Any]:
    return {name: to_json(xr.Variable(*coord)) for name, coord in step_coords(steps).items()}
