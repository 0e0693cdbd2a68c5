"""What is on screen: a view, and its data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import xarray as xr

from attnscope.errors import UnknownLayerError, choices
from attnscope.figures.cells import cell_at, cells_in
from attnscope.figures.query import Call, code, decimals, evaluate, query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from attnscope.figures.colours import ColourMap, Diverging, Transform
    from attnscope.maps.capture import Capture

__all__ = [
    "Head",
    "View",
    "any_array",
    "apart",
    "asked_cells",
    "cell_at",
    "cells_in",
    "code",
    "counts",
    "grid_of",
    "heading",
    "query",
    "selected",
    "which_heads",
    "words_of",
]

#: Of a box, so many rows of self-attention are looked at. Twin: ``js/src/maps/region.ts``.
_MOST_QUERIES = 64
#: One head, the mean or the maximum of all, or the mean of some.
Head: TypeAlias = int | Literal["mean", "max"] | tuple[int, ...]


@dataclass(frozen=True)
class View:
    """Where a scope looks, and how. Names and values are those of the scope's traits.

    Parameters
    ----------
    level
        ``"unet"``: mean over layers and heads; ``"block"``: one transformer block, its layers of both kinds;
        ``"layer"``: the heads of one layer; ``"head"``: one of them, or what `head` says of several.
    kind
        Kind of attention: ``"cross"`` or ``"self"``.
    layer, head, step, image, branch
        Coordinates; ``layer`` and ``head`` count only where the level is as deep.
    token
        Positions; empty for the strongest word of each pixel. Several are summed, or with ``hues`` have, word by word,
        colours of their own.
    uv
        A point of the picture in [0, 1], ``u`` along x; of self-attention the pixel that is asked about.
    region
        A box of the picture, ``(u0, v0, u1, v1)``, over which numbers are averaged.
    direction
        Of self-attention: ``"row"``, where the pixel looks, or ``"column"``, what looks at it.
    compare, compare_as
        What a second map is looked at with instead, and how both are shown.
    scale, limits, clip, transform
        Which values the colours run between, and how.
    drop, renormalise
        Kinds of tokens that do not count, and whether values are divided by the sum over those that do.
    cmap, diverging, overlay, blend, smooth, show_preview
        How maps look, and what lies under them.
    sort, order
        Order of the heads and of the tokens' bars.
    """

    level: Literal["unet", "block", "layer", "head"]
    layer: str
    step: int
    head: Head = "mean"
    token: tuple[int, ...] = ()
    kind: str = "cross"
    uv: tuple[float, float] | None = None
    image: int = 0
    branch: str = "cond"
    scale: Literal["auto", "own", "shared", "run", "fixed"] = "auto"
    transform: Transform = "linear"
    cmap: ColourMap = "viridis"
    overlay: float = 0.7
    show_preview: bool = False
    hues: bool = True
    region: tuple[float, float, float, float] | None = None
    direction: Literal["row", "column"] = "row"
    compare: Mapping[str, Any] | None = None
    compare_as: Literal["side", "swipe", "difference", "blink"] = "side"
    limits: tuple[float, float] | None = None
    clip: tuple[float, float] = (0, 100)
    drop: tuple[str, ...] = ()
    renormalise: bool = False
    diverging: Diverging = "RdBu_r"
    blend: Literal["colour", "mask", "contour"] = "colour"
    smooth: bool = False
    sort: Literal["index", "entropy", "mass", "similarity"] = "index"
    order: Literal["prompt", "value"] = "prompt"

    def __post_init__(self) -> None:
        # JSON has lists; a view is one value, so that it can be compared and kept.
        for name in ("head", "token", "uv", "region", "limits", "clip", "drop"):
            if isinstance(given := getattr(self, name), list):
                object.__setattr__(self, name, tuple(given))

    @property
    def scale_shown(self) -> Literal["own", "shared", "run", "fixed"]:
        """The scale, with ``auto`` resolved, and without limits that are not given."""
        if self.scale == "auto" or (self.scale == "fixed" and self.limits is None):
            return "shared" if self.compare or self.level == "layer" else "own"
        return self.scale

    @property
    def head_shown(self) -> Head:
        """What is shown of the heads at this level: of one layer as a whole a maximum, or the mean of some."""
        if self.level == "head" or (self.level == "layer" and not isinstance(self.head, int)):
            return self.head
        return "mean"

    @property
    def one_head(self) -> bool:
        """Whether a single head is shown."""
        return isinstance(self.head_shown, int)

    @property
    def words(self) -> bool:
        """Whether words are looked at, all or some: each pixel of a text has one number for every token."""
        return self.kind != "self"

    @property
    def strongest(self) -> bool:
        """Whether what is shown is which word is the strongest."""
        return self.words and not self.token

    @property
    def asks(self) -> bool:
        """Whether self-attention is asked for some pixels: a point's or, of one layer, a box's; else what each gets."""
        return self.uv is not None or (self.region is not None and self.level != "unet")

    def at(self, **changes: Any) -> View:
        """Look elsewhere."""
        return replace(self, **changes)


def selected(cap: Capture, view: View, other: Capture | None = None) -> tuple[xr.DataArray, list[Call]]:
    """Evaluate a view.

    Parameters
    ----------
    cap
        The capture.
    view
        Where to look.
    other
        A second capture, for views that are compared with one.

    Returns
    -------
    xarray.DataArray, list
        ``(pixel)``, or ``(pixel, token)`` where no token is chosen or several words are kept apart. Of self-attention
        ``(key)`` for what pixels get (without a point) and for where one looks, ``(pixel)`` for what looks at it, and
        for means over layers. Where a difference is on screen, that difference. NaN where nothing was seen. The
        second are the calls that give it.
    """
    if view.compare is not None and view.compare_as == "difference" and not view.strongest:
        from attnscope.figures.second import subtract

        return subtract(cap, view, other)
    view = _rounded(view)
    images, branches = counts(cap, view.kind)
    where = {"images": images, "branches": branches, "apart": apart(cap, view), "cell": asked_cells(cap, view)}
    calls = query(view, **where)
    # The same expression on one step: stacking every step onto one grid, only to look at one, would fill the memory.
    source = _one_step(cap, view.step) if view.level == "unet" and view.words else cap
    if calls[-1][0] != "sum" or not view.words:
        return evaluate(source, calls), calls
    each = evaluate(source, calls[:-1])
    calls = query(view, **where, gaps=bool(np.isnan(each.values).any()))
    return evaluate(each, calls[-1:]), calls


def apart(cap: Capture, view: View) -> bool:
    """Whether the chosen tokens are shown as several words, each in a colour of its own."""
    if not (view.words and view.hues and len(view.token) > 1 and view.compare is None):
        return False
    return len(words_of(cap, view)) > 1


def words_of(cap: Capture, view: View) -> list[list[int]]:
    """Group the chosen tokens by the word that they belong to, in the order chosen."""
    words: dict[tuple[int, int], list[int]] = {}
    numbers = dict(zip(cap.tokens["token"].tolist(), cap.tokens["word_index"].tolist(), strict=True))
    for token in view.token:
        number = numbers.get(token, -1)
        words.setdefault((number, -1 if number >= 0 else token), []).append(token)
    return list(words.values())


def grid_of(cap: Capture, view: View) -> tuple[int, int]:
    """Rows and columns of the layer that a view looks at; the finest of its kind where it looks at all."""
    table = cap.layers[cap.layers["kind"] == view.kind]
    if view.level != "unet":
        table = table[table["layer"] == view.layer]
    sizes = zip(table["height"].tolist(), table["width"].tolist(), strict=True)
    return max(sizes, key=lambda size: size[0] * size[1])


def asked_cells(cap: Capture, view: View) -> int | list[int] | None:
    """Find whose self-attention one layer is asked for: the cell of the point, or those of a box; None for all.

    Of a large box 64 cells are looked at, evenly spread, as on screen, where each row costs time.
    """
    if view.words or not view.asks or view.level == "unet":
        return None
    grid = grid_of(cap, view)
    if view.region is not None:
        cells = np.flatnonzero(cells_in(grid, view.region)).tolist()
        if len(cells) > _MOST_QUERIES:
            cells = [cells[int((place + 0.5) * len(cells) / _MOST_QUERIES)] for place in range(_MOST_QUERIES)]
        return cells if len(cells) > 1 else cells[0]
    assert view.uv is not None
    row, column = cell_at(grid, view.uv)
    return row * grid[1] + column


def _rounded(view: View) -> View:
    # The code must give what is selected.
    return view if view.uv is None else view.at(uv=tuple(float(decimals(part)) for part in view.uv))


def which_heads(head: Any) -> str:
    """Name what is shown of the heads, in few words.

    Examples
    --------
    >>> which_heads(1), which_heads("max"), which_heads((1, 3))
    ('head 1', 'maximum over heads', 'mean of heads 1, 3')
    """
    if isinstance(head, str):
        return "mean of heads" if head == "mean" else "maximum over heads"
    return f"head {head}" if isinstance(head, int) else f"mean of heads {', '.join(map(str, head))}"


def counts(cap: Capture, kind: str | None = None) -> tuple[int, int]:
    """How many images and branches a capture holds."""
    sizes = any_array(cap, kind).sizes
    return sizes.get("image", 1), sizes.get("branch", 1)


def heading(cap: Capture) -> str:
    """Quote the text whose words the maps are of: of one branch that is not conditional, its own."""
    attrs, array = cap.attrs, any_array(cap)
    branch = array["branch"].item() if "branch" in array.coords and not array["branch"].ndim else "cond"
    name, _, number = str(branch).partition(" ")
    if name == "edit" and attrs.get("editing_prompt") is not None:
        every = attrs["editing_prompt"]
        text = every if isinstance(every, str) else every[int(number or 0)]
        return f"editing prompt “{text}”"
    if name in ("uncond", "image"):
        text = attrs.get("negative_prompt")
        return f"negative prompt “{_quoted(text)}”" if text else "no negative prompt"
    return f"“{_quoted(attrs['prompt'])}”" if attrs.get("prompt") else "Attention"


def _quoted(text: str | Sequence[str]) -> str:
    return text if isinstance(text, str) else "” | “".join(text)


def any_array(cap: Capture, kind: str | None = None) -> xr.DataArray:
    """One grid's maps, for what all grids have in common: steps, images, tokens, the picture's size."""
    if kind is None:
        kind = "cross" if "cross" in cap.kinds else cap.kinds[0]
    elif kind not in cap.kinds:
        msg = f"Attention of kind {kind!r} was not captured. {choices(kind, cap.kinds)}"
        raise UnknownLayerError(msg)
    node: Any = next(iter(cap.tree[kind].children.values()))
    return node["attention"]


def _one_step(cap: Capture, step: int) -> Capture:
    children = cap.tree["cross"].children.items()
    nodes = {f"/cross/{name}": child.to_dataset().sel(step=[step]) for name, child in children}
    tree = xr.DataTree.from_dict({"/": xr.Dataset(attrs=dict(cap.attrs)), **nodes})
    return type(cap)(tree)
