"""What each part of a scope's state may be; errors say what was wrong, what there is, and what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from attnscope.errors import UnknownLayerError, UnknownWordError, ViewError, choices
from attnscope.maps.words import word_positions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from attnscope.widget.protocol import Head, LayerEntry, Manifest, Token

__all__ = ["BOOLEANS", "OF_THE_CAPTURE", "VALUES", "Where", "of_kind"]

_DROPPED = ("bos", "eos", "pad")


@dataclass(frozen=True)
class Where:
    """What a value is checked against.

    Parameters
    ----------
    manifest
        What was captured.
    kind, layer
        Those that a head belongs to.
    """

    manifest: Mapping[str, Any] | Manifest
    kind: str = "cross"
    layer: str | None = None

    @property
    def layers(self) -> list[LayerEntry]:
        """Layers of the kind."""
        return of_kind(self.manifest, self.kind)


def of_kind(manifest: Mapping[str, Any] | Manifest, kind: Any) -> list[LayerEntry]:
    """Layers of one kind, in network order."""
    return [entry for entry in manifest["layers"] if entry["kind"] == kind]


def _kind(value: Any, where: Where) -> str:
    there = where.manifest["kinds"]
    if value not in there:
        others = tuple(there) + tuple(one for one in ("cross", "self") if one == value)
        msg = f"kind={value!r} was not captured. {choices(value, there)} Capture it with kinds={others!r}."
        raise ViewError(msg)
    return value


def _layer(value: Any, where: Where) -> str | None:
    labels = [entry["layer"] for entry in where.layers]
    if value is None or (isinstance(value, str) and value in labels):
        return value
    missing = {entry["layer"]: entry["reason"] for entry in where.manifest["missing"] if entry["kind"] == where.kind}
    why = f" It was not captured: {missing[value]}." if isinstance(value, str) and value in missing else ""
    of = "" if where.kind == "cross" else f" of {where.kind}-attention"
    msg = f"No captured layer{of} is called {value!r}.{why} {choices(value, labels)}"
    raise UnknownLayerError(msg)


def _head(value: Any, where: Where) -> Head:
    if isinstance(value, str) and value == "mean":
        return "mean"
    heads = {entry["layer"]: entry["single_heads"] for entry in where.layers}
    if not any(heads.values()):
        msg = f"head={value!r} is not there: only the mean over heads was kept (reduce=). 'mean' shows it."
        raise ViewError(msg)
    if isinstance(value, str) and value == "max":
        return "max"
    most = heads[where.layer] if where.layer in heads else max(heads.values())
    several = isinstance(value, (list, tuple, np.ndarray))
    named: list[Any] = list(value) if several else [value]
    for one in named:
        if not _is_int(one) or not 0 <= one < most:
            which = f"Layer {where.layer} has" if where.layer in heads else "There are"
            msg = (
                f"head={one!r} does not exist. {which} heads 0 to {most - 1}; 'mean' shows the mean over them, 'max' "
                "the largest of each cell, a list the mean of those in it."
            )
            raise ViewError(msg)
    if not several:
        return int(value)
    chosen = sorted({int(one) for one in named})
    if len(chosen) < 2:
        msg = f"head={value!r} names {len(chosen)} head(s). A list is the mean of two or more; give one as a number."
        raise ViewError(msg)
    return chosen


def _step(value: Any, where: Where) -> int:
    return _captured_step("step", value, where)


def _captured_step(name: str, value: Any, where: Where) -> int:
    labels = [entry["step"] for entry in where.manifest["steps"]]
    if not _is_int(value) or int(value) not in labels:
        msg = f"{name}={value!r} was not captured. {choices(value, labels)}"
        raise ViewError(msg)
    return int(value)


def _token(value: Any, where: Where) -> Token:
    entries = where.manifest["tokens"]
    if value is None:
        return None
    several = list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value]
    if not entries and several:
        msg = f"token={value!r} has no meaning: self-attention alone was captured. Capture kinds=('cross', 'self')."
        raise UnknownWordError(msg)
    if isinstance(value, str):
        table = pd.DataFrame(entries).rename(columns={"text": "token_text"})
        # The first occurrence: a map of all of them at once would hide which one is looked at.
        found = word_positions(table, value, 0)
        return found[0] if len(found) == 1 else found
    labels = [entry["token"] for entry in entries]
    for one in several:
        if not _is_int(one) or int(one) not in labels:
            words = choices("", [entry["word"] for entry in entries if entry["word_index"] >= 0])
            msg = f"token={one!r} was not kept. Give positions among {_runs(labels)}, or a word. {words}"
            raise UnknownWordError(msg)
    # Each once, in the prompt's order, as chosen on screen: a token that is named twice has no more attention.
    return sorted(set(map(int, several))) if isinstance(value, (list, tuple, np.ndarray)) else int(value)


def _image(value: Any, where: Where) -> int:
    count = len(where.manifest["images"])
    if not _is_int(value) or not 0 <= value < count:
        msg = f"image={value!r} does not exist. The run made {count}: 0 to {count - 1}."
        raise ViewError(msg)
    return int(value)


def _branch(value: Any, where: Where) -> str:
    if value not in where.manifest["branches"]:
        msg = f"branch={value!r} was not captured. {choices(value, where.manifest['branches'])}"
        raise ViewError(msg)
    return value


def _span(value: Any, where: Where) -> list[int] | None:
    if value is None:
        return None
    ends = _listed(value)
    if len(ends) != 2:
        msg = f"span={value!r} is no stretch of steps. Give the first and the last, such as [0, 9]; None for all."
        raise ViewError(msg)
    first, last = (_captured_step("span", end, where) for end in ends)
    if first > last:
        msg = f"span={value!r} ends before it begins. Give the first step, then the last."
        raise ViewError(msg)
    return [first, last]


def _uv(value: Any, _: Where) -> list[float] | None:
    pair = _listed(value)
    if value is not None and (len(pair) != 2 or not all(_is_number(one) and 0 <= one <= 1 for one in pair)):
        msg = (
            f"uv={value!r} is no point of the picture. Give (u, v) in [0, 1], u along x from the left, v from the top."
        )
        raise ViewError(msg)
    return None if value is None else [float(one) for one in pair]


def _region(value: Any, _: Where) -> list[float] | None:
    box = _listed(value)
    if value is not None:
        fits = len(box) == 4 and all(_is_number(one) and 0 <= one <= 1 for one in box)
        if not fits or not (box[0] < box[2] and box[1] < box[3]):
            msg = (
                f"region={value!r} is no box of the picture. Give (u0, v0, u1, v1) in [0, 1], its left, top, right and "
                "bottom, with u0 < u1 and v0 < v1."
            )
            raise ViewError(msg)
    return None if value is None else [float(one) for one in box]


def _limits(value: Any, _: Where) -> list[float] | None:
    pair = _listed(value)
    if value is not None and not _is_rising(pair):
        msg = f"limits={value!r} are none. Give two numbers, the lower one first, of values before the transform."
        raise ViewError(msg)
    return None if value is None else [float(one) for one in pair]


def _clip(value: Any, _: Where) -> list[float]:
    pair = _listed(value)
    if not _is_rising(pair) or pair[0] < 0 or pair[1] > 100:
        msg = f"clip={value!r} are no percentiles. Give two from 0 to 100, the lower one first; [0, 100] clips nothing."
        raise ViewError(msg)
    return [float(one) for one in pair]


def _drop(value: Any, where: Where) -> list[str]:
    named = _listed(value) if isinstance(value, (list, tuple)) else None
    if named is None or any(one not in _DROPPED for one in named):
        wrong = next((one for one in named or [] if one not in _DROPPED), value)
        msg = f"drop={value!r} names columns that are not there. Give a list. {choices(wrong, _DROPPED)}"
        raise ViewError(msg)
    kinds = {entry["kind"] for entry in where.manifest["tokens"]}
    if kinds and kinds <= set(named):
        msg = f"drop={value!r} leaves nothing: every token is of these kinds. Leave one out; [] drops none."
        raise ViewError(msg)
    return [one for one in _DROPPED if one in named]


def _overlay(value: Any, _: Where) -> float:
    if not _is_number(value) or not 0 <= value <= 1:
        msg = f"overlay={value!r} is no opacity. Give a number from 0 (the picture alone) to 1 (the map alone)."
        raise ViewError(msg)
    return float(value)


def _fps(value: Any, _: Where) -> float:
    if not _is_number(value) or not 1 <= value <= 30:
        msg = f"fps={value!r} is no speed. Give the steps a second, from 1 to 30."
        raise ViewError(msg)
    return int(value) if value == int(value) else float(value)


#: What True and False mean.
BOOLEANS: dict[str, tuple[str, str]] = {
    "hues": ("several words each in a colour of its own", "their sum"),
    "renormalise": ("values divided by the sum over the columns that count", "values as they are"),
    "smooth": ("maps drawn without visible cells", "every cell as it is"),
    "show_preview": ("the picture as predicted at this step", "the final one"),
}
#: What can be said only of a capture.
OF_THE_CAPTURE = ("kind", "layer", "head", "step", "token", "image", "branch", "span", "compare", "pins")
VALUES: dict[str, Callable[[Any, Where], Any]] = {
    "kind": _kind,
    "layer": _layer,
    "head": _head,
    "step": _step,
    "token": _token,
    "image": _image,
    "branch": _branch,
    "span": _span,
    "uv": _uv,
    "region": _region,
    "limits": _limits,
    "clip": _clip,
    "drop": _drop,
    "overlay": _overlay,
    "fps": _fps,
}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, np.ndarray)) else []


def _is_int(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _is_rising(pair: list[Any]) -> bool:
    return len(pair) == 2 and all(map(_is_number, pair)) and pair[0] < pair[1]


def _runs(labels: list[int]) -> str:
    consecutive = labels == list(range(labels[0], labels[0] + len(labels)))
    return f"{labels[0]} to {labels[-1]}" if consecutive else ", ".join(map(str, labels))
