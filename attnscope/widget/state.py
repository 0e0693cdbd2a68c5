"""The state of a scope: what each trait may be, and errors that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
import pandas as pd

from attnscope.errors import AttnscopeError, UnknownLayerError, UnknownWordError, ViewError, choices
from attnscope.maps.words import word_positions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnscope.widget.protocol import Head, Level, Manifest, Scale, Theme, Token, Transform

__all__ = ["ENUMS", "NAMES", "ScopeState", "check", "complete", "settle"]

ENUMS: dict[str, tuple[str, ...]] = {
    "level": ("unet", "layer", "head"),
    "kind": ("cross",),
    "scale": ("auto", "own", "shared", "run"),
    "transform": ("linear", "sqrt", "log"),
    "cmap": ("viridis", "cividis", "magma", "gray"),
    "theme": ("auto", "light", "dark"),
}


class ScopeState(TypedDict, total=False):
    """Keyword arguments of `Scope`, and its traits."""

    level: Level
    kind: Literal["cross"]
    layer: str | None
    head: Head
    step: int
    token: Token | str
    uv: tuple[float, float] | list[float] | None
    image: int
    branch: str
    scale: Scale
    transform: Transform
    cmap: Literal["viridis", "cividis", "magma", "gray"]
    overlay: float
    show_preview: bool
    theme: Theme


#: What can be said only of a capture.
_OF_THE_CAPTURE = ("layer", "head", "step", "token", "image", "branch")
#: In the order in which they are checked: a head belongs to a layer.
NAMES: tuple[str, ...] = tuple(ScopeState.__annotations__)


def complete(state: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Fill up a state with defaults, and check it.

    Where nothing was captured yet, what depends on it is taken as it is: `settle` checks it later.

    Raises
    ------
    TypeError
        If a name is unknown.
    """
    unknown = sorted(set(state) - set(NAMES))
    if unknown:
        msg = f"Scope has no {', '.join(map(repr, unknown))}. {choices(unknown[0], NAMES)}"
        raise TypeError(msg)
    full: dict[str, Any] = {
        "level": "unet",
        "kind": "cross",
        "layer": manifest["layers"][0]["layer"] if manifest["layers"] else None,
        "head": "mean",
        "step": manifest["steps"][-1]["step"] if manifest["steps"] else None,
        "token": None,
        "uv": None,
        "image": 0,
        "branch": manifest["branches"][0] if manifest["branches"] else "cond",
        "scale": "auto",
        "transform": "linear",
        "cmap": "viridis",
        "overlay": 0.7,
        "show_preview": False,
        "theme": "auto",
    }
    # Who names a layer or a head wants to see it.
    level = "head" if "head" in state else "layer" if state.get("layer") is not None else "unet"
    full |= {"level": level, **state}
    for name in NAMES:
        full[name] = check(name, full[name], manifest, layer=full["layer"])
    return full


def settle(state: Mapping[str, Any], manifest: Manifest) -> tuple[dict[str, Any], list[str]]:
    """Check a state that was wished for before there was anything to look at.

    Parameters
    ----------
    state
        Every trait.
    manifest
        What is captured now.

    Returns
    -------
    dict, list of str
        The state, with a default in place of what cannot be; and the reasons.
    """
    fallback, full, wrong = complete({}, manifest), dict(state), []
    full["layer"] = fallback["layer"] if state["layer"] is None else state["layer"]
    for name in NAMES:
        try:
            full[name] = check(name, full[name], manifest, layer=full["layer"])
        except AttnscopeError as error:
            full[name] = fallback[name]
            wrong.append(str(error))
    return full, wrong


def check(name: str, value: Any, manifest: Mapping[str, Any] | Manifest, *, layer: str | None = None) -> Any:
    """Check the value of one trait.

    Parameters
    ----------
    name
        The trait.
    value
        What it is to be.
    manifest
        What was captured.
    layer
        The layer that a head belongs to.

    Returns
    -------
    object
        The value as JSON: a word becomes its positions.

    Raises
    ------
    UnknownLayerError, UnknownWordError, ViewError
        If it cannot be; the text says what can.
    """
    if name in ENUMS:
        if not isinstance(value, str) or value not in ENUMS[name]:
            msg = f"{name}={value!r} is unknown. {choices(value, ENUMS[name])}"
            raise ViewError(msg)
        return value
    if not manifest["layers"] and name in _OF_THE_CAPTURE:
        return value
    return _CHECKS[name](value, manifest, layer)


