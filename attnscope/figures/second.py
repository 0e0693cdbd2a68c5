"""The second of two views that are compared: the first one with some coordinates changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from attnscope.analysis import difference
from attnscope.errors import ViewError, choices
from attnscope.figures.query import Call, Query
from attnscope.figures.view import selected

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from attnscope.figures.view import View
    from attnscope.maps.capture import Capture

__all__ = ["CHANGES", "first", "matched", "second", "subtract"]

#: What may be changed, in the order in which the legend names it.
CHANGES = ("capture", "layer", "head", "step", "token", "image", "branch", "direction")


def first(view: View) -> View:
    """Leave out what a view is compared with; several words are then one sum, as a difference has one sign."""
    return view.at(compare=None, hues=False)


def second(cap: Capture, view: View, other: Capture | None = None) -> tuple[Capture, View, Literal["cap", "other"]]:
    """Find what a view is compared with.

    Parameters
    ----------
    cap
        The capture.
    view
        A view with ``compare``.
    other
        The second capture, for ``compare={"capture": 1}``; words are found there by their text and occurrence.

    Returns
    -------
    Capture, View, str
        Where to look, at what, and the name of that capture in code. A layer or a head that is changed is looked at
        even where the view itself is not as deep.

    Raises
    ------
    ViewError
        If something else would be changed, or there is no second capture, or a word is not in it.
    """
    changes: dict[str, Any] = dict(view.compare or {})
    for name in changes:
        if name not in CHANGES:
            msg = f"compare changes {name!r}, which cannot be compared. {choices(name, CHANGES)}"
            raise ViewError(msg)
    elsewhere = bool(changes.pop("capture", 0))
    if "token" in changes:
        token = changes["token"]
        changes["token"] = () if token is None else tuple(token) if isinstance(token, (list, tuple)) else (token,)
    if "head" in changes:
        changes["level"] = "head"
    elif "layer" in changes and view.level == "unet":
        changes["level"] = "layer"
    if not elsewhere:
        return cap, first(view).at(**changes), "cap"
    if other is None:
        msg = "compare={'capture': 1} needs a second capture: attnscope.Scope(cap, against=other)."
        raise ViewError(msg)
    if view.words and "token" not in changes:
        changes["token"] = matched(cap.tokens, other.tokens, view.token)
    return other, first(view).at(**changes), "other"


def matched(here: pd.DataFrame, there: pd.DataFrame, tokens: tuple[int, ...]) -> tuple[int, ...]:
    """Find tokens in another prompt: the same word, the same occurrence of it; special tokens by their kind.

    Raises
    ------
    ViewError
        If a word is not there.
    """
    pairs = {name: _named(table) for name, table in (("here", here), ("there", there))}
    names = {token: name for name, several in pairs["here"].items() for token in several}
    found: list[int] = []
    for token in tokens:
        name = names[token]
        if name not in pairs["there"]:
            words = [str(word) for word, kind, _ in pairs["there"] if kind == "prompt"]
            msg = f"The word {name[0]!r} is not in the second capture's prompt. {choices(name[0], words)}"
            raise ViewError(msg)
        found += [one for one in pairs["there"][name] if one not in found]
    return tuple(found)


def _named(table: pd.DataFrame) -> dict[tuple[str, str, int], list[int]]:
    """Tokens by word, kind and occurrence."""
    named: dict[tuple[str, str, int], list[int]] = {}
    numbers: dict[tuple[str, str], list[int]] = {}
    columns = (table[name].tolist() for name in ("token", "word", "token_kind", "word_index"))
    for token, word, kind, number in zip(*columns, strict=True):
        text = str(word).lower() if kind == "prompt" else ""
        known = numbers.setdefault((text, kind), [])
        if number not in known:
            known.append(number)
        named.setdefault((text, kind, known.index(number)), []).append(token)
    return named


def subtract(cap: Capture, view: View, other: Capture | None = None) -> tuple[xr.DataArray, list[Call]]:
    """Evaluate the difference of a view and what it is compared with."""
    a, calls = selected(cap, first(view))
    source, there, name = second(cap, view, other)
    b, others = selected(source, there)
    subtraction: Call = ("attnscope.analysis.difference", (Query(tuple(others), name),), {})
    return difference(a, b), [*calls, subtraction]
