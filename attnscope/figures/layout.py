"""Arithmetic of the page: how wide text is, where tiles go, which numbers stand beside the colours."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING

from attnscope.figures.colours import LOG_FLOOR, Transform, position, value_at
from attnscope.figures.numbers import figure
from attnscope.figures.spec import Box, Swatch, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MARGIN", "MUTED", "PAGE", "caption", "clip", "legend_row", "text_width", "ticks", "tiles", "wrap"]

#: Width of the page: two columns of a paper.
PAGE = 504.0
MARGIN = 10.0
MUTED = "#5f6368"

_NARROW = set("iIjl.,:;|!'‘’()[]{}/ ftr-·\"")
_WIDE = set("mwMW@%—…⟨⟩")


def text_width(text: str, size: float) -> float:
    """Estimate the width of a line, on the safe side for the usual sans-serif faces.

    Examples
    --------
    >>> text_width("attention", 10) < text_width("ATTENTION", 10)
    True
    """
    width = 0.0
    for character in text:
        if unicodedata.east_asian_width(character) in "WF":
            width += 1.0
        elif character in _NARROW:
            width += 0.36
        elif character in _WIDE:
            width += 0.92
        elif character.isupper():
            width += 0.72
        else:
            width += 0.57
    return width * size


def clip(text: str, size: float, room: float) -> str:
    """Shorten a line to what fits, with an ellipsis.

    Examples
    --------
    >>> clip("a very long word", 10, 40)
    'a ver…'
    """
    text = " ".join(text.split())
    if text_width(text, size) <= room:
        return text
    while text and text_width(text + "…", size) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def wrap(text: str, size: float, room: float) -> list[str]:
    """Break text into lines; a word longer than a line is broken too."""
    lines: list[str] = [""]
    for word in text.split():
        pieces = [word]
        while text_width(pieces[-1], size) > room and len(pieces[-1]) > 1:
            rest = pieces.pop()
            cut = next(n for n in range(len(rest) - 1, 0, -1) if n == 1 or text_width(rest[:n], size) <= room)
            pieces += [rest[:cut], rest[cut:]]
        for piece in pieces:
            joined = f"{lines[-1]} {piece}".strip()
            if text_width(joined, size) <= room:
                lines[-1] = joined
            else:
                lines.append(piece)
    return [line for line in lines if line]


def caption(text: str, y: float, width: float = PAGE) -> tuple[list[Text], float]:
    """Set the caption; also gives where the page ends."""
    size, leading = 6.8, 9.2
    lines = wrap(text, size, width - 2 * MARGIN)
    texts = [Text(MARGIN, y + leading * (1 + index), line, size, colour="#333333") for index, line in enumerate(lines)]
    return texts, y + leading * len(lines) + MARGIN


def tiles(count: int, area: Box, aspect: float, above: float, gap: float = 6.0) -> list[Box]:
    """Lay equal tiles row by row into an area, as large as they fit.

    Parameters
    ----------
    count
        How many.
    area
        Where.
    aspect
        Width by height of a tile.
    above
        Room over each for its title.
    gap
        Between tiles.
    """
    best = 0.0, 1
    for columns in range(1, count + 1):
        rows = -(-count // columns)
        across = (area.width - gap * (columns - 1)) / columns
        down = ((area.height - gap * (rows - 1)) / rows - above) * aspect
        best = max(best, (min(across, down), columns))
    width, columns = best
    height = width / aspect
    places = [divmod(index, columns) for index in range(count)]
    return [
        Box(area.x + column * (width + gap), area.y + above + row * (height + above + gap), width, height)
        for row, column in places
    ]


def ticks(lo: float, hi: float, transform: Transform) -> tuple[tuple[float, str], ...]:
    """Numbers beside the colours: round ones, and both ends.

    Examples
    --------
    >>> ticks(0, 0.31, "linear")
    ((0.0, '0'), (0.32258064516129037, '0.1'), (0.6451612903225807, '0.2'), (1.0, '0.31'))
    """
    if hi <= lo:
        return ((0.0, figure(lo)),)
    if transform == "log":
        inside = [10.0**exponent for exponent in range(-3, 1) if LOG_FLOOR < 10.0**exponent < hi]
    elif transform == "sqrt":
        inside = [value_at(place, lo, hi, transform) for place in (0.25, 0.5, 0.75)]
    else:
        rough = (hi - lo) / 4
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough * 0.999)
        inside = [step * count for count in range(1, 5) if step * count < hi]
    placed = [(float(position(value, lo, hi, transform)), figure(value)) for value in inside]
    # A number too close to an end would lie on its neighbour.
    return ((0.0, figure(lo)), *(tick for tick in placed if 0.09 < tick[0] < 0.91), (1.0, figure(hi)))


def legend_row(swatches: Sequence[Swatch], x: float, y: float, room: float) -> tuple[list[Text], float]:
    """Lay names with their colours in rows; also gives the last baseline."""
    size, texts, at = 6.8, [], x
    for swatch in swatches:
        label = clip(swatch.label, size, room - 10)
        width = text_width(label, size) + 18
        if at > x and at + width > x + room:
            at, y = x, y + 10
        texts.append(Text(at, y, label, size, rgb=swatch.rgb))
        at += width
    return texts, y
