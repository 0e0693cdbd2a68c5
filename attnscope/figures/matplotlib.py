"""A figure spec drawn with matplotlib: png, svg and pdf, without a browser and without pyplot."""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

import numpy as np

from attnscope.errors import ExportError
from attnscope.figures.colours import hexadecimal, lut
from attnscope.figures.layout import MUTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from attnscope.figures.spec import Bars, Box, ColourBar, FigureSpec, Panel, Text

__all__ = ["SUFFIXES", "draw", "png", "save", "suffix"]

SUFFIXES = (".png", ".svg", ".pdf")
_HAIR = 0.4
_EDGE = "#9aa0a6"
# matplotlib's settings belong to the whole process: nobody else may draw between setting and resetting them.
_SETTINGS = RLock()


def suffix(path: str | Path) -> str:
    """Read the format from a file name.

    Raises
    ------
    ExportError
        If it is not one of three.
    """
    found = Path(path).suffix.lower()
    if found not in SUFFIXES:
        msg = f"Cannot save a figure as {Path(path).name!r}: the suffix must be one of {', '.join(SUFFIXES)}."
        raise ExportError(msg)
    return found


def save(spec: FigureSpec, path: str | Path, *, scale: float = 2.0) -> Path:
    """Write a figure; the format follows from the suffix."""
    path = Path(path)
    data = _file(spec, suffix(path).removeprefix("."), 100 * scale)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def png(spec: FigureSpec, *, scale: float = 1.5) -> bytes:
    """Draw a figure as PNG: ``100 * scale`` pixels an inch."""
    return _file(spec, "png", 100 * scale)


def _file(spec: FigureSpec, kind: str, dpi: float) -> bytes:
    # Without dates and random ids the same figure gives the same bytes.
    facts: dict[str, dict[str, Any]] = {
        "png": {"Software": "attnscope", "Description": spec.caption},
        "svg": {"Creator": "attnscope", "Description": spec.caption, "Date": None},
        "pdf": {"Creator": "attnscope", "Subject": spec.caption, "CreationDate": None},
    }
    buffer = io.BytesIO()
    with _settings(_all_text(spec)):
        _draw(spec).savefig(buffer, format=kind, dpi=dpi, metadata=facts[kind], facecolor="white")
    return buffer.getvalue()


def draw(spec: FigureSpec) -> Figure:
    """Draw a figure, to go on with in matplotlib.

    Returns
    -------
    matplotlib.figure.Figure
        It is not registered with pyplot.
    """
    with _settings(_all_text(spec)):
        return _draw(spec)


def _all_text(spec: FigureSpec) -> str:
    parts = [text.text for text in spec.texts] + [panel.title for panel in spec.panels]
    return "".join([*parts, *(bar.label for bars in spec.bars for bar in bars.bars)])


@contextmanager
def _settings(text: str) -> Iterator[None]:
    from matplotlib import rc_context

    settings: Any = {
        "font.family": _families(any(ord(character) > 0x2E7F for character in text)),
        # Prompts are text, and a dollar sign in one is a dollar sign.
        "text.usetex": False,
        "text.parse_math": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "attnscope",
        "pdf.fonttype": 42,
        # Each map stays an image of its own, with its own few pixels.
        "image.composite_image": False,
        "axes.unicode_minus": False,
    }
    with _SETTINGS, rc_context(settings), catch_warnings():
        # A glyph that no font here has is drawn as a box; that is no fault of the figure.
        simplefilter("ignore", UserWarning)
        yield


@cache
def _families(wide: bool) -> list[str]:
    from matplotlib.font_manager import fontManager

    have = {font.name for font in fontManager.ttflist}
    plain = [name for name in ("Helvetica", "Arial", "Liberation Sans") if name in have]
    names = (
        "Noto Sans CJK SC",
        "Noto Sans CJK JP",
        "Source Han Sans SC",
        "PingFang SC",
        "Microsoft YaHei",
        "WenQuanYi Zen Hei",
    )
    return [*plain[:1], "DejaVu Sans", *([name for name in names if name in have][:1] if wide else [])]


def _draw(spec: FigureSpec) -> Figure:
    from matplotlib.figure import Figure

    page = Figure(figsize=(spec.width / 72, spec.height / 72))
    pictures = [_decode(picture) for picture in spec.pictures]
    for panel in spec.panels:
        _panel(page, spec, panel, pictures)
    for colour_bar in spec.colour_bars:
        _colour_bar(page, spec, colour_bar)
    for bars in spec.bars:
        _bars(page, spec, bars)
    for text in spec.texts:
        _text(page, spec, text)
    return page


