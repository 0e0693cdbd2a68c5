"""The colours of the strongest-word map: which word has which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnscope.figures.colours import OKABE_ITO, OTHER_RGB
from attnscope.figures.spec import Swatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

__all__ = ["Palette"]


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
        self._rgb = dict(zip(coloured, OKABE_ITO, strict=False))
        self._word_of = dict(zip(table["token"].tolist(), words.tolist(), strict=True))
        self._slots = np.array([coloured.index(word) if word in heaviest else len(coloured) for word in names])
        self._words = (words[:, None] == list(names)).astype(np.float32)

    def colours(self, tokens: Sequence[int]) -> list[tuple[int, int, int]]:
        """Colours of some words, each given by one of its tokens; those without one of their own get what is left."""
        own = [self._rgb.get(self._word_of.get(token, token)) for token in tokens]
        left = [rgb for rgb in OKABE_ITO if rgb not in own]
        return [rgb or (left.pop(0) if left else OTHER_RGB) for rgb in own]

    def codes(self, values: np.ndarray) -> np.ndarray:
        """From ``(row, column, token)`` to the colour of the strongest word; -1 where a value is not a number."""
        pieces = values[..., self.columns]
        seen: np.ndarray = np.asarray(np.isfinite(pieces).all(axis=-1))
        rivals = np.where(seen[..., None], pieces, 0) @ self._words  # a word has all that its pieces have
        return np.where(seen, self._slots[rivals.argmax(axis=-1)], -1)
