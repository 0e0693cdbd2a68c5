"""One description of a figure, which plotly and matplotlib draw alike. Lengths: points, from the top left."""

from __future__ import annotations

import base64
import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from attnscope.figures.colours import ColourMap, Transform, paint, paint_categories
from attnscope.figures.numbers import figure

if TYPE_CHECKING:
    from attnscope.figures.view import View

__all__ = ["Bar", "Bars", "Box", "ColourBar", "FigureSpec", "Map", "Panel", "Swatch", "Text"]


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
    opacity
        Over the picture.
    """

    values: np.ndarray
    lo: float = 0.0
    hi: float = 1.0
    transform: Transform = "linear"
    cmap: ColourMap = "viridis"
    categories: tuple[Swatch, ...] = ()
    opacity: float = 1.0

    @property
    def constant(self) -> float | None:
        """The value of every cell, where all are equal: a map without a shape."""
        if self.categories or self.values.size < 2 or not np.isfinite(self.values).all():
            return None
        first = float(self.values.flat[0])
        return first if (self.values == self.values.flat[0]).all() else None

    def rgb(self) -> np.ndarray:
        """Colours of the cells, ``(row, column, 3)`` uint8."""
        if self.categories:
            return paint_categories(self.values.astype(int), tuple(swatch.rgb for swatch in self.categories))
        return paint(self.values, self.lo, self.hi, self.transform, self.cmap, flat=self.constant is not None)


@dataclass(frozen=True)
class Panel:
    """A picture, a map, or a map over a picture."""

    box: Box
    title: str = ""
    note: str = ""
    picture: int | None = None
    map: Map | None = None
    point: tuple[float, float] | None = None


@dataclass(frozen=True)
class ColourBar:
    """Colours and the numbers they stand for; a ``(place in [0, 1], text)`` for each tick."""

    box: Box
    cmap: ColourMap
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
