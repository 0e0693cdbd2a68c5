"""From a capture and a view to a figure: which panels, where, and what stands beside them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.figures.layout import MARGIN, MUTED, PAGE, caption, clip, legend_row, text_width, ticks, tiles, wrap
from attnscope.figures.numbers import figure
from attnscope.figures.shown import Palette, colour, field, highest, sentence, token_texts
from attnscope.figures.spec import Bar, Bars, Box, ColourBar, FigureSpec, Map, Panel, Text
from attnscope.figures.tiles import Tile, ladder, layer_tiles
from attnscope.figures.view import any_array, counts, heading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from attnscope.figures.view import View
    from attnscope.maps.capture import Capture

__all__ = ["compose", "header", "picture_files"]

_SIDE = 138.0
_BAR_ROOM = 46.0
_MOST_BARS = 14


def compose(cap: Capture, view: View, mass: Mapping[int, float] | None = None) -> FigureSpec:
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

    Returns
    -------
    FigureSpec
        At level ``head`` the picture, the map over it and the tokens' bars; at level ``layer`` the picture and every
        head; at level ``unet`` the picture, the mean map and every layer.
    """
    return _Page(cap, view, mass).spec()


class _Page:
    """One figure in the making."""

    def __init__(self, cap: Capture, view: View, mass: Mapping[int, float] | None) -> None:
        self.cap, self.view = cap, view
        self.values = field(cap, view)
        self.palette: Palette | None = None
        if not view.token:
            seen = np.isfinite(self.values)  # nothing at all, where a branch or view is not in this step
            means = np.where(seen, self.values, 0).sum(axis=(0, 1)) / np.maximum(seen.sum(axis=(0, 1)), 1)
            own = dict(zip(cap.tokens["token"].tolist(), means.tolist(), strict=True))
            self.palette = Palette(cap.tokens, own if mass is None else mass)
        self.tiles: list[Tile] = layer_tiles(cap, view) if view.level != "head" else []
        self.pictures = picture_files(cap, view)
        height, width = any_array(cap).attrs["size"]
        self.aspect = float(width) / float(height)
        self.panels: list[Panel] = []
        self.texts: list[Text] = []
        self.bars: list[Bars] = []
        self.colour_bars: list[ColourBar] = []
        self.limit = self._limit()

    def spec(self) -> FigureSpec:
        self.texts, top = header(self.cap)
        build = {"head": self._head, "layer": self._layer, "unet": self._unet}[self.view.level]
        bottom = build(top)
        if self.palette is not None:
            row, bottom = legend_row(self.palette.swatches, MARGIN, bottom + 14, PAGE - 2 * MARGIN)
            self.texts += row
        words = sentence(self.cap, self.view, self.map())
        lines, end = caption(words, bottom + 6)
        return FigureSpec(
            PAGE,
            end,
            self.view,
            words,
            tuple(self.panels),
            tuple(self.colour_bars),
            tuple(self.bars),
            (*self.texts, *lines),
            tuple(self.pictures),
        )

    # --- values and colours -----------------------------------------------------------------------------------

    def _limit(self) -> float | None:
        """Limit that all maps share; None where each has its own."""
        if self.palette is not None or self.view.scale_shown == "own":
            return None
        shown = [self.values, *(tile.values for tile in self.tiles if tile.values is not None)]
        if self.view.scale_shown == "run":
            for step in any_array(self.cap)["step"].values.tolist():
                view = self.view.at(step=step)
                shown += [
                    field(self.cap, view),
                    *(t.values for t in layer_tiles(self.cap, view) if t.values is not None),
                ]
        return highest(shown)

    def map(self, values: np.ndarray | None = None, *, over: bool = False) -> Map:
        values = self.values if values is None else values
        hi = 0.0 if self.palette else highest([values]) if self.limit is None else self.limit
        return colour(self.view, values, hi, self.palette, opacity=self.view.overlay if over and self.pictures else 1.0)

    # --- parts ------------------------------------------------------------------------------------------------

    def _picture(self, box: Box) -> None:
        title = f"predicted at step {self.view.step}" if self.view.show_preview else "picture"
        self.panels.append(Panel(box, title, picture=0, point=self.view.uv))

    def _main(self, box: Box, title: str) -> None:
        under = 0 if self.pictures else None
        title = clip(title, 7, box.width + 2)
        self.panels.append(Panel(box, title, picture=under, map=self.map(over=True), point=self.view.uv))

    def _subject(self) -> str:
        texts = token_texts(self.cap, self.view)
        return " + ".join(f"‘{text}’" for text in texts) if texts else "strongest word"

    def _colour_bar(self, box: Box, *, of_each: bool = False) -> None:
        if self.palette is not None:
            return
        shown = self.map()
        marks = ((0.0, figure(shown.lo)), (1.0, "max")) if of_each else ticks(shown.lo, shown.hi, shown.transform)
        how = {"linear": "", "sqrt": ", square-root scale", "log": ", log scale"}[shown.transform]
        each = "; max: beside each name" if of_each else ""
        self.colour_bars.append(ColourBar(box, shown.cmap, marks, f"attention{how}{each}"))

    def _fitted(self, side: float) -> tuple[float, float]:
        return (side, side / self.aspect) if self.aspect >= 1 else (side * self.aspect, side)

    # --- levels -----------------------------------------------------------------------------------------------

    def _head(self, top: float) -> float:
        width, height = self._fitted(_SIDE)
        x = MARGIN
        if self.pictures:
            self._picture(Box(x, top, width, height))
            x += width + 8
        which = f"head {self.view.head}" if self.view.one_head else "mean of heads"
        self._main(Box(x, top, width, height), f"{self._subject()} · {self.view.layer} · {which}")
        x += width + 6
        self._colour_bar(Box(x, top, 6, height))
        x += _BAR_ROOM if self.palette is None else 12
        return max(top + height, self._token_bars(Box(x, top, PAGE - MARGIN - x, height)))

    def _token_bars(self, box: Box) -> float:
        values = self.values if self.palette is not None else field(self.cap, self.view.at(token=()))
        uv = self.view.uv
        if uv is None:
            numbers, title = np.nanmean(values, axis=(0, 1)), "tokens, mean over the map"
        else:
            places = [min(size - 1, int(part * size)) for part, size in zip(uv, values.shape[1::-1], strict=False)]
            numbers, title = values[places[1], places[0]], f"tokens at ({uv[0]:.2f}, {uv[1]:.2f})"
        table = self.cap.tokens
        kept = sorted(np.argsort(-numbers, kind="stable")[:_MOST_BARS].tolist())
        bars = []
        for index in kept:
            row: Any = table.iloc[index]
            label = str(row["token_text"]).strip()
            if row["token_kind"] != "prompt":
                count = int(row["token_count"])
                label = f"⟨{row['token_kind']}×{count}⟩" if count > 1 else f"⟨{row['token_kind']}⟩"
            bars.append(Bar(clip(label, 6.8, 48), float(numbers[index]), int(row["token"]) in self.view.token))
        if len(kept) < len(table):
            title += f", {len(kept)} largest of {len(table)}"
        box = Box(box.x, box.y, box.width, min(box.height, 11.5 * len(bars)))
        widest = max(text_width(bar.label, 6.8) for bar in bars)
        self.bars.append(Bars(box, clip(title, 7, box.width), tuple(bars), min(50.0, widest + 4)))
        return box.y + box.height

    def _layer(self, top: float) -> float:
        width, height = self._fitted(_SIDE)
        x = MARGIN
        if self.pictures:
            self._picture(Box(x, top, width, height))
            x += width + 12
        room = PAGE - MARGIN - x - (_BAR_ROOM + 4 if self.palette is None else 0)
        boxes = tiles(len(self.tiles) + 1, Box(x, top - 10, room, max(height + 10, 170)), self.aspect, above=10)
        each = self.limit is None and self.palette is None
        self._tile(boxes[0], "mean of heads" if boxes[0].width > 76 else "mean", self.values, each)
        for tile, box in zip(self.tiles, boxes[1:], strict=True):
            self._tile(box, tile.title, tile.values, each)
        right = max(box.x + box.width for box in boxes)
        bottom = max(box.y + box.height for box in boxes)
        self._colour_bar(Box(right + 6, top, 6, min(bottom - top, 150)), of_each=each)
        return max(bottom, top + height if self.pictures else 0)

    def _unet(self, top: float) -> float:
        width, height = self._fitted(118.0)
        y = top
        if self.pictures:
            self._picture(Box(MARGIN, y, width, height))
            y += height + 14
        self._main(Box(MARGIN, y, width, height), f"{self._subject()} · all layers")
        self._colour_bar(Box(MARGIN + width + 6, y, 6, height))
        left = MARGIN + width + (_BAR_ROOM + 10 if self.palette is None else 18)
        placed, rows = ladder(
            self.tiles, Box(left, top - 10, PAGE - MARGIN - left, max(y + height - top, 180) + 10), self.aspect
        )
        each = self.limit is None and self.palette is None
        for tile, box in placed:
            self._tile(box, tile.title, tile.values, each)
        self.texts += rows
        if each:
            last = placed[-1][1]
            self.texts.append(
                Text(PAGE - MARGIN, last.y + last.height, "beside each name: the map's maximum", 6, "right", MUTED)
            )
        return max([y + height, *(box.y + box.height for _, box in placed)])

    def _tile(self, box: Box, title: str, values: np.ndarray | None, each: bool) -> None:
        if values is None:
            self.panels.append(Panel(box, clip(title, 6, box.width)))
            return
        note = figure(highest([values])) if each else ""
        if 0.9 * text_width(f"{title} {note}", 6) > box.width:
            note = ""
        room = box.width - (text_width(note, 6) if note else 0)
        self.panels.append(Panel(box, clip(title, 5.1, room), note, map=self.map(values), point=self.view.uv))