def _decode(picture: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def _axes(page: Figure, spec: FigureSpec, box: Box) -> Axes:
    place = (
        box.x / spec.width,
        1 - (box.y + box.height) / spec.height,
        box.width / spec.width,
        box.height / spec.height,
    )
    axes = page.add_axes(place)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(linewidth=_HAIR, edgecolor=_EDGE)
    return axes


def _write(page: Figure, spec: FigureSpec, x: float, y: float, text: str, size: float, **how: Any) -> None:
    page.text(x / spec.width, 1 - y / spec.height, text, fontsize=size, va="baseline", parse_math=False, **how)


def _text(page: Figure, spec: FigureSpec, text: Text) -> None:
    x = text.x
    if text.rgb is not None:
        _swatch(page, spec, x, text.y, text.rgb)
        x += 9
    weight = "bold" if text.bold else "normal"
    _write(page, spec, x, text.y, text.text, text.size, color=text.colour, ha=text.anchor, weight=weight)


def _swatch(page: Figure, spec: FigureSpec, x: float, y: float, rgb: tuple[int, int, int]) -> None:
    from matplotlib.patches import Rectangle

    corner = (x / spec.width, 1 - y / spec.height)
    size = (6 / spec.width, 6 / spec.height)
    page.add_artist(Rectangle(corner, *size, facecolor=hexadecimal(rgb), linewidth=0, transform=page.transFigure))


def _panel(page: Figure, spec: FigureSpec, panel: Panel, pictures: list[np.ndarray]) -> None:
    box = panel.box
    axes = _axes(page, spec, box)
    whole = (0.0, 1.0, 1.0, 0.0)
    if panel.picture is not None:
        axes.imshow(pictures[panel.picture], extent=whole, aspect="auto", interpolation="antialiased")
    if panel.map is not None and panel.map.opacity:
        how = "bilinear" if panel.map.smooth and not panel.map.categories else "none"
        axes.imshow(panel.map.rgba(), extent=whole, aspect="auto", interpolation=how)
    if panel.picture is None and panel.map is None:
        axes.set_facecolor("#f1f3f4")
    _marks(axes, panel)
    axes.set(xlim=(0, 1), ylim=(1, 0))
    small = box.width < 100
    _write(page, spec, box.x, box.y - 3, panel.title, 6 if small else 7, color="#1a1a1a")
    _write(page, spec, box.x + box.width, box.y - 3, panel.note, 6, color=MUTED, ha="right")


def _marks(axes: Axes, panel: Panel) -> None:
    for line in panel.lines:
        x, y = zip(*line.points, strict=True)
        # A dark edge keeps the line visible on any picture.
        for colour, width in (("black", 2.2), (line.colour, 1.1)):
            axes.plot(x, y, color=colour, linewidth=width, solid_joinstyle="round", solid_capstyle="round")
    if panel.region is not None:
        u0, v0, u1, v1 = panel.region
        for colour, width in (("white", 1.8), ("black", 0.7)):
            axes.plot([u0, u1, u1, u0, u0], [v0, v0, v1, v1, v0], color=colour, linewidth=width)
    if panel.point is not None:
        ring = {"markersize": 5, "markerfacecolor": "none", "clip_on": False}
        axes.plot(*panel.point, "o", markeredgecolor="white", markeredgewidth=1.6, **ring)
        axes.plot(*panel.point, "o", markeredgecolor="black", markeredgewidth=0.6, **ring)


def _colour_bar(page: Figure, spec: FigureSpec, bar: ColourBar) -> None:
    box = bar.box
    axes = _axes(page, spec, box)
    axes.imshow(lut(bar.cmap)[:, None], extent=(0, 1, 0, 1), aspect="auto", interpolation="none", origin="lower")
    axes.yaxis.tick_right()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_yticks([place for place, _ in bar.ticks], [text for _, text in bar.ticks], fontsize=6, color="#1a1a1a")
    axes.tick_params("y", length=2, width=_HAIR, pad=1.5, color=_EDGE)
    x, y = box.x + box.width + 28, box.y + box.height / 2
    page.text(
        x / spec.width,
        1 - y / spec.height,
        bar.label,
        fontsize=6.2,
        rotation=90,
        ha="center",
        va="center",
        color=MUTED,
        parse_math=False,
    )


def _bars(page: Figure, spec: FigureSpec, bars: Bars) -> None:
    box, left = bars.box, bars.label_width
    row = box.height / len(bars.bars)
    number = 26.0
    inner = type(box)(box.x + left, box.y, max(10.0, box.width - left - number), box.height)
    axes = _axes(page, spec, inner)
    for name in ("top", "right", "bottom"):
        axes.spines[name].set_visible(False)
    axes.patch.set_visible(False)
    values = np.nan_to_num([bar.value for bar in bars.bars])
    most = max(float(np.max(values)), 1e-12)
    for index, (bar, value) in enumerate(zip(bars.bars, values, strict=True)):
        axes.barh(index, value / most, height=0.62, color="#3b6fb6" if bar.chosen else "#b8c4d6", linewidth=0)
        y = box.y + (index + 0.5) * row + 2.3
        weight = "bold" if bar.chosen else "normal"
        _write(page, spec, box.x + left - 3, y, bar.label, 6.5, ha="right", color="#1a1a1a", weight=weight)
        end = inner.x + inner.width * value / most + 3
        _write(page, spec, end, y, bar.number, 6, color="#1a1a1a", weight=weight)
    axes.set(xlim=(0, 1), ylim=(len(bars.bars) - 0.5, -0.5))
    _write(page, spec, box.x, box.y - 3, bars.title, 7, color="#1a1a1a")
