"""A figure spec drawn with Pillow: coarser than matplotlib, but there before matplotlib is even imported.

A notebook waits for the still picture before it shows the scope; this is what makes it.
"""

from __future__ import annotations

import io
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from attnscope.figures.layout import MUTED

if TYPE_CHECKING:
    from attnscope.figures.spec import FigureSpec, Panel

__all__ = ["can_write", "png"]

# matplotlib's own face runs wider than those that the layout reckons with.
_SHRINK = 0.9


def can_write(text: str) -> bool:
    """Whether the face at hand has what the text needs; it has no Chinese, Japanese or Korean, and no emoji."""
    return all(ord(character) < 0x2E80 for character in text)


def png(spec: FigureSpec, *, scale: float = 1.5, colours: int | None = None) -> bytes:
    """Draw the panels and texts of a figure.

    Parameters
    ----------
    spec
        The figure; colour bars and bars are left to matplotlib.
    scale
        Times 100 pixels an inch.
    colours
        Size of the palette; None for true colour.
    """
    zoom = 100 * scale / 72
    page = Image.new("RGB", (round(spec.width * zoom), round(spec.height * zoom)), "white")
    pen = ImageDraw.Draw(page)
    for panel in spec.panels:
        _panel(page, pen, spec, panel, zoom)
    for text in spec.texts:
        _write(pen, text.x, text.y, text.text, text.size, zoom, fill=text.colour, bold=text.bold)
    file = io.BytesIO()
    if colours is not None:
        page = page.quantize(colours, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    page.save(file, "PNG")
    return file.getvalue()


def _panel(page: Image.Image, pen: ImageDraw.ImageDraw, spec: FigureSpec, panel: Panel, zoom: float) -> None:
    box = panel.box
    left, top = round(box.x * zoom), round(box.y * zoom)
    size = round(box.width * zoom), round(box.height * zoom)
    if panel.picture is not None:
        picture = Image.open(io.BytesIO(spec.pictures[panel.picture])).convert("RGB")
        page.paste(picture.resize(size, Image.Resampling.LANCZOS), (left, top))
    if panel.map is not None:
        cells = Image.fromarray(np.ascontiguousarray(panel.map.rgba())).resize(size, Image.Resampling.NEAREST)
        page.paste(cells, (left, top), cells)
    pen.rectangle((left - 1, top - 1, left + size[0], top + size[1]), outline="#9aa0a6")
    _write(pen, box.x, box.y - 3, panel.title, 7, zoom, fill="#1a1a1a")
    _write(pen, box.x + box.width, box.y - 3, panel.note, 6, zoom, fill=MUTED, anchor="rs")


def _write(
    pen: ImageDraw.ImageDraw, x: float, y: float, text: str, size: float, zoom: float, *, bold: bool = False, **how: Any
) -> None:
    pen.text((x * zoom, y * zoom), text, font=_face(size * zoom * _SHRINK, bold), **{"anchor": "ls", **how})


@cache
def _face(size: float, bold: bool) -> Any:
    found = find_spec("matplotlib")
    for place in (found.submodule_search_locations or []) if found else []:
        file = Path(place) / "mpl-data" / "fonts" / "ttf" / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
        if file.is_file():
            return ImageFont.truetype(str(file), size)
    return ImageFont.load_default(size)
