"""A page in the making: the parts that figures are put together from."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from attnscope.figures.colours import LOG_FLOOR
from attnscope.figures.layout import MARGIN, MUTED, PAGE, caption, clip, joined, legend_row, text_width, ticks, wrap
from attnscope.figures.numbers import figure
from attnscope.figures.outline import outlines
from attnscope.figures.spec import Bars, Box, ColourBar, FigureSpec, Map, Panel, Swatch, Text
from attnscope.figures.view import any_array, counts, heading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from attnscope.figures.shown import Scale, Shown
    from attnscope.figures.view import View
    from attnscope.maps.capture import Capture

__all__ = ["BAR_ROOM", "Page", "header", "picture_files"]

#: What a colour bar takes beside a panel, its numbers and its label included.
BAR_ROOM = 46.0


class Page:
    """Panels, texts and bars, one after the other.

    Parameters
    ----------
    cap
        Gives what stands above.
    """

    def __init__(self, cap: Capture) -> None:
        self.texts, self.top = header(cap)
        height, width = any_array(cap).attrs["size"]
        self.aspect = float(width) / float(height)
        self.pictures: list[bytes] = []
        self.panels: list[Panel] = []
        self.bars: list[Bars] = []
        self.colour_bars: list[ColourBar] = []

    def spec(self, view: View, words: str, bottom: float, swatches: Sequence[Swatch] = ()) -> FigureSpec:
        """Finish: what colours mean, and the caption, below ``bottom``."""
        if swatches:
            row, bottom = legend_row(swatches, MARGIN, bottom + 14, PAGE - 2 * MARGIN)
            self.texts += row
        lines, end = caption(words, bottom + 6)
        return FigureSpec(
            PAGE,
            end,
            view,
            words,
            tuple(self.panels),
            tuple(self.colour_bars),
            tuple(self.bars),
            (*self.texts, *lines),
            tuple(self.pictures),
        )

    def fitted(self, side: float) -> tuple[float, float]:
        """Width and height of a picture in a square."""
        return (side, side / self.aspect) if self.aspect >= 1 else (side * self.aspect, side)

    def file(self, cap: Capture, view: View) -> int | None:
        """Take up the picture under a map; None where there is none."""
        for picture in picture_files(cap, view):
            if picture not in self.pictures:
                self.pictures.append(picture)
            return self.pictures.index(picture)
        return None

    def picture(self, box: Box, view: View, file: int) -> None:
        """Put the picture alone."""
        title = f"predicted at step {view.step}" if view.show_preview else "picture"
        self.panels.append(Panel(box, title, picture=file, point=view.uv, region=view.region))

    def over(self, box: Box, shown: Shown, scale: Scale, title: Sequence[str], file: int | None, note: str = "") -> Map:
        """Put a map over the picture, in the way that the view says; of the title's parts as many as fit."""
        view = shown.view
        line = view.blend == "contour"
        opacity = 1.0 if file is None else 0.0 if line and not view.strongest else view.overlay
        mask = view.blend == "mask" and file is not None and not view.strongest and not shown.apart
        made = shown.map(shown.values, scale, opacity=opacity, mask=mask)
        lines = outlines(made) if line else ()
        words = joined(title, 7, box.width + 2 - text_width(note, 6))
        self.panels.append(Panel(box, words, note, file, made, view.uv, view.region, lines))
        return made

    def tile(self, box: Box, title: str, values: np.ndarray | None, made: Map | None, point: Any, each: bool) -> None:
        """Put a small map; ``each``: with its maximum, where it has a scale of its own."""
        if values is None or made is None:
            self.panels.append(Panel(box, clip(title, 6, box.width)))
            return
        note = made.number(made.hi) if each and made.transform != "rank" else ""
        if 0.9 * text_width(f"{title} {note}", 6) > box.width:
            note = ""
        room = box.width - (text_width(note, 6) if note else 0)
        self.panels.append(Panel(box, clip(title, 5.1, room), note, map=made, point=point))

    def colour_bar(self, box: Box, made: Map, of: str = "attention", *, of_each: bool = False) -> None:
        """Put the colours with their numbers; nothing for colours that stand for words."""
        if made.categories or made.hues or not made.opacity:
            return
        lo, hi = made.lo * made.times, made.hi * made.times
        ends = ((0.0, figure(lo) if made.lo in (0, LOG_FLOOR) else "low"), (1.0, "high"))
        marks = ends if of_each and made.transform != "rank" else ticks(lo, hi, made.transform)
        how = {"sqrt": ", square-root scale", "log": ", log scale", "rank": ", rank", "uniform": ", times chance"}
        each = "; high: beside each name" if of_each and made.transform != "rank" else ""
        # A mask goes from black to the picture as it is.
        cmap = "gray" if made.mask else made.cmap
        self.colour_bars.append(ColourBar(box, cmap, marks, f"{of}{how.get(made.transform, '')}{each}"))

    def note(self, y: float, text: str) -> float:
        """Write a line of numbers; gives its baseline."""
        for line in wrap(text, 6.8, PAGE - 2 * MARGIN):
            y += 10
            self.texts.append(Text(MARGIN, y, line, 6.8, colour=MUTED))
        return y


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
