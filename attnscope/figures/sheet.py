"""A sheet of pinned views: one panel for each, with its own words under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnscope.figures.comparing import difference_map, in_short
from attnscope.figures.layout import MARGIN, MUTED, PAGE, legend_row, wrap
from attnscope.figures.page import Page
from attnscope.figures.second import first, second
from attnscope.figures.sentence import changes, sentence
from attnscope.figures.shown import Scale, Shown, limits
from attnscope.figures.spec import Box, FigureSpec, Map, Panel, Swatch, Text
from attnscope.figures.view import which_heads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from attnscope.figures.legend import Comparison
    from attnscope.figures.view import View
    from attnscope.maps.capture import Capture

__all__ = ["compose_sheet"]

_GAP = 12.0
_SIDE = 112.0
_SIZE = 6.0


def compose_sheet(
    cap: Capture,
    views: Sequence[View],
    notes: Sequence[str] = (),
    other: Capture | None = None,
    mass: Mapping[int, float] | None = None,
) -> FigureSpec:
    """Describe a sheet of views.

    Parameters
    ----------
    cap
        The capture.
    views
        At least one; of a view that is compared with another, the difference.
    notes
        What was written beside each; may be empty.
    other
        A second capture, for views that are compared with one.
    mass
        Weight of each token, by which words get a colour where no token is chosen.

    Returns
    -------
    FigureSpec
        Panels (a), (b), ... over the picture, each with its note and a short legend under it; the caption has the
        whole legend sentence of each.

    Raises
    ------
    ValueError
        If there is no view, or another number of notes.
    """
    if not views or (notes and len(notes) != len(views)):
        msg = f"A sheet needs at least one view and a note for each or none; got {len(views)} and {len(notes)} notes."
        raise ValueError(msg)
    page = Page(cap)
    width, height = page.fitted(_SIDE)
    columns = max(1, int((PAGE - 2 * MARGIN + _GAP) // (width + _GAP)))
    y, bottom, captions = page.top, page.top, []
    for index, view in enumerate(views):
        if index and index % columns == 0:
            y = bottom + 20
        box = Box(MARGIN + (index % columns) * (width + _GAP), y, width, height)
        letter = _letter(index)
        words, short, swatches = _pin(page, cap, view, box, letter, other, dict(mass or {}) or None)
        captions.append(f"({letter}) {words}")
        at = box.y + box.height
        for text, colour in ((notes[index] if notes else "", "#1a1a1a"), (short, MUTED)):
            for line in wrap(text, _SIZE, width):
                at += 8
                page.texts.append(Text(box.x, at, line, _SIZE, colour=colour))
        if swatches:
            row, at = legend_row(swatches, box.x, at + 9, width)
            page.texts += row
        bottom = max(bottom, at)
    return page.spec(views[0], " ".join(captions), bottom)


def _pin(
    page: Page,
    cap: Capture,
    view: View,
    box: Box,
    letter: str,
    other: Capture | None,
    mass: dict[int, float] | None,
) -> tuple[str, str, Sequence[Swatch]]:
    """Put one panel; gives its sentence, the same in short, and its colours that stand for words."""
    shown = Shown(cap, first(view) if view.compare is not None else view, mass)
    title = [f"({letter}) {shown.subject}"]
    scale = Scale(0.0, (0.0,)) if view.strongest else limits(shown.view, [shown.values])
    if view.compare is None:
        made = page.over(box, shown, scale, title, page.file(cap, view))
        return sentence(cap, _alone(shown.view), made), _short(view, made), shown.swatches
    source, there, _ = second(cap, view, other)
    said = changes(source, view, there)
    comparison: Comparison = {"changes": said}
    made = shown.map(shown.values, scale)
    if view.strongest or there.strongest:
        page.over(box, shown, scale, title, page.file(cap, view))
        return sentence(cap, _alone(shown.view), made, compare=comparison), _short(view, made), shown.swatches
    delta = difference_map(shown, Shown(source, there))
    rows, cells = delta.values.shape
    comparison = {**comparison, "height": rows, "width": cells, "limit": delta.hi}
    page.panels.append(Panel(box, f"({letter}) A − B", f"±{delta.number(delta.hi)}", map=delta, point=view.uv))
    return (
        sentence(cap, _alone(shown.view), made, compare=comparison),
        f"{_short(view, made)}; B: {' · '.join(in_short(said))}",
        (),
    )


def _alone(view: View) -> Any:
    # Maps of a sheet may be of anything: a scale that they shared would say nothing.
    return view if view.scale == "fixed" else view.at(scale="own")


def _short(view: View, made: Map) -> str:
    parts = ["all layers" if view.level == "unet" else view.layer, which_heads(view.head_shown), f"step {view.step}"]
    if made.hues:
        parts.append("0 to " + ", ".join(made.number(hue.hi) for hue in made.hues))
    elif not made.categories and made.transform != "rank":
        parts.append(f"{made.number(made.lo)} to {made.number(made.hi)}")
    return " · ".join(parts)


def _letter(index: int) -> str:
    """Count a, b, ..., z, aa, ab, ...

    Examples
    --------
    >>> _letter(0), _letter(26)
    ('a', 'aa')
    """
    before, last = divmod(index, 26)
    return (_letter(before - 1) if before else "") + chr(ord("a") + last)
