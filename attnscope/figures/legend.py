"""The legend sentence. Twin: ``js/src/scope/legend.ts``; both are held to ``tests/legend_cases.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from attnscope.figures.numbers import figure, timestep_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnscope.figures.colours import Transform

__all__ = ["LegendView", "legend"]


class LegendView(TypedDict):
    """All that the sentence speaks of."""

    kind: str
    #: One layer and its module, or None and how many layers are meant, and how many of them were seen at this step.
    layer: str | None
    module: str | None
    layers: int | None
    seen: int | None
    head: int | Literal["mean"]
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
    scale: Literal["own", "shared", "run"]
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


_SCALE = {
    "own": "own scale",
    "shared": "scale shared by all maps shown",
    "run": "scale shared by all captured steps",
}
_TRANSFORM = {"linear": "linear", "sqrt": "square root", "log": "log10 with floor 0.0001"}


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
    tokens, lo, hi = view["tokens"], view["lo"], view["hi"]
    what = [f"{view['kind']}-attention", _place(view), _heads(view), _when(view), _whose(tokens)]
    if view["images"] > 1:
        what.append(f"image {view['image']}")
    if view["branches"] > 1 or view["branch"] != "cond":
        what.append(f"branch {view['branch']}")
    parts = [", ".join(what)]
    if not tokens:
        parts.append("bos, eos and padding left out")
    elif lo is not None and hi is not None:
        parts.append(f"{_TRANSFORM[view['transform']]}, {_SCALE[view['scale']]} {figure(lo)} to {figure(hi)}")
    parts += ["not renormalised", _cells(view)]
    if view["eight_bit"]:
        parts.append("8-bit")
    if view["nan"]:
        parts.append(f"{view['nan']} {'cell is' if view['nan'] == 1 else 'cells are'} not a number (magenta)")
    if view["constant"] is not None:
        parts.append(f"constant {figure(view['constant'])}")
    return "; ".join(parts) + "."


def _grid(height: int, width: int) -> str:
    return f"{height}×{width}"


def _place(view: LegendView) -> str:
    if view["layer"] is not None:
        return view["layer"] if view["module"] is None else f"{view['layer']} ({view['module']})"
    how = ", finer ones by block mean, coarser ones by nearest cell" if view["reduced"] else " by nearest cell"
    few = "" if view["seen"] == view["layers"] else f"{view['seen']} of "
    return f"mean of {few}{view['layers']} layers (each on {_grid(view['height'], view['width'])}{how})"


def _heads(view: LegendView) -> str:
    if view["head"] != "mean":
        return f"head {view['head']}"
    if view["heads"] is None:
        return "mean of all heads"
    return "the only head" if view["heads"] == 1 else f"mean of {view['heads']} heads"


def _when(view: LegendView) -> str:
    run = "" if view["steps"] is None else f"/{view['steps']}"
    time = "" if view["timestep"] is None else f" (t={timestep_text(view['timestep'])})"
    averaged = view.get("averaged_steps")
    return f"{f'mean of {averaged} steps up to ' if averaged else ''}step {view['step']}{run}{time}"


def _whose(tokens: Sequence[str]) -> str:
    if not tokens:
        return "strongest prompt word of each pixel"
    quoted = ", ".join(f"‘{text}’" for text in tokens)
    return f"token {quoted}" if len(tokens) == 1 else f"tokens {quoted} summed"


def _cells(view: LegendView) -> str:
    coarse = ""
    if view["layer"] is not None and view["reduced"]:
        coarse = f", coarse: block means of {_grid(*view['reduced'])}"
    return f"{_grid(view['height'], view['width'])}{coarse}, shown without smoothing"
