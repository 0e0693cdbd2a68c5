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

__all__ = ["MARGIN", "MUTED", "PAGE", "caption", "clip", "joined", "legend_row", "text_width", "ticks", "tiles", "wrap"]

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
    return size * sum(map(_width, text))


def _width(character: str) -> float:
    if character in _NARROW:
        return 0.36
    if character in _WIDE:
        return 0.92
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    return 0.72 if character.isupper() else 0.57


def _fitting(text: str, size: float, room: float) -> int:
    """How many characters, from the first, fit."""
    used = 0.0
    for index, character in enumerate(text):
        used += size * _width(character)
        if used > room:
            return index
    return len(text)


def clip(text: str, size: float, room: float) -> str:
    """Shorten a line to what fits, with an ellipsis.

    Examples
    --------
    >>> clip("a very long word", 10, 40)
    'a very…'
    """
    text = " ".join(text.split())
    if _fitting(text, size, room) == len(text):
        return text
    return text[: _fitting(text, size, room - text_width("…", size))].rstrip() + "…"


def joined(parts: Sequence[str], size: float, room: float) -> str:
    """Join parts with dots, as many from the first as fit; the first is cut where not even that fits.

    Examples
    --------
    >>> joined(["a cat", "up.1.0", "mean of heads"], 10, 80)
    'a cat · up.1.0'
    """
    for count in range(len(parts), 1, -1):
        text = " · ".join(parts[:count])
        if text_width(text, size) <= room:
            return text
    return clip(parts[0], size, room)


def wrap(text: str, size: float, room: float) -> list[str]:
    """Break text into lines; a word longer than a line is broken too.

    Examples
    --------
    >>> wrap("a picture of incomprehensibilities", 10, 70)
    ['a picture of', 'incomprehens', 'ibilities']
    """
    lines: list[str] = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if _fitting(joined, size, room) == len(joined):
            lines[-1] = joined
            continue
        while word:
            cut = max(1, _fitting(word, size, room))
            lines.append(word[:cut])
            word = word[cut:]
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
    if transform == "rank":
        return ((0.0, "0"), (0.5, "0.5"), (1.0, "1"))
    if hi <= lo:
        return ((0.0, figure(lo)),)
    if transform == "log":
        inside = [10.0**exponent for exponent in range(-3, 6) if max(lo, LOG_FLOOR) < 10.0**exponent < hi]
    elif transform == "sqrt":
        inside = [value_at(place, lo, hi, transform) for place in (0.25, 0.5, 0.75)]
    else:
        rough = (hi - lo) / 4
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough * 0.999)
        first = math.ceil(lo / step)
        inside = [step * count for count in range(first, first + 6) if lo < step * count < hi]
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
