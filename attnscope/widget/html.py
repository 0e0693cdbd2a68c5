"""One self-contained HTML file: the front-end, the state and the data, and no network."""

from __future__ import annotations

import base64
import gzip
import html
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.errors import ExportError, FrontEndError, ViewError, choices
from attnscope.widget.encode import pack
from attnscope.widget.protocol import ATLAS_SIDE, Item, Section, make_item
from attnscope.widget.state import check

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from attnscope.widget.packets import Packets
    from attnscope.widget.protocol import Manifest

__all__ = ["LIMIT_BYTES", "script_json", "write_html"]

#: Larger files are refused unless they are forced: browsers and mail choke on them.
LIMIT_BYTES = 50_000_000
_STATIC = Path(__file__).parent.parent / "static"
#: Steps that are really encoded and compressed to estimate the size of all.
_SAMPLED_STEPS = 3
_GZIP_LEVEL = 6
# Nothing may be fetched, whatever a prompt manages to smuggle in; scripts and styles are those in the file.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
html, body {{ margin: 0; height: 100%; }}
{style}
</style>
</head>
<body>
<div id="attnscope"></div>
<noscript>This page shows attention maps with JavaScript, which is switched off here.</noscript>
<script type="module">
{script}
</script>
<script type="application/json" id="attnscope-traits">{traits}</script>
<script type="application/json" id="attnscope-index">{index}</script>
<script type="text/plain" id="attnscope-data">{data}</script>
</body>
</html>
"""


def write_html(
    path: str | Path,
    packets: Packets,
    manifest: Manifest,
    picture: bytes,
    state: Mapping[str, Any],
    *,
    layers: Sequence[str] | str | None = None,
    steps: Sequence[int] | int | None = None,
    force: bool = False,
) -> Path:
    """Write a scope as one file; see `Scope.to_html`.

    Parameters
    ----------
    path
        The file.
    packets, manifest, picture
        The capture, what it holds, and its pictures.
    state
        The traits to open with.
    layers, steps
        What is included; everything where it is not given.
    force
        Write a file over the limit too.
    """
    path = Path(path)
    style, script = _front_end()
    manifest, state, shown_layers = _subset(manifest, state, layers, steps)
    shown_steps = [entry["step"] for entry in manifest["steps"]]
    fixed = len(style) + len(script) + len(script_json({**state, "_manifest": manifest})) + len(_PAGE)
    size, sampled = _estimate(packets, manifest, picture, shown_steps, shown_layers)
    size += fixed
    print(
        f"{path.name}: about {size / 1e6:.1f} MB ({len(shown_steps)} steps, single heads of {len(shown_layers)} of "
        f"{len(manifest['layers'])} layers, 8-bit maps; estimated by compressing {sampled} of the steps)"
    )
    if size > LIMIT_BYTES and not force:
        # The share of the steps that would fit, as a stride.
        stride = -(-size // LIMIT_BYTES)
        msg = (
            f"{path.name} would take about {size / 1e6:.0f} MB, more than {LIMIT_BYTES / 1e6:.0f} MB. Include less, "
            f"such as steps={shown_steps[::stride]} or layers={shown_layers[:1]}, or write it with force=True."
        )
        raise ExportError(msg)
    items: dict[str, list[Section]] = {}
    buffer = bytearray()
    for item in _items(packets, manifest, shown_steps, shown_layers):
        items[item["id"]], data = pack(packets.parts(item, compact=True), start=len(buffer))
        buffer += data
    buffers = {"_picture": [len(buffer), len(picture)]}
    buffer += picture
    item = make_item("atlas", state["step"], state["image"], state["branch"])
    sections, first = pack(packets.parts(item, compact=True))
    buffers["_first_buffer"] = [len(buffer), len(first)]
    buffer += first
    put = {"type": "put", "gen": 0, "items": [{"id": item["id"], "sections": sections}]}
    page = _PAGE.format(
        policy=_POLICY,
        title=html.escape("attnscope: " + " ".join(manifest["title"].split())),
        style=style,
        script=script,
        traits=script_json({**state, "_manifest": manifest, "_first": put}),
        index=script_json({"buffers": buffers, "items": items}),
        data=base64.b64encode(gzip.compress(bytes(buffer), _GZIP_LEVEL, mtime=0)).decode(),
    )
    return _write(path, page)


def script_json(value: Any) -> str:
    r"""Write JSON that stays text inside a script element, whatever a prompt says.

    Examples
    --------
    >>> script_json("</script><!--")
    '"\\u003c/script\\u003e\\u003c!--"'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _front_end() -> tuple[str, str]:
    try:
        style = (_STATIC / "widget.css").read_text(encoding="utf-8")
        script = (_STATIC / "standalone.js").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        msg = (
            f"The front-end is not built: {error.filename} does not exist. In a checkout run `make` "
            "(or `npm ci && npm run build` in js/)."
        )
        raise FrontEndError(msg) from error
    # Both are our own, but a string in them must not end their element.
    return style.replace("</", "<\\/"), script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _subset(
    manifest: Manifest, state: Mapping[str, Any], layers: Sequence[str] | str | None, steps: Sequence[int] | int | None
) -> tuple[Manifest, dict[str, Any], list[str]]:
    every = [entry["step"] for entry in manifest["steps"]]
    wanted = every if steps is None else [steps] if isinstance(steps, (int, np.integer)) else list(steps)
    kept = {check("step", step, manifest) for step in wanted}
    labels = [entry["layer"] for entry in manifest["layers"]]
    named = labels if layers is None else [layers] if isinstance(layers, str) else list(layers)
    shown = {check("layer", label, manifest) for label in named}
    if not kept:
        msg = f"steps= names no step. {choices('', every)}"
        raise ViewError(msg)
    positions = [index for index, step in enumerate(every) if step in kept]
    part = manifest.copy()
    part["live"] = False  # nothing will come to a file
    part["steps"] = [manifest["steps"][index] for index in positions]
    part["mass"] = {layer: [rows[index] for index in positions] for layer, rows in manifest["mass"].items()}
    state = dict(state)
    if state["step"] not in kept:
        state["step"] = min(kept, key=lambda step: abs(step - state["step"]))
    if state["level"] != "unet" and state["layer"] not in shown:
        # The view cannot open on what the file does not hold.
        state["level"] = "unet"
    return part, state, [label for label in labels if label in shown]


