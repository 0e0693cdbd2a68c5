"""Columns that a file leaves out: they are summed into the padding, so that rows still sum to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from attnscope.widget.protocol import TokenEntry

__all__ = ["Fold"]

#: Columns of no word of the prompt: few, and each says something else.
_SPECIAL = ("bos", "eos", "self")


class Fold:
    """Which columns stay, and that the others are one.

    Parameters
    ----------
    tokens
        All columns.
    keep
        Positions of those that stay; begin and end of the text stay anyway.

    Examples
    --------
    >>> def token(position, text, kind="prompt"):
    ...     return {"token": position, "text": text, "word": text, "word_index": 0, "kind": kind, "count": 1}
    >>> fold = Fold([token(0, "<s>", "bos"), token(1, "red"), token(2, "fox"), token(3, "</s>", "pad")], [2])
    >>> [(entry["text"], entry["count"]) for entry in fold.entries], fold.left_out
    ([('<s>', 1), ('fox', 1), ('</s>', 2)], ['red'])
    >>> fold.columns(np.array([[0.5, 0.125, 0.25, 0.125]])).tolist()
    [[0.5, 0.25, 0.25]]
    """

    def __init__(self, tokens: Sequence[TokenEntry], keep: Collection[int]) -> None:
        stays = [entry["kind"] in _SPECIAL or (entry["token"] in keep and entry["kind"] != "pad") for entry in tokens]
        self._kept: np.ndarray = np.flatnonzero(stays)
        self._rest: np.ndarray = np.flatnonzero(np.logical_not(stays))
        rest = [tokens[column] for column in self._rest]
        #: Texts of the columns that are no longer there.
        self.left_out = [entry["text"] for entry in rest if entry["kind"] != "pad"]
        #: The columns that there are now.
        self.entries = [tokens[column] for column in self._kept]
        if rest:
            padding = next((entry for entry in rest if entry["kind"] == "pad"), None)
            carrier = (padding or rest[-1]).copy()
            if padding is None:
                carrier["text"] = carrier["word"] = "(others)"
                carrier["word_index"], carrier["kind"] = -1, "pad"
            carrier["count"] = sum(entry["count"] for entry in rest)
            self.entries.append(carrier)

    def columns(self, values: np.ndarray) -> np.ndarray:
        """Sum the columns that are left out: ``(..., token)`` in, fewer tokens out."""
        if not len(self._rest):
            return values
        rest = values[..., self._rest].sum(axis=-1, keepdims=True, dtype=np.float32)
        return np.concatenate([values[..., self._kept], rest.astype(values.dtype)], axis=-1)

    def row(self, means: list[float | None]) -> list[float | None]:
        """Do the same with the means of all columns; what is not known stays unknown."""
        folded = self.columns(np.array([np.nan if one is None else one for one in means]))
        return [float(f"{one:.3g}") if np.isfinite(one) else None for one in folded]
