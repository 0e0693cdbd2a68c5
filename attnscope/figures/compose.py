"""From a capture and a view to a figure: which panels, where, and what stands beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnscope.figures.bars import token_bars
from attnscope.figures.comparing import compose_comparison
from attnscope.figures.layout import MARGIN, MUTED, PAGE, tiles
from attnscope.figures.measured import measured
from attnscope.figures.numbers import figure
from attnscope.figures.page import BAR_ROOM, Page
from attnscope.figures.sentence import sentence
from attnscope.figures.shown import Scale, Shown, highest, limits
from attnscope.figures.spec import Box, FigureSpec, Map, Text
from attnscope.figures.tiles import Tile, covered, ladder, layer_tiles, sorted_heads
from attnscope.figures.view import which_heads

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from attnscope.figures.view import View
    from attnscope.maps.capture import Capture

__all__ = ["compose"]

_SIDE = 138.0


def compose(
    cap: Capture, view: View, mass: Mapping[int, float] | None = None, other: Capture | None = None
) -> FigureSpec:
    """Describe a figure of a view.

    Parameters
    ----------
    cap
        The capture.
    view
        Where to look, and how.
    mass
        Weight of each token, by which words get a colour where no token is chosen; that of the map itself where it
        is not given.
    other
        A second capture, for views that are compared with one.

    Returns
    -------
    FigureSpec
        At level ``head`` the picture, the map over it and the tokens' bars, or the other direction of self-attention;
        at level ``layer`` the picture and every head, at level ``block`` with the means of both kinds; at level
        ``unet`` the picture, the mean map and every layer. Of a view that is compared with another both maps and
        their difference.
    """
    if view.compare is not None:
        return compose_comparison(cap, view, mass, other)
    return _Levels(cap, view, dict(mass) if mass is not None else None).spec()


class _Levels:
    """The figure of one view, at its level."""

    def __init__(self, cap: Capture, view: View, mass: dict[int, float] | None) -> None:
        self.cap, self.view = cap, view
        self.page = Page(cap)
        self.shown = Shown(cap, view, mass)
        self.tiles: list[Tile] = [] if view.level == "head" else layer_tiles(cap, view)
        self.order = ""
        #: The block's other kind of attention, where it is shown too.
        self.beside: tuple[Shown, Map] | None = None
        if view.level in ("block", "layer"):
            self.tiles, self.order = sorted_heads(self.tiles, view)
        self.file = self.page.file(cap, view)
        #: That all maps share; None where each has its own.
        self.scale: Scale | None = self._shared()

    def spec(self) -> FigureSpec:
        build = {"head": self._head, "block": self._layer, "layer": self._layer, "unet": self._unet}[self.view.level]
        main, bottom = build(self.page.top)
        words = sentence(self.cap, self.view, main)
        swatches = self.shown.swatches
        if self.beside is not None:
            shown, made = self.beside
            words += f" Below the picture: {sentence(self.cap, shown.view, made)}"
            swatches = swatches or shown.swatches
        return self.page.spec(self.view, words, bottom, swatches)

    # --- colours ----------------------------------------------------------------------------------------------

    def _shared(self) -> Scale | None:
        if self.view.strongest or self.view.scale_shown == "own":
            return None
        return limits(self.view, [self.shown.values, *covered(self.cap, self.view, self.tiles)])

    def _scale(self, values: np.ndarray) -> Scale:
        return self.scale or (Scale(0.0, (0.0,)) if self.view.strongest else limits(self.view, [values]))

    @property
    def _each(self) -> bool:
        return self.scale is None and not self.view.strongest and not self.shown.apart

    # --- parts ------------------------------------------------------------------------------------------------

    def _main(self, box: Box, *title: str) -> Map:
        return self.page.over(box, self.shown, self._scale(self.shown.values), title, self.file)

    def _tile(self, box: Box, tile: Tile) -> None:
        made = None if tile.values is None else self.shown.map(tile.values, self._scale(tile.values))
        self.page.tile(box, tile.title, tile.values, made, self.view.uv, self._each)

    @property
    def _bar_room(self) -> float:
        return 0.0 if self.shown.swatches else BAR_ROOM

    # --- levels -----------------------------------------------------------------------------------------------

    def _head(self, top: float) -> tuple[Map, float]:
        view, page = self.view, self.page
        both = not view.words and view.asks
        width, height = page.fitted(112.0 if both else _SIDE)
        x = MARGIN
        if self.file is not None:
            page.picture(Box(x, top, width, height), view, self.file)
            x += width + 8
        main = self._main(Box(x, top, width, height), self.shown.subject, view.layer, which_heads(view.head_shown))
        x += width + 6
        page.colour_bar(Box(x, top, 6, height), main)
        x += self._bar_room or 12
        bottom = top + height
        if both:
            self._other_direction(Box(x, top, width, height))
        elif view.words:
            bars, end = token_bars(self.shown, Box(x, top, PAGE - MARGIN - x, height))
            page.bars.append(bars)
            bottom = max(bottom, end)
        for text in measured(self.shown):
            bottom = page.note(bottom + (0 if bottom > top + height else 2), text)
        return main, bottom

    def _other_direction(self, box: Box) -> None:
        there = self.view.at(direction="column" if self.view.direction == "row" else "row")
        shown = Shown(self.cap, there)
        made = self.page.over(box, shown, limits(there, [shown.values]), [shown.subject], self.file)
        self.page.colour_bar(Box(box.x + box.width + 6, box.y, 6, box.height), made)

    def _layer(self, top: float) -> tuple[Map, float]:
        page = self.page
        width, height = page.fitted(_SIDE)
        x = MARGIN
        if self.file is not None:
            page.picture(Box(x, top, width, height), self.view, self.file)
            x += width + 12
        means = self._means()
        room = PAGE - MARGIN - x - (BAR_ROOM + 4 if self._bar_room else 0)
        area = Box(x, top - 10, room, max(height + 10, 170))
        boxes = tiles(len(self.tiles) + len(means), area, page.aspect, above=10)
        main = self.shown.map(self.shown.values, self._scale(self.shown.values))
        for tile, box in zip([*means, *self.tiles], boxes, strict=True):
            self._tile(box, tile)
        right = max(box.x + box.width for box in boxes)
        bottom = max(box.y + box.height for box in boxes)
        page.colour_bar(Box(right + 6, top, 6, min(bottom - top, 150)), main, of_each=self._each)
        if self.view.level == "block":
            self._other_kind(Box(MARGIN, top + height + 14, width, height))
            bottom = max(bottom, top + 2 * height + 14)
        if self.order:
            page.texts.append(Text(boxes[0].x, bottom + 9, self.order, 6, colour=MUTED))
            bottom += 9
        return main, max(bottom, top + height if self.file is not None else 0)

    def _means(self) -> list[Tile]:
        grid = self.shown.values.shape[0], self.shown.values.shape[1]
        heads = self.view.head_shown
        title = "mean" if heads == "mean" and len(self.tiles) > 6 else which_heads(heads)
        return [Tile(title, self.shown.values, grid=grid)]

    def _other_kind(self, box: Box) -> None:
        """Put the mean of the block's other kind of attention, where it was captured, under the picture."""
        kind = "self" if self.view.words else "cross"
        table = self.cap.layers
        if self.view.layer not in table.loc[table["kind"] == kind, "layer"].tolist():
            return
        there = self.view.at(kind=kind, level="layer", scale="own", transform="linear", clip=(0, 100), blend="colour")
        shown = Shown(self.cap, there)
        scale = Scale(0.0, (0.0,)) if there.strongest else limits(there, [shown.values])
        note = "" if shown.swatches else f"max {figure(highest([shown.values]))}"
        self.beside = shown, self.page.over(box, shown, scale, [shown.subject], self.file, note)

    def _unet(self, top: float) -> tuple[Map, float]:
        page = self.page
        width, height = page.fitted(118.0)
        y = top
        if self.file is not None:
            page.picture(Box(MARGIN, y, width, height), self.view, self.file)
            y += height + 14
        main = self._main(Box(MARGIN, y, width, height), self.shown.subject, "all layers")
        page.colour_bar(Box(MARGIN + width + 6, y, 6, height), main)
        left = MARGIN + width + (self._bar_room + 10 if self._bar_room else 18)
        area = Box(left, top - 10, PAGE - MARGIN - left, max(y + height - top, 180) + 10)
        placed, rows = ladder(self.tiles, area, page.aspect)
        for tile, box in placed:
            self._tile(box, tile)
        page.texts += rows
        if self._each:
            last = placed[-1][1]
            text = f"beside each name: its {'maximum' if self.view.clip[1] == 100 else 'upper limit'}"
            page.texts.append(Text(PAGE - MARGIN, last.y + last.height, text, 6, "right", MUTED))
        bottom = max([y + height, *(box.y + box.height for _, box in placed)])
        return main, bottom
