"""The poster: a still picture of a capture, for where nothing can move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnscope.figures.colours import LOG_FLOOR
from attnscope.figures.layout import MARGIN, PAGE, caption, clip
from attnscope.figures.numbers import figure
from attnscope.figures.page import header, picture_files
from attnscope.figures.palette import Palette
from attnscope.figures.sentence import sentence
from attnscope.figures.shown import field, highest
from attnscope.figures.spec import Box, FigureSpec, Map, Panel
from attnscope.figures.view import View, any_array

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from attnscope.maps.capture import Capture

__all__ = ["poster", "poster_of_pixels", "poster_png"]

_MOST = 5
_GAP = 6.0


def poster(cap: Capture, view: View, values: np.ndarray | None = None) -> FigureSpec:
    """Describe a still picture: the picture, and the maps of the words that stand out most.

    Parameters
    ----------
    cap
        The capture.
    view
        Gives the step, the image, the branch and the colours; nothing else of it is looked at.
    values
        Mean over layers and heads, ``(row, column, token)``, where it is at hand on another grid than the finest.

    Returns
    -------
    FigureSpec
        One row of panels; every map is the mean over layers and heads, on its own scale.
    """
    where = {"step": view.step, "image": view.image, "branch": view.branch}
    transform = view.transform if view.transform in ("sqrt", "log") else "linear"
    view = View("unet", view.layer, **where, scale="own", transform=transform, cmap=view.cmap)
    values = field(cap, view) if values is None else values
    named = [(name, values[..., columns].sum(axis=-1)) for name, columns in _strongest(cap, values)]
    maps = [(name, _coloured(map_, view)) for name, map_ in named]
    names = [name for name, _ in maps]
    text = _sentence(cap, view, names, maps[0][1]) if maps else "No word of the prompt is known."
    return _row(cap, view, maps, text)


def poster_of_pixels(cap: Capture, view: View, received: Mapping[str, np.ndarray]) -> FigureSpec:
    """Describe a still picture of self-attention alone: the picture, and how much its pixels are looked at.

    Parameters
    ----------
    cap, view
        As for `poster`.
    received
        Sums of the columns, mean over heads, ``(row, column)`` by layer; of many some are shown, evenly spread.
    """
    places = np.unique(np.linspace(0, len(received) - 1, _MOST).round().astype(int))
    layers = [list(received)[place] for place in places]
    where = {"step": view.step, "image": view.image, "branch": view.branch}
    view = View("head", layers[0], **where, kind="self", scale="own", cmap=view.cmap)
    maps = [(layer, _coloured(received[layer], view)) for layer in layers]
    # Each layer says of itself what differs, and the first also what does not.
    words = [sentence(cap, view.at(layer=layer), shown) for layer, shown in maps]
    return _row(
        cap, view, maps, " ".join([words[0], *(f"{layer}: max {figure(shown.hi)}." for layer, shown in maps[1:])])
    )


def _coloured(values: np.ndarray, view: View) -> Map:
    floor = LOG_FLOOR if view.transform == "log" else 0.0
    return Map(values, floor, highest([values]), view.transform, view.cmap)


def _row(cap: Capture, view: View, maps: Sequence[tuple[str, Map]], text: str) -> FigureSpec:
    """Put the picture and some maps beside each other, with the caption below."""
    pictures = picture_files(cap, view)
    height, width = any_array(cap).attrs["size"]
    count = len(maps) + len(pictures)
    across = min((PAGE - 2 * MARGIN - _GAP * (count - 1)) / max(count, 1), 120.0)
    down = across * height / width
    texts, top = header(cap)
    panels = [Panel(Box(MARGIN, top, across, down), "picture", picture=0)] if pictures else []
    for place, (name, shown) in enumerate(maps, start=len(pictures)):
        box = Box(MARGIN + place * (across + _GAP), top, across, down)
        note = figure(shown.hi)
        title = clip(name, 7, across - 5 * len(note))
        panels.append(Panel(box, title, f"max {note}" if across > 90 else note, map=shown))
    lines, end = caption(text, top + down + 6)
    texts = [*texts, *lines]
    return FigureSpec(PAGE, end, view, text, tuple(panels), texts=tuple(texts), pictures=tuple(pictures))


def poster_png(spec: FigureSpec, limit: int = 150_000) -> bytes:
    """Draw a poster in at most ``limit`` bytes: notebooks carry it in every saved output."""
    from attnscope.figures import matplotlib, pillow

    if not pillow.can_write("".join([*(text.text for text in spec.texts), *(panel.title for panel in spec.panels)])):
        drawn = (matplotlib.png(spec, scale=scale) for scale in (1.5, 1.0, 0.75, 0.5))
        return next((data for data in drawn if len(data) <= limit), b"")
    data = b""
    # True colour first; 256 colours carry pictures well enough at this size.
    for scale, colours in ((1.5, None), (1.5, 256), (1.0, 256), (0.75, 128), (0.5, 64)):
        data = pillow.png(spec, scale=scale, colours=colours)
        if len(data) <= limit:
            break
    return data


def _strongest(cap: Capture, values: np.ndarray) -> list[tuple[str, list[int]]]:
    """Words by how far their map's peak stands out, in the order of the prompt: name and columns of each."""
    tokens = cap.tokens
    columns = Palette(tokens, {}).columns
    words: dict[int, list[int]] = {}
    for column in columns.tolist():
        number = int(tokens["word_index"].iloc[column])
        words.setdefault(number if number >= 0 else -1 - column, []).append(column)
    named = {word: str(tokens["word"].iloc[several[0]]) for word, several in words.items()}
    contrast = {word: _contrast(values[..., several].sum(axis=-1)) for word, several in words.items()}
    chosen: list[int] = []
    for word in sorted(contrast, key=lambda word: -contrast[word]):
        # A second "a" beside the first would say nothing.
        if named[word] not in [named[other] for other in chosen]:
            chosen.append(word)
    chosen = sorted(chosen[:_MOST], key=list(words).index)
    return [(named[word], words[word]) for word in chosen]


def _contrast(values: np.ndarray) -> float:
    return highest([values]) - float(np.nanmean(values)) if np.isfinite(values).any() else 0.0


def _sentence(cap: Capture, view: View, names: list[str], shown: Map) -> str:
    finest = max((tuple(node["attention"].attrs["grid"]) for node in cap.tree["cross"].children.values()), key=np.prod)
    text = sentence(cap, view, shown, reduced=None if finest == shown.values.shape else finest)
    quoted = ", ".join(f"‘{name}’" for name in names)
    marks = (
        "strongest prompt word of each pixel; bos, eos and padding left out",
        f"words {quoted}, each by itself; linear",
    )
    how = {"linear": "linear", "sqrt": "square root", "log": "log10 with floor 0.0001"}[view.transform]
    return text.replace(marks[0], marks[1].removesuffix("linear") + f"{how}, own scale of each map from 0")
