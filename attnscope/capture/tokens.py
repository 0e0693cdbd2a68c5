"""What stands at each position of the text encoder's sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from attnscope.capture.recording import Token

__all__ = ["Text", "label_positions", "read_prompt"]


@dataclass(frozen=True)
class Text:
    """The tokens of a prompt.

    Parameters
    ----------
    tokens
        One for each position that the encoder sees.
    known
        Whether they are the prompt's own; False where only positions are known.
    truncated
        End of the prompt that the tokenizer dropped, None where it took all of it.
    """

    tokens: list[Token]
    known: bool = True
    truncated: str | None = None

    def kept(self, choice: str) -> tuple[list[Token], list[int]]:
        """Choose columns.

        Parameters
        ----------
        choice
            ``"all"``, or ``"prompt"``: all but the padding, whose positions come back as the second part, to be summed.

        Returns
        -------
        tokens : list of Token
            One for each column; the padding's sum last.
        summed : list of int
            Positions that the last column sums.
        """
        pads = [token for token in self.tokens if token.kind == "pad"]
        if choice == "all" or not pads:
            return self.tokens, []
        first = pads[0]
        total = Token(first.position, first.text, first.word, -1, "pad", len(pads))
        return [token for token in self.tokens if token.kind != "pad"] + [total], [t.position for t in pads]


def label_positions(length: int, labels: Sequence[str] | None = None) -> Text:
    """Name positions whose tokens are not known; ``labels`` name the first ones, and the rest is padding then."""
    if labels is None:
        return Text([Token(i, f"#{i}", f"#{i}", i, "prompt") for i in range(length)], known=False)
    if len(labels) > length:
        msg = f"labels= names {len(labels)} positions, and the text has {length}: {list(labels)!r}."
        raise ValueError(msg)
    named = [Token(i, label, label, i, "prompt") for i, label in enumerate(labels)]
    return Text(named + [Token(i, "", "", -1, "pad") for i in range(len(named), length)])


def read_prompt(tokenizer: Any, prompt: str) -> Text:
    """Tokenize a prompt the way a diffusers pipeline does, and say what stands where.

    Parameters
    ----------
    tokenizer
        A CLIP tokenizer.
    prompt
        As given to the pipeline, after textual inversion has expanded it.

    Returns
    -------
    Text
        ``tokenizer.model_max_length`` tokens. Words are CLIP's own: runs of pieces up to one that ends in ``</w>``.
    """
    length = tokenizer.model_max_length
    ids = tokenizer(prompt, padding="max_length", max_length=length, truncation=True).input_ids
    every = tokenizer(prompt, truncation=False).input_ids
    truncated = None
    if len(every) > length:
        truncated = _decode(tokenizer, every[length - 1 : -1])
    special = {tokenizer.bos_token_id: "bos", tokenizer.eos_token_id: "eos"}
    content = min(len(every), length)
    pieces = tokenizer.convert_ids_to_tokens(ids)
    # Tokens that textual inversion added stand alone: they have no mark of a word's end.
    added = set(tokenizer.added_tokens_encoder) - {tokenizer.convert_ids_to_tokens(number) for number in special}
    tokens: list[Token] = []
    word: list[int] = []
    count = 0
    for position, (number, piece) in enumerate(zip(ids, pieces, strict=True)):
        # The padding token is often the end-of-text token again, so padding goes by position.
        kind = "pad" if position >= content else special.get(number, "prompt")
        if kind != "prompt":
            tokens.append(Token(position, piece, piece, -1, kind))
            continue
        word.append(position)
        following = pieces[position + 1] if position + 1 < content and ids[position + 1] not in special else None
        if _ends_word(pieces[word[0]], piece, following, len(word), added):
            tokens += _word(tokenizer, word, ids, pieces, count, whole=pieces[word[0]] in added)
            word, count = [], count + 1
    return Text(tokens, truncated=truncated)


def _ends_word(first: str, piece: str, following: str | None, length: int, added: set[str]) -> bool:
    if following is None:
        return True
    if first in added:  # a concept of several vectors: <x>, <x>_1, <x>_2, ...
        return following != f"{first}_{length}"
    return piece.endswith("</w>") or following in added


def _word(
    tokenizer: Any, word: list[int], ids: list[int], pieces: list[str], index: int, *, whole: bool
) -> list[Token]:
    """Label one word; ``whole`` where its pieces have the name of the first."""
    if whole:
        return [Token(position, pieces[position], pieces[word[0]], index, "prompt") for position in word]
    name = _decode(tokenizer, [ids[position] for position in word])
    texts = [_decode(tokenizer, [ids[position]]) for position in word]
    if "".join(texts) != name:
        # A character cut in the middle (emoji, scripts without merges) has no text of its own: keep its byte pieces.
        texts = [pieces[position].removesuffix("</w>") for position in word]
    return [Token(position, text, name, index, "prompt") for position, text in zip(word, texts, strict=True)]


def _decode(tokenizer: Any, ids: list[int]) -> str:
    # A tokenizer that tokens were added to leaves the marks of words' ends in (transformers 5).
    return tokenizer.decode(ids).replace("</w>", " ").strip()
