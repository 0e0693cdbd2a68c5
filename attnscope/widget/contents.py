"""What goes into a file: which part of a capture, as which items, and how large that will be."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from attnscope.errors import AttnscopeError, ExportError, UnknownWordError, ViewError, choices
from attnscope.maps.words import word_positions
from attnscope.widget.encode import pack
from attnscope.widget.folding import Fold
from attnscope.widget.protocol import ATLAS_SIDE, make_item
from attnscope.widget.state import check, settle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from attnscope.widget.packets import Packets
    from attnscope.widget.protocol import Item, Manifest

__all__ = ["GZIP_LEVEL", "Contents", "choose"]

GZIP_LEVEL = 6
#: Steps that are really encoded and compressed to estimate the size of all.
_SAMPLED_STEPS = 3
_DTYPES = ("uint8", "float16")


@dataclass(frozen=True)
class Contents:
    """What a file holds of one capture.

    Parameters
    ----------
    packets, manifest
        Its reader, and what of it is in the file.
    layers, rows
        Labels of those whose single heads are, and of those whose queries and keys are: these are far larger.
    dtype
        How maps travel.
    capture
        1 for the second one.
    """

    packets: Packets
    manifest: Manifest
    layers: list[str]
    rows: list[str]
    dtype: str
    capture: int = 0

    @property
    def steps(self) -> list[int]:
        """Labels of the steps."""
        return [entry["step"] for entry in self.manifest["steps"]]

    def of_run(self) -> Iterator[Item]:
        """Items that are of no single step."""
        for image, branch in self._rows():
            # Of every layer, since the overview shows every layer, and they are small.
            if "cross" in self.manifest["kinds"]:
                yield from (self._item("range", None, image, branch, one) for one in self.packets.layers("cross"))
            if self.manifest["anatomy"]:
                labels = dict.fromkeys(entry["layer"] for entry in self.manifest["layers"])
                yield from (self._item("anatomy", None, image, branch, one) for one in labels)

    def of_step(self, step: int) -> Iterator[Item]:
        """Items of one step."""
        kinds = self.manifest["kinds"]
        for image, branch in self._rows():
            if "cross" in kinds:
                cross = self.packets.cross
                chosen = [layer for layer in cross.layers if layer in self.layers]
                # Where every head of every layer is there anyway, and no finer than an atlas, the page takes the mean.
                if chosen != cross.layers or cross.finest_side > ATLAS_SIDE:
                    yield self._item("atlas", step, image, branch)
                yield from (self._item("layer", step, image, branch, layer) for layer in chosen)
                yield self._item("heads", step, image, branch)
            if "self" in kinds:
                pixels = self.packets.pixels
                yield from (self._item("received", step, image, branch, layer) for layer in pixels.layers)
                for layer in pixels.layers:
                    heads = range(pixels.heads(layer) if layer in self.rows else 0)
                    yield from (self._item("qk", step, image, branch, layer, part=head) for head in heads)
        if self.manifest["preview"] is not None:
            branch = self.manifest["branches"][0]
            yield from (self._item("preview", step, image, branch) for image in range(len(self.manifest["images"])))

    def items(self) -> Iterator[Item]:
        """All of them."""
        for step in self.steps:
            yield from self.of_step(step)
        yield from self.of_run()

    def pack(self, item: Item, start: int = 0) -> tuple[list[Any], bytes]:
        """Write one item."""
        return pack(self.packets.parts({**item, "capture": 0}, dtype=self.dtype), start=start)

    def estimate(self) -> tuple[int, int]:
        """Bytes of index and data, and from how many steps that is known: of all in proportion to those."""
        places = np.unique(np.linspace(0, len(self.steps) - 1, _SAMPLED_STEPS).round().astype(int))
        size = self._size(list(self.of_run()))
        for place in places:
            size += self._size(list(self.of_step(self.steps[place]))) * len(self.steps) / len(places)
        return int(size), len(places)

    def _size(self, items: list[Item]) -> float:
        packed = [(item["id"], *self.pack(item)) for item in items]
        index = sum(len(str(sections)) + len(name) for name, sections, _ in packed)
        data = b"".join(data for _, _, data in packed)
        return len(gzip.compress(data, GZIP_LEVEL)) * 4 / 3 + index

    def _rows(self) -> Iterator[tuple[int, str]]:
        for image in range(len(self.manifest["images"])):
            yield from ((image, branch) for branch in self.manifest["branches"])

    def _item(self, *at: Any, part: int | None = None) -> Item:
        return make_item(*at, part=part, capture=self.capture)


def choose(
    packets: Packets,
    manifest: Manifest,
    state: Mapping[str, Any],
    *,
    layers: Sequence[str] | str | None = None,
    steps: Sequence[int] | int | None = None,
    kinds: Sequence[str] | str | None = None,
    tokens: Sequence[str | int] | str | int | None = None,
    dtype: str = "uint8",
) -> tuple[list[Contents], dict[str, Any]]:
    """Choose what goes into a file; `Scope.to_html` says what may be chosen.

    Returns
    -------
    list of Contents, dict
        Of the first capture, and of the second where there is one. Then the state that the file opens with, on what it
        holds.

    Raises
    ------
    AttnscopeError
        If something is named that was not captured.
    """
    if dtype not in _DTYPES:
        msg = f"dtype={dtype!r} is unknown. {choices(dtype, _DTYPES)}"
        raise ExportError(msg)
    wanted, words = _several(kinds, str), _several(tokens, (str, int, np.integer))
    part = _of_kinds(manifest, wanted)
    named, labels = _several(layers, str), list(dict.fromkeys(entry["layer"] for entry in part["layers"]))
    for label in named or []:
        if label not in labels:
            check("layer", label, part, {"kind": part["kinds"][0]})
    asked = _several(steps, (int, np.integer))
    kept = None if asked is None else {check("step", step, manifest, {}) for step in asked}
    if kept is not None and not kept:
        msg = f"steps= names no step. {choices('', [entry['step'] for entry in manifest['steps']])}"
        raise ViewError(msg)
    keep = None if words is None else _positions(manifest, words)
    # Queries and keys of all layers are many times what all the rest takes: they are asked for by name.
    rows = named or ([state["layer"]] if named is None and state["kind"] == "self" else [])
    first = _part(packets, part, (labels if named is None else named, rows), kept, keep, dtype)
    second = _second(first, wanted, words)
    first.manifest["other"] = None if second is None else second.manifest
    return [first] if second is None else [first, second], _opened(state, first)


def _second(first: Contents, kinds: list[Any] | None, words: list[Any] | None) -> Contents | None:
    """The same of the second capture, as far as it has it; None where there is none, or nothing of it is left."""
    packets, manifest = first.packets.other, first.manifest["other"]
    if packets is None or manifest is None:
        return None
    there = [kind for kind in manifest["kinds"] if kinds is None or kind in kinds]
    if not there:
        return None
    steps = set(first.steps) & {entry["step"] for entry in manifest["steps"]}
    keep = None if words is None else _positions(manifest, words, strict=False)
    second = _part(packets, _of_kinds(manifest, there), (first.layers, first.rows), steps or None, keep, first.dtype)
    return replace(second, capture=1)


def _of_kinds(manifest: Manifest, kinds: Sequence[str] | None) -> Manifest:
    part = manifest.copy()
    part["kinds"] = [kind for kind in manifest["kinds"] if kinds is None or kind in kinds]
    unknown = [kind for kind in kinds or [] if kind not in manifest["kinds"]]
    if unknown or not part["kinds"]:
        msg = f"kinds={kinds!r} was not captured. {choices(next(iter(unknown), ''), manifest['kinds'])}"
        raise ViewError(msg)
    part["layers"] = [entry for entry in manifest["layers"] if entry["kind"] in part["kinds"]]
    return part


def _part(
    packets: Packets,
    part: Manifest,
    layers: tuple[Sequence[str], Sequence[str]],
    kept: set[int] | None,
    keep: set[int] | None,
    dtype: str,
) -> Contents:
    places = [place for place, entry in enumerate(part["steps"]) if kept is None or entry["step"] in kept]
    part["live"], part["parts"] = False, True  # nothing will come to a file
    part["steps"] = [part["steps"][place] for place in places]
    mass = part["mass"] if "cross" in part["kinds"] else {}
    part["mass"] = {layer: [rows[place] for place in places] for layer, rows in mass.items()}
    if keep is not None and "cross" in part["kinds"]:
        fold = Fold(part["tokens"], keep)
        packets = packets.folded(fold)
        part["tokens"] = fold.entries
        part["mass"] = {layer: [fold.row(row) for row in rows] for layer, rows in part["mass"].items()}
        if fold.left_out:
            left = ", ".join(fold.left_out)
            part["note"] = f"This file has no columns of their own for {left}: they are summed into the padding."
    if part["anatomy"]:
        try:
            packets.anatomy(part["layers"][0]["layer"], 0, part["branches"][0])
        except AttnscopeError as error:
            print(f"The file goes without the anatomy: {error}")
            part["anatomy"] = False
    heads, rows = layers
    return Contents(packets, part, list(heads), list(rows), dtype)


def _opened(state: Mapping[str, Any], contents: Contents) -> dict[str, Any]:
    """The state, on what the file holds; the view cannot open on what it does not."""
    full, part = dict(state), contents.manifest
    if full["step"] not in contents.steps:
        full["step"] = min(contents.steps, key=lambda step: abs(step - full["step"]))
    full["pins"] = [pin for pin in full["pins"] if _can_be(pin, part)]
    if left := len(state["pins"]) - len(full["pins"]):
        print(f"{left} of the {len(state['pins'])} pins show what the file does not hold, and are left out.")
    full, _ = settle(full, part)
    if full["level"] not in ("unet", "block") and full["layer"] not in contents.layers:
        full["level"] = "unet"
    return full


def _can_be(pin: dict[str, Any], part: Manifest) -> bool:
    try:
        check("pins", [pin], part, {"kind": part["kinds"][0]})
    except AttnscopeError:
        return False
    return True


def _positions(manifest: Manifest, named: Sequence[str | int], *, strict: bool = True) -> set[int]:
    """Positions of words, at every occurrence, and of columns."""
    table = pd.DataFrame(manifest["tokens"]).rename(columns={"text": "token_text"})
    found: set[int] = set()
    for one in named:
        try:
            if isinstance(one, str) and manifest["tokens"]:
                found.update(word_positions(table, one))
            else:
                found.add(check("token", one, manifest, {}))
        except UnknownWordError:
            if strict:
                raise
    return found


def _several(value: Any, single: Any) -> list[Any] | None:
    return None if value is None else [value] if isinstance(value, single) else list(value)
