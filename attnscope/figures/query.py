"""A view as the xarray expression that gives its data: written, and evaluated. Twin: ``js/src/scope/code.ts``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr

    from attnscope.figures.view import View

__all__ = ["Call", "Query", "code", "decimals", "evaluate", "query"]

#: One call in a chain that starts from a capture: its name, positional and keyword arguments. A name of
#: ``attnscope.analysis`` is a function of what came before, any other a method of it.
Call: TypeAlias = tuple[str, tuple[Any, ...], dict[str, Any]]

_ANALYSIS = "attnscope.analysis."


@dataclass(frozen=True)
class Query:
    """Calls as an argument of another call, and the capture that they start from."""

    calls: tuple[Call, ...]
    source: Literal["cap", "other"] = "cap"


def query(
    view: View,
    *,
    images: int = 1,
    branches: int = 1,
    gaps: bool = False,
    apart: bool = False,
    cell: int | list[int] | None = None,
) -> list[Call]:
    """Write a view as calls on a capture, without what it is compared with.

    Parameters
    ----------
    view
        Where to look.
    images, branches
        How many the capture holds: with one there is no such dimension to select from.
    gaps
        Whether some of it was not seen: a sum over tokens must then not count it as 0.
    apart
        Whether the chosen tokens are kept apart, each with a colour of its own, not summed.
    cell
        Of self-attention of one layer, the cell under the point, counted row by row; or those of a box.
    """
    where: dict[str, Any] = {"image": view.image} if images > 1 else {}
    where |= {"branch": view.branch} if branches > 1 else {}
    where |= {"step": view.step}
    if view.kind == "self":
        return _pixels(view, where, cell)
    where |= _heads(view)
    stack: Call = ("stack", (), {"how": "nearest"})
    calls: list[Call] = [stack if view.level == "unet" else ("layer", (view.layer,), {})]
    tokens = {"token": list(view.token)} if view.token else {}
    # What is renormalised needs every token; else those that are not looked at need not be averaged.
    calls.append(("sel", (), where if view.renormalise else where | tokens))
    calls += _over_heads(view)
    if view.renormalise:
        calls.append((_ANALYSIS + "renormalise", (), {"drop": list(view.drop)} if view.drop else {}))
        calls += [("sel", (), tokens)] if tokens else []
    if view.drop and not tokens:
        calls.append((_ANALYSIS + "drop_tokens", (list(view.drop),), {}))
    if tokens and not apart:
        calls.append(("sum", ("token",), {"skipna": False} if gaps else {}))
    return calls


def _pixels(view: View, where: dict[str, Any], cell: int | list[int] | None) -> list[Call]:
    if view.level == "unet":
        point = {} if view.uv is None else {"uv": list(view.uv), "direction": view.direction}
        name = _ANALYSIS + ("received_stack" if view.uv is None else "pixel_stack")
        return [(name, (), {**point, **where}), *_over_heads(view)]
    calls: list[Call] = [("layer", (view.layer,), {"kind": "self"}), ("sel", (), where | _heads(view))]
    if cell is None:
        calls.append(("sum", ("pixel",), {"skipna": False}))
    else:
        dim = "pixel" if view.direction == "row" else "key"
        calls.append(("isel", (), {dim: cell}))
        calls += [("mean", (dim,), {})] if isinstance(cell, list) else []
    return calls + _over_heads(view)


def _heads(view: View) -> dict[str, Any]:
    head = view.head_shown
    if isinstance(head, str):
        return {}
    return {"head": head if isinstance(head, int) else list(head)}


def _over_heads(view: View) -> list[Call]:
    if view.one_head:
        return []
    calls: list[Call] = [("max" if view.head_shown == "max" else "mean", ("head",), {})]
    # After the heads: layers differ in heads, and each layer counts the same.
    return calls + ([("mean", ("layer",), {})] if view.level == "unet" else [])


def code(calls: Sequence[Call], name: str = "cap", other: str = "other") -> str:
    """Write calls as the Python that makes them; both twins are held to ``tests/code_cases.json``.

    Parameters
    ----------
    calls
        As `query` gives them.
    name, other
        Of the capture and of a second one.

    Examples
    --------
    >>> from attnscope.figures.view import View
    >>> code(query(View(level="head", layer="up.1.0", head=1, step=12, token=(4,))))
    'cap.layer("up.1.0").sel(step=12, head=1, token=[4]).sum("token")'
    """
    written = name
    for method, args, kwargs in calls:
        arguments = [_argument(arg, name, other) for arg in args] + [
            f"{key}={_literal(arg)}" for key, arg in kwargs.items()
        ]
        if method.startswith(_ANALYSIS):
            written = f"{method}({', '.join([written, *arguments])})"
        else:
            written += f".{method}({', '.join(arguments)})"
    return written


def evaluate(cap: Any, calls: Sequence[Call]) -> xr.DataArray:
    """Make the calls, none of which may have a query for an argument."""
    from attnscope import analysis

    for method, args, kwargs in calls:
        if method.startswith(_ANALYSIS):
            cap = getattr(analysis, method.removeprefix(_ANALYSIS))(cap, *args, **kwargs)
        else:
            cap = getattr(cap, method)(*args, **kwargs)
    return cap


def decimals(value: float) -> str:
    """Write a number with at most four decimals, ties away from zero, as both twins do.

    Examples
    --------
    >>> decimals(0.03125), decimals(1.0), decimals(0.3)
    ('0.0313', '1', '0.3')
    """
    return f"{Decimal(value).quantize(Decimal('0.0001'), ROUND_HALF_UP).normalize():f}"


def _argument(value: Any, name: str, other: str) -> str:
    if isinstance(value, Query):
        return code(value.calls, name if value.source == "cap" else other)
    return _literal(value)


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, float):
        return decimals(value)
    return repr(value)