def _items(packets: Packets, manifest: Manifest, steps: Iterable[int], layers: Iterable[str]) -> Iterator[Item]:
    steps, layers = list(steps), list(layers)
    images = range(len(manifest["images"]))
    for image in images:
        for branch in manifest["branches"]:
            for step in steps:
                # Where every head of every layer is there anyway, and no finer than an atlas, the page takes the mean.
                if layers != packets.layers or packets.finest_side > ATLAS_SIDE:
                    yield make_item("atlas", step, image, branch)
                yield from (make_item("layer", step, image, branch, layer) for layer in layers)
            # Of every layer, since the overview shows every layer, and they are small.
            yield from (make_item("range", None, image, branch, layer) for layer in packets.layers)
        if manifest["preview"] is not None:
            yield from (make_item("preview", step, image, manifest["branches"][0]) for step in steps)


def _estimate(
    packets: Packets, manifest: Manifest, picture: bytes, steps: list[int], layers: list[str]
) -> tuple[int, int]:
    """Bytes of index and data: of some steps really, of all in proportion."""
    places = np.unique(np.linspace(0, len(steps) - 1, _SAMPLED_STEPS).round().astype(int))
    sample = [steps[place] for place in places]
    bytes_of: dict[bool, int] = {True: 0, False: 0}
    for item in _items(packets, manifest, sample, layers):
        sections, data = pack(packets.parts(item, compact=True))
        size = len(gzip.compress(data, _GZIP_LEVEL)) * 4 / 3 + len(script_json(sections)) + len(item["id"]) + 4
        bytes_of[item["step"] is None] += int(size)
    total = bytes_of[True] + bytes_of[False] * len(steps) / len(sample) + len(picture) * 4 / 3
    return int(total), len(sample)


def _write(path: Path, page: str) -> Path:
    # Under another name first: who opens the file never finds half of it.
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_text(page, encoding="utf-8", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
