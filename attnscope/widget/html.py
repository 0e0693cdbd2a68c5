"""One self-contained HTML file: the front-end, the state and the data, and no network."""

from __future__ import annotations

import base64
import gzip
import html
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnscope.errors import ExportError, FrontEndError
from attnscope.widget.contents import GZIP_LEVEL, choose
from attnscope.widget.first import first_look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from attnscope.widget.contents import Contents
    from attnscope.widget.packets import Packets
    from attnscope.widget.protocol import Manifest, Section

__all__ = ["LIMIT_BYTES", "script_json", "write_html"]

#: Larger files are refused unless they are forced: browsers and mail choke on them.
LIMIT_BYTES = 50_000_000
_STATIC = Path(__file__).parent.parent / "static"
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
html {{ color-scheme: light dark; background: Canvas; }}
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
    pictures: Mapping[str, bytes],
    state: Mapping[str, Any],
    *,
    layers: Sequence[str] | str | None = None,
    steps: Sequence[int] | int | None = None,
    kinds: Sequence[str] | str | None = None,
    tokens: Sequence[str | int] | str | int | None = None,
    dtype: str = "uint8",
    force: bool = False,
) -> Path:
    """Write a scope as one file; see `Scope.to_html`.

    Parameters
    ----------
    path
        The file.
    packets, manifest
        The capture, and what it holds.
    pictures
        Those of the first and the second capture, by the name of their trait.
    state
        The traits to open with.
    layers, steps, kinds, tokens
        What is included; everything where it is not given.
    dtype
        How maps travel.
    force
        Write a file over the limit too.
    """
    path = Path(path)
    style, script = _front_end()
    every, state = choose(packets, manifest, state, layers=layers, steps=steps, kinds=kinds, tokens=tokens, dtype=dtype)
    chosen = every[0]
    first, first_buffer = first_look(chosen.packets, state, dtype)
    traits = {**state, "_manifest": chosen.manifest, "_first": first}
    size = len(style) + len(script) + len(script_json(traits)) + len(_PAGE)
    size += (len(first_buffer) + sum(map(len, pictures.values()))) * 4 // 3
    estimates = [contents.estimate() for contents in every]
    size += sum(one for one, _ in estimates)
    print(f"{path.name}: about {size / 1e6:.1f} MB ({_described(every, estimates[0][1])})")
    if size > LIMIT_BYTES and not force:
        raise ExportError(_too_large(path, size, chosen))
    items: dict[str, list[Section]] = {}
    buffer = bytearray()
    for contents in every:
        for item in contents.items():
            items[item["id"]], data = contents.pack(item, start=len(buffer))
            buffer += data
    buffers = {}
    for name, data in ({"_picture": b"", **pictures} | {"_first_buffer": first_buffer}).items():
        buffers[name] = [len(buffer), len(data)]
        buffer += data
    page = _PAGE.format(
        policy=_POLICY,
        title=html.escape("attnscope: " + " ".join(manifest["title"].split())),
        style=style,
        script=script,
        traits=script_json(traits),
        index=script_json({"buffers": buffers, "items": items}),
        data=base64.b64encode(gzip.compress(bytes(buffer), GZIP_LEVEL, mtime=0)).decode(),
    )
    return _write(path, page)


def _described(every: Sequence[Contents], sampled: int) -> str:
    chosen = every[0]
    labels = {entry["layer"] for entry in chosen.manifest["layers"]}
    parts = [
        f"{len(chosen.steps)} steps",
        f"single heads of {len(labels & set(chosen.layers))} of {len(labels)} layers",
        *([_rows(chosen)] if "self" in chosen.manifest["kinds"] else []),
        *(["the second capture"] if len(every) > 1 else []),
        "8-bit maps" if chosen.dtype == "uint8" else "16-bit maps",
    ]
    return f"{', '.join(parts)}; estimated by compressing {sampled} of the steps"


def _rows(chosen: Contents) -> str:
    labels = {entry["layer"] for entry in chosen.manifest["layers"] if entry["kind"] == "self"}
    there = len(labels & set(chosen.rows))
    more = "" if there == len(labels) else " (more by layers=)"
    return f"self-attention with queries and keys of {there} of {len(labels)} layers{more}"


def _too_large(path: Path, size: int, chosen: Contents) -> str:
    # The share of the steps that would fit, as a stride.
    stride = -(-size // LIMIT_BYTES)
    without = " kinds='cross'," if chosen.manifest["kinds"] == ["cross", "self"] else ""
    return (
        f"{path.name} would take about {size / 1e6:.0f} MB, more than {LIMIT_BYTES / 1e6:.0f} MB. Include less, "
        f"such as{without} steps={chosen.steps[::stride]} or layers={chosen.layers[:1]}, or write it with force=True."
    )


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
