"""The state of a scope: its traits, their defaults, and what is checked of all of them together."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

import numpy as np

from attnscope.errors import AttnscopeError, ViewError, choices
from attnscope.widget import protocol
from attnscope.widget.checks import BOOLEANS, OF_THE_CAPTURE, VALUES, Where, of_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnscope.widget.protocol import Compare, Head, Kind, Manifest, Pin, Token

__all__ = ["DEFAULTS", "NAMES", "ScopeState", "check", "check_all", "complete", "first_layer", "settle"]

_ENUMS: dict[str, tuple[str, ...]] = {
    "level": get_args(protocol.Level),
    "direction": get_args(protocol.Direction),
    "compare_as": get_args(protocol.CompareAs),
    "scale": get_args(protocol.Scale),
    "transform": get_args(protocol.Transform),
    "cmap": ("viridis", "cividis", "magma", "gray"),
    "diverging": ("RdBu_r", "vik"),
    "blend": get_args(protocol.Blend),
    "sort": get_args(protocol.Sort),
    "order": get_args(protocol.Order),
    "loop": get_args(protocol.Loop),
    "theme": get_args(protocol.Theme),
}


class ScopeState(TypedDict, total=False):
    """Keyword arguments of `Scope`, and its traits."""

    level: protocol.Level
    kind: Kind
    layer: str | None
    head: Head
    step: int
    token: Token | str
    hues: bool
    uv: tuple[float, float] | list[float] | None
    region: tuple[float, float, float, float] | list[float] | None
    direction: protocol.Direction
    image: int
    branch: str
    compare: Compare | None
    compare_as: protocol.CompareAs
    scale: protocol.Scale
    limits: tuple[float, float] | list[float] | None
    clip: tuple[float, float] | list[float]
    transform: protocol.Transform
    drop: list[Literal["bos", "eos", "pad"]]
    renormalise: bool
    cmap: Literal["viridis", "cividis", "magma", "gray"]
    diverging: Literal["RdBu_r", "vik"]
    overlay: float
    blend: protocol.Blend
    smooth: bool
    sort: protocol.Sort
    order: protocol.Order
    fps: float
    loop: protocol.Loop
    span: tuple[int, int] | list[int] | None
    show_preview: bool
    pins: list[Pin]
    theme: protocol.Theme


#: In the order in which they are checked: a layer is one of a kind, a head one of a layer.
NAMES: tuple[str, ...] = ("kind", "layer", *(one for one in ScopeState.__annotations__ if one not in ("kind", "layer")))
#: Where nothing was captured yet.
DEFAULTS: dict[str, Any] = {
    "level": "unet",
    "kind": "cross",
    "layer": None,
    "head": "mean",
    "step": None,
    "token": None,
    "hues": True,
    "uv": None,
    "region": None,
    "direction": "row",
    "image": 0,
    "branch": "cond",
    "compare": None,
    "compare_as": "side",
    "scale": "auto",
    "limits": None,
    "clip": [0.0, 100.0],
    "transform": "linear",
    "drop": [],
    "renormalise": False,
    "cmap": "viridis",
    "diverging": "RdBu_r",
    "overlay": 0.7,
    "blend": "colour",
    "smooth": False,
    "sort": "index",
    "order": "prompt",
    "fps": 8,
    "loop": "loop",
    "span": None,
    "show_preview": False,
    "pins": [],
    "theme": "auto",
}
#: What B may have in place of what A has.
_COMPARED = tuple(protocol.Compare.__annotations__)


def complete(state: Mapping[str, Any], manifest: Mapping[str, Any] | Manifest) -> dict[str, Any]:
    """Fill up a state with defaults, and check it.

    Where nothing was captured yet, what depends on it is taken as it is: `settle` checks it later.

    Raises
    ------
    TypeError
        If a name is unknown.
    """
    _known(state)
    full = deepcopy(DEFAULTS)
    if manifest["layers"]:
        full |= {"kind": manifest["kinds"][0], "step": manifest["steps"][-1]["step"] if manifest["steps"] else None}
        full["branch"] = manifest["branches"][0]
    # Who names a layer or a head wants to see it.
    full["level"] = "head" if "head" in state else "layer" if state.get("layer") is not None else "unet"
    full |= state
    if "layer" not in state:
        full["layer"] = first_layer(full["kind"], manifest)
    return check_all(full, manifest)


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
    full, wrong = dict(state), []
    for name in NAMES:
        if name == "layer" and full["layer"] is None:
            full["layer"] = first_layer(full["kind"], manifest)
        try:
            full[name] = check(name, full[name], manifest, full)
        except AttnscopeError as error:
            fallback = complete({"kind": full["kind"]} if name != "kind" else {}, manifest)
            full[name] = fallback[name]
            wrong.append(str(error))
    return full, wrong


def check_all(state: Mapping[str, Any], manifest: Mapping[str, Any] | Manifest) -> dict[str, Any]:
    """Check several traits, each against the kind and layer among them.

    Raises
    ------
    TypeError
        If a name is unknown.
    """
    _known(state)
    full = dict(state)
    for name in NAMES:
        if name in full:
            full[name] = check(name, full[name], manifest, full)
    return full


def check(name: str, value: Any, manifest: Mapping[str, Any] | Manifest, state: Mapping[str, Any]) -> Any:
    """Check the value of one trait.

    Parameters
    ----------
    name
        The trait.
    value
        What it is to be.
    manifest
        What was captured.
    state
        Traits that it depends on: the kind and the layer that a head belongs to.

    Returns
    -------
    object
        The value as JSON: a word becomes its positions.

    Raises
    ------
    UnknownLayerError, UnknownWordError, ViewError
        If it cannot be; the text says what can.
    """
    if name in _ENUMS:
        return _one_of(name, value, _ENUMS[name])
    if name in BOOLEANS:
        return _boolean(name, value)
    if not manifest["layers"] and name in OF_THE_CAPTURE:
        return _one_of(name, value, get_args(protocol.Kind)) if name == "kind" else value
    if name == "compare":
        return _compare(value, manifest, state)
    if name == "pins":
        return _pins(value, manifest, state)
    return VALUES[name](value, Where(manifest, state.get("kind", "cross"), state.get("layer")))


def _one_of(name: str, value: Any, available: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in available:
        msg = f"{name}={value!r} is unknown. {choices(value, available)}"
        raise ViewError(msg)
    return value


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        yes, no = BOOLEANS[name]
        msg = f"{name}={value!r} must be True ({yes}) or False ({no})."
        raise ViewError(msg)
    return bool(value)


def _compare(value: Any, manifest: Mapping[str, Any] | Manifest, state: Mapping[str, Any]) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not value:
        msg = (
            f"compare={value!r} does not say what differs. Give one or more of {', '.join(_COMPARED)}, such as "
            "{'step': 0}: B is A with these changed. None compares nothing."
        )
        raise ViewError(msg)
    for name in value:
        if name not in _COMPARED:
            msg = f"compare={value!r}: {name!r} cannot differ. {choices(name, _COMPARED)}"
            raise ViewError(msg)
    capture = value.get("capture", 0)
    second = manifest.get("other")
    if isinstance(capture, bool) or capture not in ((0,) if second is None else (0, 1)):
        there = "0 and 1" if second else "0; a second one is given by attnscope.Scope(cap, against=other)"
        msg = f"compare={value!r}: capture {capture!r} is not there. Available: {there}."
        raise ViewError(msg)
    of = second if capture and second else manifest
    kind = state.get("kind", "cross")
    if kind not in of["kinds"]:
        msg = f"compare={value!r}: the second capture holds no {kind}-attention. {choices(kind, of['kinds'])}"
        raise ViewError(msg)
    if value.get("layer", "") is None:
        msg = f"compare={value!r}: B needs a layer. {choices('', [entry['layer'] for entry in of_kind(of, kind)])}"
        raise ViewError(msg)
    beside = {**state, **value}
    checked = {name: check(name, value[name], of, beside) for name in _COMPARED if name in value and name != "capture"}
    return checked | ({"capture": int(capture)} if "capture" in value else {})


def _pins(value: Any, manifest: Mapping[str, Any] | Manifest, state: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(value, (list, tuple)):
        msg = f"pins={value!r} is no list. Give a list of {{'state': {{...}}, 'note': '...'}}; [] for none."
        raise ViewError(msg)
    checked = []
    for place, pin in enumerate(value):
        whole = isinstance(pin, dict) and set(pin) <= {"state", "note"} and isinstance(pin.get("state"), dict)
        if not whole or not isinstance(pin.get("note", ""), str) or "pins" in pin["state"]:
            msg = f"pins[{place}]={pin!r} is no pin. Give {{'state': {{...}}, 'note': '...'}}, a state without pins."
            raise ViewError(msg)
        try:
            about = {name: state[name] for name in ("kind", "layer") if name in state}
            seen = check_all({**about, **pin["state"]}, manifest)
        except (AttnscopeError, TypeError) as error:
            kind = type(error) if isinstance(error, AttnscopeError) else ViewError
            msg = f"pins[{place}]: {error}"
            raise kind(msg) from error
        checked.append({"state": {name: seen[name] for name in pin["state"]}, "note": pin.get("note", "")})
    return checked


def first_layer(kind: Any, manifest: Mapping[str, Any] | Manifest) -> str | None:
    """Label of the first layer of a kind; None where there is none."""
    return next((entry["layer"] for entry in of_kind(manifest, kind)), None)


def _known(state: Mapping[str, Any]) -> None:
    unknown = sorted(set(state) - set(NAMES), key=str)
    if unknown:
        msg = f"Scope has no {', '.join(map(repr, unknown))}. {choices(unknown[0], DEFAULTS)}"
        raise TypeError(msg)