def header(cap: Capture) -> tuple[list[Text], float]:
    """Set the prompt and the run; also gives where the panels begin."""
    attrs, texts, y = cap.attrs, [], 8.0
    lines = wrap(heading(cap), 9, PAGE - 2 * MARGIN)
    if len(lines) > 2:
        lines = [lines[0], clip(" ".join(lines[1:]), 9, PAGE - 2 * MARGIN)]
    for line in lines:
        y += 11
        texts.append(Text(MARGIN, y, line, 9, bold=True))
    facts = [str(attrs[name]) for name in ("model", "scheduler") if attrs.get(name)]
    facts += [f"guidance {figure(attrs['guidance_scale'])}"] if attrs.get("guidance_scale") is not None else []
    facts += [f"seed {attrs['seed']}"] if attrs.get("seed") is not None else []
    if facts:
        y += 10
        texts.append(Text(MARGIN, y, clip(" · ".join(facts), 6.8, PAGE - 2 * MARGIN), 6.8, colour=MUTED))
    return texts, y + 17


def picture_files(cap: Capture, view: View) -> list[bytes]:
    """Files of the picture under a map: one PNG, or none where there is no picture."""
    return list(_picture_files(cap, view))


def _picture_files(cap: Capture, view: View) -> Iterator[bytes]:
    from PIL import Image

    picture = None
    previews = cap.previews
    if view.show_preview and previews is not None:
        frame = previews.sel(step=view.step)
        picture = Image.fromarray((frame.isel(image=view.image) if "image" in frame.dims else frame).values)
    else:
        images = cap.images
        # Where views of one panorama are captured as images, none of them is the picture.
        picture = images[view.image] if len(images) == counts(cap)[0] else None
    if picture is not None:
        file = io.BytesIO()
        picture.convert("RGB").save(file, "PNG")
        yield file.getvalue()