def _layer(value: Any, manifest: Mapping[str, Any], _: str | None) -> str | None:
    labels = [entry["layer"] for entry in manifest["layers"]]
    if value is None or (isinstance(value, str) and value in labels):
        return value
    missing = {entry["layer"]: entry["reason"] for entry in manifest["missing"] if entry["kind"] == "cross"}
    why = f" It was not captured: {missing[value]}." if isinstance(value, str) and value in missing else ""
    msg = f"No captured layer is called {value!r}.{why} {choices(value, labels)}"
    raise UnknownLayerError(msg)


def _head(value: Any, manifest: Mapping[str, Any], layer: str | None) -> Head:
    if isinstance(value, str) and value == "mean":
        return value  # type: ignore[return-value]
    heads = {entry["layer"]: entry["single_heads"] for entry in manifest["layers"]}
    if not any(heads.values()):
        msg = f"head={value!r} is not there: only the mean over heads was kept (reduce=). 'mean' shows it."
        raise ViewError(msg)
    most = heads[layer] if layer in heads else max(heads.values())
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or not 0 <= value < most:
        which = f"Layer {layer} has" if layer in heads else "There are"
        msg = f"head={value!r} does not exist. {which} heads 0 to {most - 1}; 'mean' shows the mean over them."
        raise ViewError(msg)
    return int(value)


def _step(value: Any, manifest: Mapping[str, Any], _: str | None) -> int:
    labels = [entry["step"] for entry in manifest["steps"]]
    if not _is_int(value) or int(value) not in labels:
        msg = f"step={value!r} was not captured. {choices(value, labels)}"
        raise ViewError(msg)
    return int(value)


def _token(value: Any, manifest: Mapping[str, Any], _: str | None) -> Token:
    entries = manifest["tokens"]
    if value is None:
        return None
    if isinstance(value, str):
        table = pd.DataFrame(entries).rename(columns={"text": "token_text"})
        # The first occurrence: a map of all of them at once would hide which one is looked at.
        found = word_positions(table, value, 0)
        return found[0] if len(found) == 1 else found
    labels = [entry["token"] for entry in entries]
    several = list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value]
    for one in several:
        if not _is_int(one) or int(one) not in labels:
            words = choices("", [entry["word"] for entry in entries if entry["word_index"] >= 0])
            msg = f"token={one!r} was not kept. Give positions among {_runs(labels)}, or a word. {words}"
            raise UnknownWordError(msg)
    # Each once: a token that is named twice has no more attention.
    return list(dict.fromkeys(map(int, several))) if isinstance(value, (list, tuple, np.ndarray)) else int(value)


def _uv(value: Any, _: Mapping[str, Any], __: str | None) -> list[float] | None:
    if value is None:
        return None
    pair = list(value) if isinstance(value, (list, tuple, np.ndarray)) else []
    if len(pair) != 2 or not all(_is_number(one) and 0 <= one <= 1 for one in pair):
        msg = (
            f"uv={value!r} is no point of the picture. Give (u, v) in [0, 1], u along x from the left, v from the top."
        )
        raise ViewError(msg)
    return [float(one) for one in pair]


def _image(value: Any, manifest: Mapping[str, Any], _: str | None) -> int:
    count = len(manifest["images"])
    if not _is_int(value) or not 0 <= value < count:
        msg = f"image={value!r} does not exist. The run made {count}: 0 to {count - 1}."
        raise ViewError(msg)
    return int(value)


def _branch(value: Any, manifest: Mapping[str, Any], _: str | None) -> str:
    if value not in manifest["branches"]:
        msg = f"branch={value!r} was not captured. {choices(value, manifest['branches'])}"
        raise ViewError(msg)
    return value


def _overlay(value: Any, _: Mapping[str, Any], __: str | None) -> float:
    if not _is_number(value) or not 0 <= value <= 1:
        msg = f"overlay={value!r} is no opacity. Give a number from 0 (the picture alone) to 1 (the map alone)."
        raise ViewError(msg)
    return float(value)


def _show_preview(value: Any, _: Mapping[str, Any], __: str | None) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        msg = f"show_preview={value!r} must be True (the picture as predicted at this step) or False (the final one)."
        raise ViewError(msg)
    return bool(value)


_CHECKS = {
    "layer": _layer,
    "head": _head,
    "step": _step,
    "token": _token,
    "uv": _uv,
    "image": _image,
    "branch": _branch,
    "overlay": _overlay,
    "show_preview": _show_preview,
}


def _is_int(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _runs(labels: list[int]) -> str:
    consecutive = labels == list(range(labels[0], labels[0] + len(labels)))
    return f"{labels[0]} to {labels[-1]}" if consecutive else ", ".join(map(str, labels))
