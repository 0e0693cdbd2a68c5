"""The values behind a figure: what a view shows, cell by cell, and how it is coloured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.analysis import positions
from attnscope.figures.colours import LOG_FLOOR
from attnscope.figures.palette import Palette
from attnscope.figures.spec import Hue, Map, Swatch
from attnscope.figures.view import any_array, apart, grid_of, selected, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from attnscope.figures.view import View
    from attnscope.maps.capture import Capture

__all__ = ["Scale", "Shown", "field", "highest", "limits", "times_chance", "token_texts", "without", "word_texts"]


def field(cap: Capture, view: View) -> np.ndarray:
    """Values on screen, float32.

    Returns
    -------
    numpy.ndarray
        ``(row, column)``; with a last axis for tokens where none is chosen, or for words where several are kept apart.
    """
    array = selected(cap, view)[0]
    cells = "key" if "key" in array.dims else "pixel"
    index: Any = array.indexes[cells]
    values = array.transpose(cells, ...).values.astype(np.float32)
    values = values.reshape(*index.levshape, *values.shape[1:])
    if not apart(cap, view):
        return values
    places = {token: place for place, token in enumerate(array["token"].values.tolist())}
    words = [[places[token] for token in word] for word in words_of(cap, view)]
    return np.stack([values[..., columns].sum(axis=-1) for columns in words], axis=-1)


def highest(maps: Iterable[np.ndarray]) -> float:
    """The largest value that is a number; 0 where there is none."""
    return max((float(np.nanmax(one)) for one in maps if np.isfinite(one).any()), default=0.0)


def without(tokens: pd.DataFrame, kinds: Sequence[str]) -> pd.DataFrame:
    """Leave rows of a table like ``Capture.tokens`` out by their kind."""
    return tokens.loc[~tokens["token_kind"].isin(list(kinds))]


def token_texts(cap: Capture, view: View) -> list[str]:
    """Texts of the chosen tokens; of self-attention there are none."""
    if not view.words:
        return []
    rows = {row["token"]: row for row in cap.tokens.to_dict("records")}
    return [_named(rows[token]) for token in view.token]


def _named(row: Mapping[str, Any]) -> str:
    """A token's text; of one that is no word its kind, as the scope's chips have it."""
    if row["token_kind"] not in ("bos", "eos", "pad"):
        return str(row["token_text"]).strip()
    count = int(row["token_count"])
    return f"⟨{row['token_kind']}×{count}⟩" if count > 1 else f"⟨{row['token_kind']}⟩"


def word_texts(cap: Capture, view: View) -> list[str]:
    """Texts of the words that are kept apart: that of the whole word, where more than a piece of it is chosen."""
    table = cap.tokens
    by_token = {int(row["token"]): row for row in table.to_dict("records")}
    return [str(by_token[word[0]]["word" if len(word) > 1 else "token_text"]).strip() for word in words_of(cap, view)]


def times_chance(cap: Capture, view: View) -> int:
    """What a value is multiplied by to be a multiple of chance: how many positions there are to look at."""
    if view.words:
        return positions(any_array(cap, view.kind), drop=view.drop)
    # What pixels get, and means over layers, are multiples of chance already.
    grid = grid_of(cap, view)
    return grid[0] * grid[1] if view.asks and view.level != "unet" else 1


@dataclass(frozen=True)
class Scale:
    """Limits of the colours; an upper one for each word, which differ only where each has a scale of its own."""

    lo: float
    highs: tuple[float, ...]


def limits(view: View, maps: Sequence[np.ndarray]) -> Scale:
    """Find between which values the colours run.

    Parameters
    ----------
    view
        How to colour.
    maps
        All that the scale covers: each ``(row, column)``, or ``(row, column, word)``.
    """
    floor = LOG_FLOOR if view.transform == "log" else 0.0
    if view.scale_shown == "fixed" and view.limits is not None:
        lo, hi = view.limits
        words = maps[0].shape[2] if maps and maps[0].ndim == 3 else 1
        return Scale(max(lo, floor) if view.transform == "log" else lo, (hi,) * words)
    low, high = view.clip
    columns = [np.moveaxis(one, -1, 0) if one.ndim == 3 else one[None] for one in maps]
    words = len(columns[0]) if columns else 1
    if view.scale_shown != "own":  # one scale is that of all words too
        columns = [one.reshape(1, -1) for one in columns]
    seen = [
        np.concatenate([column[np.isfinite(column)].ravel() for column in word]) for word in zip(*columns, strict=True)
    ]
    # From 0, not from the lowest: a percentile of 0 is no wish to hide where a map begins.
    lows = [float(np.percentile(values, low)) if low > 0 and values.size else floor for values in seen]
    highs = [float(np.percentile(values, high)) if values.size else 0.0 for values in seen]
    highs = highs if view.scale_shown == "own" else highs * words
    return Scale(max(min(lows, default=floor), floor), tuple(highs) or (0.0,))


def _boxed(view: View) -> str:
    return "s of a box" if view.region is not None and view.level != "unet" else ""


class Shown:
    """A view with its values and what they are called.

    Parameters
    ----------
    cap, view
        What to look at.
    mass
        Weight of each token, by which words get a colour where no token is chosen; that of the map itself where it is
        not given.
    """

    def __init__(self, cap: Capture, view: View, mass: dict[int, float] | None = None) -> None:
        self.cap, self.view = cap, view
        self.values = field(cap, view)
        self.apart = apart(cap, view)
        self.words = word_texts(cap, view) if self.apart else []
        self.times = times_chance(cap, view) if view.transform == "uniform" else 1
        #: Of each of these words, that which it has among all words.
        self.colours: list[tuple[int, int, int]] = []
        if self.apart:
            self.colours = Palette(cap.tokens, mass or {}).colours([word[0] for word in words_of(cap, view)])
        self.palette: Palette | None = None
        if view.strongest:
            self.tokens = without(cap.tokens, view.drop)
            seen = np.isfinite(self.values)  # nothing at all, where a branch or view is not in this step
            means = np.where(seen, self.values, 0).sum(axis=(0, 1)) / np.maximum(seen.sum(axis=(0, 1)), 1)
            own = dict(zip(self.tokens["token"].tolist(), means.tolist(), strict=True))
            self.palette = Palette(self.tokens, own if mass is None else mass)

    @property
    def subject(self) -> str:
        """What the map is of, in few words."""
        view = self.view
        if not view.words:
            return "received attention" if not view.asks else f"{view.direction} of the pixel{_boxed(view)}"
        texts = self.words or token_texts(self.cap, view)
        return " + ".join(f"‘{text}’" for text in texts) if texts else "strongest word"

    @property
    def swatches(self) -> tuple[Swatch, ...]:
        """Colours with a meaning."""
        if self.palette is not None:
            return self.palette.swatches
        return tuple(Swatch(text, rgb) for text, rgb in zip(self.words, self.colours, strict=True))

    def map(self, values: np.ndarray, scale: Scale, *, opacity: float = 1.0, mask: bool = False) -> Map:
        """Turn values like those of the view into a coloured map."""
        view = self.view
        look: dict[str, Any] = {"opacity": opacity, "smooth": view.smooth}
        if self.palette is not None:
            return Map(self.palette.codes(values), categories=self.palette.swatches, opacity=opacity)
        colours: dict[str, Any] = {"transform": view.transform, "cmap": view.cmap, "times": self.times}
        if not self.apart:
            return Map(values, scale.lo, scale.highs[0], mask=mask, **colours, **look)
        hues = tuple(
            Hue(text, rgb, values[..., place], hi)
            for place, (text, rgb, hi) in enumerate(zip(self.words, self.colours, scale.highs, strict=True))
        )
        return Map(values.sum(axis=-1), scale.lo, max(scale.highs), hues=hues, **colours, **look)
