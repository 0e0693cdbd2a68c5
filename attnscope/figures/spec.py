"""One description of a figure, which plotly and matplotlib draw alike. Lengths: points, from the top left."""

from __future__ import annotations

import base64
import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from attnscope.figures.colours import ColourMap, Diverging, Transform, mix, paint, paint_categories, position
from attnscope.figures.numbers import figure

if TYPE_CHECKING:
    from attnscope.figures.view import View

__all__ = ["Bar", "Bars", "Box", "ColourBar", "FigureSpec", "Hue", "Line", "Map", "Panel", "Swatch", "Text"]


# XML has no place for these, not even escaped: an SVG with one of them is no SVG.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    r"""Replace characters that no file format can carry, as prompts may hold them.

    Examples
    --------
    >>> printable("a\x00 star") == "a\ufffd star"
    True
    """
    return _NOT_XML.sub("\ufffd", text)


@dataclass(frozen=True)
class Box:
    """A place on the page."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Map:
    """Values on a grid, and how they are coloured.

    Parameters
    ----------
    values
        ``(row, column)``: attention, or for categories the index of the strongest one (-1 where not a number).
    lo, hi
        Limits of the colours.
    transform, cmap
        How colours run between them.
    categories
        Name and colour of each category; empty for attention.
    hues
        Several words, each in a colour of its own; ``values`` is then their sum.
    opacity
        Over the picture.
    mask
        The picture is darkened where the map is low, in place of colours.
    smooth
        Shown with bilinear smoothing; the values stay what they are.
    times
        What numbers are multiplied by when they are written: the number of positions, for multiples of chance.
    """

    values: np.ndarray
    lo: float = 0.0
    hi: float = 1.0
    transform: Transform = "linear"
    cmap: ColourMap | Diverging = "viridis"
    categories: tuple[Swatch, ...] = ()
    hues: tuple[Hue, ...] = ()
    opacity: float = 1.0
    mask: bool = False
    smooth: bool = False
    times: int = 1

    @property
    def constant(self) -> float | None:
        """The value of every cell, where all are equal: a map without a shape."""
        if self.categories or self.hues or self.values.size < 2 or not np.isfinite(self.values).all():
            return None
        first = float(self.values.flat[0])
        return first if (self.values == self.values.flat[0]).all() else None

    def number(self, value: float) -> str:
        """Write one of its values."""
        return figure(value * self.times)

    def places(self) -> np.ndarray:
        """Where each cell lies along the colours, in [0, 1]; of hues the highest; NaN where not a number."""
        if self.hues:
            return np.max([hue.places(self.lo, self.transform) for hue in self.hues], axis=0)
        return _places(self.values, self.lo, self.hi, self.transform)

    def rgba(self) -> np.ndarray:
        """Colours of the cells, ``(row, column, 4)`` uint8, the last how opaque they are over the picture."""
        opaque: np.ndarray | float = 1.0
        if self.categories:
            rgb = paint_categories(self.values.astype(int), tuple(swatch.rgb for swatch in self.categories))
        elif self.hues:
            places = np.stack([hue.places(self.lo, self.transform) for hue in self.hues], axis=-1)
            rgb, opaque = mix(places, tuple(hue.rgb for hue in self.hues))
        else:
            places = self.places()
            rgb = paint(places, self.cmap, flat=self.constant is not None)
            if self.mask:
                seen = np.isfinite(places)
                rgb[seen] = 0
                opaque = np.where(seen, 1 - places, 1.0)
        alpha = np.broadcast_to(np.rint(255 * self.opacity * np.asarray(opaque)), rgb.shape[:2]).astype(np.uint8)
        return np.concatenate([rgb, alpha[..., None]], axis=-1)


@dataclass(frozen=True)
class Hue:
    """One of several words that share a map."""

    label: str
    rgb: tuple[int, int, int]
    values: np.ndarray
    hi: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", printable(self.label))

    def places(self, lo: float, transform: Transform) -> np.ndarray:
        """Where each cell lies on the word's own scale, in [0, 1]; NaN where not a number."""
        return _places(self.values, lo, self.hi, transform)


def _places(values: np.ndarray, lo: float, hi: float, transform: Transform) -> np.ndarray:
    seen = np.isfinite(values)
    placed = np.full(values.shape, np.nan)
    placed[seen] = position(values[seen], lo, hi, transform)
    return placed


@dataclass(frozen=True)
class Line:
    """A line over a panel, through points in [0, 1], the first along x."""

    points: tuple[tuple[float, float], ...]
    colour: str


@dataclass(frozen=True)
class Panel:
    """A picture, a map, or a map over a picture; with what is marked on it, in [0, 1], ``u`` along x.

    Parameters
    ----------
    box
        Where.
    title, note
        Above it, on the left and on the right.
    picture
        Index of the picture's file.
    map
        Over the picture.
    point, region
        A pinned point ``(u, v)`` and a box ``(u0, v0, u1, v1)``.
    lines
        Such as the outline of half of the mass.
    """

    box: Box
    title: str = ""
    note: str = ""
    picture: int | None = None
    map: Map | None = None
    point: tuple[float, float] | None = None
    region: tuple[float, float, float, float] | None = None
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class ColourBar:
    """Colours and the numbers they stand for; a ``(place in [0, 1], text)`` for each tick."""

    box: Box
    cmap: ColourMap | Diverging
    ticks: tuple[tuple[float, str], ...]
    label: str


@dataclass(frozen=True)
class Bar:
    """One token and its attention."""

    label: str
    value: float
    chosen: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", printable(self.label))

    @property
    def number(self) -> str:
        """The value in words."""
        return figure(self.value)


@dataclass(frozen=True)
class Bars:
    """Attention of several tokens, side by side."""

    box: Box
    title: str
    bars: tuple[Bar, ...]
    label_width: float


@dataclass(frozen=True)
class Swatch:
    """A colour and what it stands for."""

    label: str
    rgb: tuple[int, int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", printable(self.label))


@dataclass(frozen=True)
class Text:
    """A line of text; ``y`` is its baseline."""

    x: float
    y: float
    text: str
    size: float = 7.0
    anchor: Literal["left", "center", "right"] = "left"
    colour: str = "#1a1a1a"
    bold: bool = False
    rgb: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", printable(self.text))


@dataclass(frozen=True)
class FigureSpec:
    """A figure.

    Parameters
    ----------
    width, height
        Of the page.
    view
        What it shows.
    caption
        The legend sentence.
    panels, colour_bars, bars, texts
        What is drawn. Texts hold the caption too, line by line.
    pictures
        PNG files that panels refer to by index.
    """

    width: float
    height: float
    view: View
    caption: str
    panels: tuple[Panel, ...] = ()
    colour_bars: tuple[ColourBar, ...] = ()
    bars: tuple[Bars, ...] = ()
    texts: tuple[Text, ...] = ()
    pictures: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "caption", printable(self.caption))

    def to_json(self) -> dict[str, Any]:
        """Make JSON of it: arrays as nested lists (NaN as null), pictures as base64."""
        return _plain(self)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return [_plain(row) for row in value.tolist()]
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return None if isinstance(value, float) and not np.isfinite(value) else value
