"""The legend sentence. Twin: ``js/src/scope/legend.ts``; both are held to ``tests/legend_cases.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from attnscope.figures.numbers import figure, timestep_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnscope.figures.colours import Transform

__all__ = ["Changes", "Comparison", "LegendView", "legend"]


class Changes(TypedDict):
    """What the second of two maps has otherwise."""

    #: 1 for the second capture.
    capture: NotRequired[int]
    layer: NotRequired[str]
    head: NotRequired[int | Literal["mean", "max"] | Sequence[int]]
    step: NotRequired[int]
    #: Texts of the tokens; empty for the strongest-word map.
    tokens: NotRequired[Sequence[str]]
    image: NotRequired[str]
    branch: NotRequired[str]
    direction: NotRequired[Literal["row", "column"]]


class Comparison(TypedDict):
    """A second map, and the difference where it is shown."""

    changes: Changes
    #: Grid and largest absolute value of the difference.
    height: NotRequired[int | None]
    width: NotRequired[int | None]
    limit: NotRequired[float | None]


class LegendView(TypedDict):
    """All that the sentence speaks of."""

    kind: str
    #: One layer and its module, or None and how many layers are meant, and how many of them were seen at this step.
    layer: str | None
    module: str | None
    layers: int | None
    seen: int | None
    head: int | Literal["mean", "max"] | Sequence[int]
    #: None where the layers averaged differ in their number of heads.
    heads: int | None
    step: int
    #: Steps of the run; None where not known.
    steps: int | None
    timestep: float | None
    #: Over how many steps the maps were averaged when kept, ``step`` the last of them; absent where over none.
    averaged_steps: NotRequired[int | None]
    #: Texts of the tokens summed; empty for the strongest-word map.
    tokens: Sequence[str]
    scale: Literal["own", "shared", "run", "fixed"]
    transform: Transform
    lo: float | None
    hi: float | None
    height: int
    width: int
    #: What is shown was reduced: of one layer, the coarse grid on screen; of many, the finest native grid among them.
    reduced: Sequence[int] | None
    eight_bit: bool
    nan: int
    constant: float | None
    image: str
    images: int
    branch: str
    branches: int
    #: Of self-attention: the pixel that is asked about, ``(y, x)`` in pixels of the picture (of one layer the centre of
    #: its cell), and which way; absent for what each pixel gets.
    pixel: NotRequired[Sequence[float] | None]
    direction: NotRequired[Literal["row", "column"] | None]
    #: Or how many pixels of a box are asked about, on average.
    box: NotRequired[int | None]
    #: Whether that pixel's row or column is counted in even shares.
    shares: NotRequired[bool]
    #: Whether several words have colours of their own: ``tokens`` are these words, ``highs`` the end of each scale.
    hues: NotRequired[bool]
    highs: NotRequired[Sequence[float]]
    #: Percentiles between which the colours run.
    clip: NotRequired[Sequence[float] | None]
    #: How many positions count: chance is 1 divided by it. 1 where values are multiples of chance already.
    positions: NotRequired[int | None]
    renormalise: NotRequired[bool]
    drop: NotRequired[Sequence[str]]
    blend: NotRequired[Literal["colour", "mask", "contour"]]
    smooth: NotRequired[bool]
    #: Whether queries and keys have 16 bits.
    sixteen_bit: NotRequired[bool]
    compare: NotRequired[Comparison | None]


_SCALE = {
    "own": "own scale",
    "shared": "scale shared by all maps shown",
    "run": "scale shared by all captured steps",
    "fixed": "fixed scale",
}
_TRANSFORM = {"linear": "linear", "sqrt": "square root", "log": "log10 with floor 0.0001", "uniform": "times chance"}
_BLEND = {"mask": "picture darkened where the map is low", "contour": "line around half of the mass"}


def legend(view: LegendView) -> str:
    """Say what a map shows: where from, over what it was averaged, how it was coloured.

    Parameters
    ----------
    view
        What is on screen.

    Returns
    -------
    str
        One sentence, used verbatim on screen and as every figure's caption.
    """
    words = view["kind"] != "self"
    what = [f"{view['kind']}-attention", _place(view), _heads(view), _when(view)]
    what.append(_whose(view["tokens"], view.get("hues", False)) if words else _which(view))
    if view["images"] > 1:
        what.append(f"image {view['image']}")
    if view["branches"] > 1 or view["branch"] != "cond":
        what.append(f"branch {view['branch']}")
    parts = [", ".join(what)]
    if words and not view["tokens"]:
        parts.append("bos, eos and padding left out")
    elif view["lo"] is not None and view["hi"] is not None:
        parts.append(_colours(view, view["lo"], view["hi"]))
    if words:
        parts.append(_normalised(view))
    if blend := _BLEND.get(view.get("blend", "")):
        parts.append(blend)
    parts.append(_cells(view))
    if view["eight_bit"]:
        parts.append("8-bit")
    if view.get("sixteen_bit"):
        parts.append("queries and keys in 16 bits")
    if view["nan"]:
        parts.append(f"{view['nan']} {'cell is' if view['nan'] == 1 else 'cells are'} not a number (magenta)")
    if view["constant"] is not None:
        parts.append(f"constant {figure(view['constant'])}")
    compare = view.get("compare")
    if compare is not None:
        parts = [f"A: {parts[0]}", *parts[1:], *_compared(compare)]
    return "; ".join(parts) + "."


def _grid(height: int, width: int) -> str:
    return f"{height}×{width}"


def _all(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _quoted(tokens: Sequence[str]) -> list[str]:
    return [f"‘{text}’" for text in tokens]


def _place(view: LegendView) -> str:
    if view["layer"] is not None:
        return view["layer"] if view["module"] is None else f"{view['layer']} ({view['module']})"
    how = ", finer ones by block mean, coarser ones by nearest cell" if view["reduced"] else " by nearest cell"
    few = "" if view["seen"] == view["layers"] else f"{view['seen']} of "
    return f"mean of {few}{view['layers']} layers (each on {_grid(view['height'], view['width'])}{how})"


def _heads(view: LegendView) -> str:
    head, count = view["head"], view["heads"]
    if head not in ("mean", "max"):
        return _head(head)
    if count == 1:
        return "the only head"
    every = "all heads" if count is None else f"{count} heads"
    return f"mean of {every}" if head == "mean" else f"maximum over {every}"


def _head(head: int | str | Sequence[int]) -> str:
    if isinstance(head, int):
        return f"head {head}"
    if isinstance(head, str):
        return "mean of heads" if head == "mean" else "maximum over heads"
    return f"mean of heads {_all([str(one) for one in head])}"


def _when(view: LegendView) -> str:
    run = "" if view["steps"] is None else f"/{view['steps']}"
    time = "" if view["timestep"] is None else f" (t={timestep_text(view['timestep'])})"
    averaged = view.get("averaged_steps")
    return f"{f'mean of {averaged} steps up to ' if averaged else ''}step {view['step']}{run}{time}"


def _whose(tokens: Sequence[str], hues: bool = False) -> str:
    if not tokens:
        return "strongest prompt word of each pixel"
    quoted = _quoted(tokens)
    if len(tokens) == 1:
        return f"token {quoted[0]}"
    return f"words {_all(quoted)} in colours of their own" if hues else f"tokens {', '.join(quoted)} summed"


def _which(view: LegendView) -> str:
    pixel = view.get("pixel")
    if box := view.get("box"):
        return f"{view.get('direction')}: mean over {box} pixels of a box"
    if pixel is None:
        return "received attention (column sums; 1 is an even share)"
    one = f"pixel (y {figure(pixel[0])}, x {figure(pixel[1])})"
    one += "" if view["layer"] is None else f" of {_grid(view['height'], view['width'])}"
    text = f"column: what attends to {one}" if view.get("direction") == "column" else f"row: where {one} attends to"
    if view["layer"] is not None and not view.get("shares"):
        return text
    whose = "each layer's" if view["layer"] is None else "the layer's"
    return f"{text} (times {whose} number of pixels; 1 is an even share)"


def _colours(view: LegendView, lo: float, hi: float) -> str:
    transform, clip = view["transform"], view.get("clip")
    if transform == "rank":
        return "rank within the map, 0 lowest to 1 highest"
    how, times = _TRANSFORM[transform], 1
    if transform == "uniform":
        times = view.get("positions") or 1
        how += "" if times == 1 else f" (multiples of 1/{times})"
    if clip is not None and tuple(clip) != (0, 100) and view["scale"] != "fixed":
        how += f", clip {figure(clip[0])}–{figure(clip[1])} %"
    highs = view.get("highs") if view.get("hues") else None
    ends = _all([figure(one * times) for one in highs or [hi]])
    return f"{how}, {_SCALE[view['scale']]} {figure(lo * times)} to {ends}"


def _normalised(view: LegendView) -> str:
    positions = view.get("positions")
    dropped = _all([{"pad": "padding"}.get(kind, kind) for kind in view.get("drop") or [""]])
    if view.get("renormalise"):
        over = "" if positions is None else f" over {positions} {'token' if positions == 1 else 'tokens'}"
        return f"renormalised{over}{f' without {dropped}' if dropped else ''}"
    return f"not renormalised{f', {dropped} not counted' if dropped else ''}"


def _cells(view: LegendView) -> str:
    coarse = ""
    if view["layer"] is not None and view["reduced"]:
        coarse = f", coarse: block means of {_grid(*view['reduced'])}"
    smoothing = "with bilinear" if view.get("smooth") else "without"
    return f"{_grid(view['height'], view['width'])}{coarse}, shown {smoothing} smoothing"


def _compared(compare: Comparison) -> list[str]:
    changes = compare["changes"]
    said = [f"layer {changes['layer']}"] if "layer" in changes else []
    said += [_head(changes["head"])] if "head" in changes else []
    said += [f"step {changes['step']}"] if "step" in changes else []
    said += [_whose(changes["tokens"])] if "tokens" in changes else []
    said += [f"image {changes['image']}"] if "image" in changes else []
    said += [f"branch {changes['branch']}"] if "branch" in changes else []
    if "direction" in changes:
        said.append("the column" if changes["direction"] == "column" else "the row")
    where = " in the second capture" if changes.get("capture") else ""
    parts = [f"B: the same{where}{f' with {_all(said)}' if said else ''}"]
    height, width, limit = compare.get("height"), compare.get("width"), compare.get("limit")
    if height is not None and width is not None and limit is not None:
        parts.append(f"difference A − B at {_grid(height, width)}, ±{figure(limit)}")
    return parts
