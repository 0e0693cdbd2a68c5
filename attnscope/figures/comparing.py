"""The figure of a comparison: a map, another, and what one has more of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnscope.analysis import difference
from attnscope.figures.layout import MARGIN
from attnscope.figures.measured import difference_in_words, labelled
from attnscope.figures.page import Page
from attnscope.figures.second import first, second
from attnscope.figures.sentence import changes, sentence
from attnscope.figures.shown import Scale, Shown, field, limits
from attnscope.figures.spec import Box, FigureSpec, Map, Panel
from attnscope.figures.tiles import covered
from attnscope.figures.view import any_array, heading, which_heads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnscope.figures.legend import Changes, Comparison
    from attnscope.figures.view import View
    from attnscope.maps.capture import Capture

__all__ = ["compose_comparison", "difference_map", "in_short"]

_SIDE = 112.0
_BAR_ROOM = 48.0


def compose_comparison(
    cap: Capture, view: View, mass: Mapping[int, float] | None = None, other: Capture | None = None
) -> FigureSpec:
    """Describe the figure of a view with ``compare``: A, B, and A − B where both are maps of attention.

    Parameters
    ----------
    cap, view, mass, other
        As for `attnscope.figures.compose.compose`.
    """
    known = dict(mass) if mass is not None else None
    a = Shown(cap, first(view), known)
    source, there, _ = second(cap, view, other)
    b = Shown(source, there, known if source is cap else None)
    page = Page(cap)
    said = changes(source, view, there)
    comparison: Comparison = {"changes": said}
    one, two = _scales(a, b)
    side = page.fitted(_SIDE)
    box = Box(MARGIN, page.top, *side)
    shown = page.over(box, a, one, ["A", a.subject, f"step {view.step}"], page.file(cap, a.view))
    if one is not two:
        page.colour_bar(Box(box.x + side[0] + 6, box.y, 6, side[1]), shown)
    box = Box(box.x + side[0] + (10 if one is two or a.view.strongest else _BAR_ROOM), box.y, *side)
    made = page.over(box, b, two, ["B", *in_short(said)], page.file(source, there))
    page.colour_bar(Box(box.x + side[0] + 6, box.y, 6, side[1]), made)
    bottom = box.y + side[1]
    if not a.view.strongest and not there.strongest:
        box = Box(box.x + side[0] + _BAR_ROOM, box.y, *side)
        delta = difference_map(a, b)
        height, width = delta.values.shape
        page.panels.append(Panel(box, f"A − B at {height}×{width}", map=delta, point=view.uv))
        page.colour_bar(Box(box.x + side[0] + 6, box.y, 6, side[1]), delta, "difference")
        comparison = {**comparison, "height": height, "width": width, "limit": delta.hi}
        bottom = page.note(bottom + 2, difference_in_words(labelled(a, a.values), labelled(b, b.values)))
    if source is not cap:
        bottom = page.note(bottom + (2 if bottom == box.y + side[1] else 0), f"B: {heading(source)}")
    words = sentence(cap, first(view).at(scale=_scale(view)), shown, compare=comparison)
    return page.spec(view, words, bottom, a.swatches)


def difference_map(a: Shown, b: Shown) -> Map:
    """Colour A − B on the coarser grid of the two, symmetric around zero."""
    delta = difference(labelled(a, a.values), labelled(b, b.values))
    grid = min(a.values.shape, b.values.shape, key=lambda shape: shape[0] * shape[1])
    values = delta.values.reshape(grid).astype(np.float32)
    most = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 0.0
    return Map(values, -most, most, cmap=a.view.diverging, smooth=a.view.smooth)


def _scale(view: View) -> str:
    return "shared" if view.scale == "auto" else view.scale_shown


def _scales(a: Shown, b: Shown) -> tuple[Scale, Scale]:
    """Limits of both maps: one for both, unless each has its own."""
    if a.view.strongest or b.view.strongest:
        alone = [Scale(0.0, (0.0,)) if one.view.strongest else limits(one.view, [one.values]) for one in (a, b)]
        return alone[0], alone[1]
    if _scale(a.view) == "own":
        return limits(a.view, [a.values]), limits(b.view, [b.values])
    view = a.view.at(scale=_scale(a.view))
    maps = [a.values, b.values, *covered(a.cap, view)]
    if view.scale == "run":
        maps += [field(b.cap, b.view.at(step=step)) for step in any_array(b.cap, view.kind)["step"].values.tolist()]
    both = limits(view, [values.reshape(-1, 1) for values in maps])
    return both, both


def in_short(said: Changes) -> list[str]:
    """Name what is changed, for above a panel."""
    parts = ["second capture"] if said.get("capture") else []
    parts += [said["layer"]] if "layer" in said else []
    parts += [which_heads(said["head"])] if "head" in said else []
    parts += [f"step {said['step']}"] if "step" in said else []
    parts += [" + ".join(f"‘{text}’" for text in said["tokens"]) or "strongest word"] if "tokens" in said else []
    parts += [f"{name} {value}" for name in ("image", "branch", "direction") if (value := said.get(name)) is not None]
    return parts or ["the same"]
