"""What is on screen: a view, the expression that gives its data, and the data."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnscope.figures.colours import ColourMap, Transform
    from attnscope.maps.capture import Capture

__all__ = ["View", "any_array", "code", "counts", "evaluate", "heading", "query", "selected"]

#: One call in a chain that starts from a capture: its name, positional and keyword arguments.
Call: TypeAlias = tuple[str, tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class View:
    """Where a scope looks, and how.

    Parameters
    ----------
    level
        ``"unet"``: mean over layers and heads; ``"layer"``: the heads of one layer; ``"head"``: one of them, or their
        mean.
    kind
        Kind of attention.
    layer, head, step, image, branch
        Coordinates; ``layer`` and ``head`` count only where the level is as deep.
    token
        Positions; several are summed; empty for the strongest word of each pixel.
    uv
        A point of the picture in [0, 1], ``u`` along x.
    scale, transform, cmap, overlay, show_preview
        How maps are coloured, and what lies under them.
    """

    level: Literal["unet", "layer", "head"]
    layer: str
    step: int
    head: int | Literal["mean"] = "mean"
    token: tuple[int, ...] = ()
    kind: str = "cross"
    uv: tuple[float, float] | None = None
    image: int = 0
    branch: str = "cond"
    scale: Literal["auto", "own", "shared", "run"] = "auto"
    transform: Transform = "linear"
    cmap: ColourMap = "viridis"
    overlay: float = 0.7
    show_preview: bool = False

    @property
    def limits(self) -> Literal["own", "shared", "run"]:
        """The scale, with ``auto`` resolved."""
        return self.scale if self.scale != "auto" else "shared" if self.level == "layer" else "own"

    @property
    def one_head(self) -> bool:
        """Whether a single head is shown."""
        return self.level == "head" and self.head != "mean"

    def at(self, **changes: Any) -> View:
        """Look elsewhere."""
        return replace(self, **changes)


def query(view: View, *, images: int = 1, branches: int = 1, gaps: bool = False) -> list[Call]:
    """Write a view as calls on a capture.

    Parameters
    ----------
    view
        Where to look.
    images, branches
        How many the capture holds: with one there is no such dimension to select from.
    gaps
        Whether some of it was not seen: a sum over tokens must then not count it as 0.
    """
    kind = {} if view.kind == "cross" else {"kind": view.kind}
    where: dict[str, Any] = {"image": view.image} if images > 1 else {}
    where |= {"branch": view.branch} if branches > 1 else {}
    where |= {"step": view.step}
    where |= {"head": view.head} if view.one_head else {}
    where |= {"token": list(view.token)} if view.token else {}
    stack: Call = ("stack", (), {"how": "nearest", **kind})
    calls: list[Call] = [stack if view.level == "unet" else ("layer", (view.layer,), kind)]
    calls.append(("sel", (), where))
    if not view.one_head:
        calls.append(("mean", ("head",), {}))
    if view.level == "unet":
        # After the heads: layers differ in heads, and each layer counts the same.
        calls.append(("mean", ("layer",), {}))
    if view.token:
        calls.append(("sum", ("token",), {"skipna": False} if gaps else {}))
    return calls


def code(calls: Sequence[Call], name: str = "cap") -> str:
    """Write calls as the Python that makes them. Twin: ``js/src/scope/code.ts``, by ``tests/code_cases.json``.

    Examples
    --------
    >>> code(query(View(level="head", layer="up.1.0", head=1, step=12, token=(4,))))
    'cap.layer("up.1.0").sel(step=12, head=1, token=[4]).sum("token")'
    """
    for method, args, kwargs in calls:
        written = [_literal(arg) for arg in args] + [f"{key}={_literal(arg)}" for key, arg in kwargs.items()]
        name += f".{method}({', '.join(written)})"
    return name


def evaluate(cap: Any, calls: Sequence[Call]) -> xr.DataArray:
    """Make the calls."""
    for method, args, kwargs in calls:
        cap = getattr(cap, method)(*args, **kwargs)
    return cap


def selected(cap: Capture, view: View) -> tuple[xr.DataArray, list[Call]]:
    """Evaluate a view.

    Returns
    -------
    xarray.DataArray, list
        ``(pixel)``, or ``(pixel, token)`` where no token is chosen; NaN where nothing was seen. The second are the
        calls that give it.
    """
    images, branches = counts(cap)
    calls = query(view, images=images, branches=branches)
    # The same expression on one step: stacking every step onto one grid, only to look at one, would fill the memory.
    source = _one_step(cap, view.step) if view.level == "unet" else cap
    if not view.token:
        return evaluate(source, calls), calls
    each = evaluate(source, calls[:-1])
    calls = query(view, images=images, branches=branches, gaps=bool(np.isnan(each.values).any()))
    return evaluate(each, calls[-1:]), calls


def counts(cap: Capture) -> tuple[int, int]:
    """How many images and branches a capture holds."""
    sizes = any_array(cap).sizes
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


def any_array(cap: Capture, kind: str = "cross") -> xr.DataArray:
    """One grid's maps, for what all grids have in common: steps, images, tokens, the picture's size."""
    node: Any = next(iter(cap.tree[kind].children.values()))
    return node["attention"]


def _one_step(cap: Capture, step: int) -> Capture:
    nodes = {
        f"/{kind}/{name}": child.to_dataset().sel(step=[step])
        for kind, node in cap.tree.children.items()
        if kind != "pictures"
        for name, child in node.children.items()
    }
    tree = xr.DataTree.from_dict({"/": xr.Dataset(attrs=dict(cap.attrs)), **nodes})
    return type(cap)(tree)


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(value)
