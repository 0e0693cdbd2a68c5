"""The values behind a figure: what a view shows, cell by cell, and the limits of its colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.figures.colours import LOG_FLOOR, OKABE_ITO, OTHER_RGB
from attnscope.figures.legend import LegendView, legend
from attnscope.figures.spec import Map, Swatch
from attnscope.figures.view import any_array, counts, selected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from attnscope.figures.view import View
    from attnscope.maps.capture import Capture

__all__ = ["Palette", "colour", "field", "highest", "sentence", "token_texts"]


def field(cap: Capture, view: View) -> np.ndarray:
    """Values on screen: ``(row, column)``, with a last axis for tokens where none is chosen; float32."""
    array = selected(cap, view)[0]
    index: Any = array.indexes["pixel"]
    values = array.transpose("pixel", ...).values.astype(np.float32)
    return values.reshape(*index.levshape, *values.shape[1:])


def highest(maps: Iterable[np.ndarray]) -> float:
    """The largest value that is a number; 0 where there is none."""
    return max((float(np.nanmax(one)) for one in maps if np.isfinite(one).any()), default=0.0)


def token_texts(cap: Capture, view: View) -> list[str]:
    """Texts of the chosen tokens."""
    texts = dict(zip(cap.tokens["token"], cap.tokens["token_text"], strict=True))
    return [str(texts[token]).strip() for token in view.token]


class Palette:
    """Which word has which colour in a strongest-word map: the heaviest seven one each, the others grey.

    Parameters
    ----------
    tokens
        A table like ``Capture.tokens``.
    mass
        Weight of each token.
    """

    def __init__(self, tokens: pd.DataFrame, mass: Mapping[int, float]) -> None:
        kinds = np.asarray(tokens["token_kind"] == "prompt")
        self.columns: np.ndarray = np.flatnonzero(kinds) if kinds.any() else np.arange(len(tokens))
        table = tokens.iloc[self.columns]
        # A token of no known word stands for itself.
        words = np.where(table["word_index"] >= 0, table["word_index"], -1 - table["token"])
        names: dict[int, str] = {}
        weights: dict[int, float] = {}
        for word, name, token in zip(words.tolist(), list(table["word"]), list(table["token"]), strict=True):
            names.setdefault(word, str(name))
            weights[word] = weights.get(word, 0.0) + mass.get(int(token), 0.0)
        heaviest = set(sorted(weights, key=lambda word: -weights[word])[: len(OKABE_ITO)])
        coloured = [word for word in names if word in heaviest]
        self.swatches = tuple(Swatch(names[word], rgb) for word, rgb in zip(coloured, OKABE_ITO, strict=False))
        if len(coloured) < len(names):
            self.swatches += (Swatch("other", OTHER_RGB),)
        self._slots = np.array([coloured.index(word) if word in heaviest else len(coloured) for word in names])
        self._words = (words[:, None] == list(names)).astype(np.float32)

    def codes(self, values: np.ndarray) -> np.ndarray:
        """From ``(row, column, token)`` to the colour of the strongest word; -1 where a value is not a number."""
        pieces = values[..., self.columns]
        seen: np.ndarray = np.asarray(np.isfinite(pieces).all(axis=-1))
        rivals = np.where(seen[..., None], pieces, 0) @ self._words  # a word has all that its pieces have
        return np.where(seen, self._slots[rivals.argmax(axis=-1)], -1)


def colour(view: View, values: np.ndarray, hi: float, palette: Palette | None, *, opacity: float = 1.0) -> Map:
    """Turn values into a coloured map."""
    if palette is not None:
        return Map(palette.codes(values), categories=palette.swatches, opacity=opacity)
    lo = LOG_FLOOR if view.transform == "log" else 0.0
    return Map(values, lo, hi, view.transform, view.cmap, opacity=opacity)


def sentence(cap: Capture, view: View, shown: Map, *, reduced: tuple[int, int] | None = None) -> str:
    """Say what the main map of a view shows; ``reduced``: the finest native grid, where the map is coarser."""
    layers = [row for row in cap.layers.to_dict("records") if row["kind"] == view.kind]
    steps = any_array(cap, view.kind)
    row = None if view.level == "unet" else next(row for row in layers if row["layer"] == view.layer)
    heads = {row["heads"] for row in layers} if row is None else {row["heads"]}
    images, branches = counts(cap)
    height, width = shown.values.shape
    timestep = steps["timestep"].sel(step=view.step).item() if "timestep" in steps.coords else None
    attrs = cap.attrs
    facts: LegendView = {
        "kind": view.kind,
        "layer": None if row is None else str(row["layer"]),
        "module": None if row is None else str(row["module"]),
        "layers": len(layers) if row is None else None,
        "seen": _seen(cap, view) if row is None else None,
        "head": view.head if view.one_head else "mean",
        "heads": int(heads.pop()) if len(heads) == 1 else None,
        "step": view.step,
        "steps": None if attrs.get("steps") is None else int(attrs["steps"]),
        "timestep": timestep,
        "averaged_steps": attrs.get("averaged_steps"),
        "tokens": token_texts(cap, view),
        "scale": view.scale_shown,
        "transform": view.transform,
        "lo": None if shown.categories else shown.lo,
        "hi": None if shown.categories else shown.hi,
        "height": height,
        "width": width,
        "reduced": reduced,
        "eight_bit": False,
        "nan": int((shown.values < 0).sum() if shown.categories else np.isnan(shown.values).sum()),
        "constant": shown.constant,
        "image": str(view.image),
        "branch": view.branch,
        "images": images,
        "branches": branches,
    }
    return legend(facts)


def _seen(cap: Capture, view: View) -> int:
    """How many layers have values where a view looks."""
    images, branches = counts(cap)
    where: dict[str, Any] = {"step": view.step}
    where |= {"image": view.image} if images > 1 else {}
    where |= {"branch": view.branch} if branches > 1 else {}
    count = 0
    for node in cap.tree[view.kind].children.values():
        maps: Any = node["attention"].sel(where).isel(head=0)
        count += int(np.isfinite(maps).any([dim for dim in maps.dims if dim != "layer"]).sum())
    return count
