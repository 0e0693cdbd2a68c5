"""From a word of the prompt to the columns that carry it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnscope.errors import UnknownWordError, choices

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["word_positions"]


def word_positions(tokens: pd.DataFrame, word: str, occurrence: int | None = None) -> list[int]:
    """Find the tokens of a word.

    Parameters
    ----------
    tokens
        A table like ``Capture.tokens``.
    word
        As in the prompt, in any case; or as ``token_text`` names a special token, such as ``<|startoftext|>``. Where
        end of text and padding have one name, the end is the first occurrence.
    occurrence
        Which one, from 0, where the prompt has the word several times; None for all of them together.

    Returns
    -------
    list of int
        Positions in the encoder's sequence.

    Raises
    ------
    UnknownWordError
        If the prompt has no such word, or fewer of it.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"token": [1, 2, 3], "word": ["a", "star", "a"], "word_index": [0, 1, 2]})
    >>> word_positions(table, "A"), word_positions(table, "a", occurrence=1)
    ([1, 3], [3])
    """
    wanted = word.strip().casefold()
    found = tokens[tokens["word"].str.casefold() == wanted]
    if found.empty:
        content = tokens[tokens["word_index"] >= 0]
        names = content["word"] if len(content) else tokens["word"]
        msg = f"{word!r} is no word of the prompt. {choices(wanted, names)}"
        raise UnknownWordError(msg)
    # Special tokens belong to no word: each stands for itself, as the end of the text and the padding after it.
    own = [
        index if index >= 0 else len(tokens) + token
        for index, token in zip(found["word_index"], found["token"], strict=True)
    ]
    groups = [list(group["token"]) for _, group in found.groupby(own, sort=True)]
    if occurrence is None:
        return [int(token) for group in groups for token in group]
    if not 0 <= occurrence < len(groups):
        msg = f"The prompt has {word!r} {len(groups)} time(s); occurrence={occurrence} must be 0 to {len(groups) - 1}."
        raise UnknownWordError(msg)
    return [int(token) for token in groups[occurrence]]
