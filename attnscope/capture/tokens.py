"""What stands at each position of the text encoder's sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from attnscope.capture.recording import Token

__all__ = ["Text", "choose_columns", "label_positions", "read_prompt"]


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

    def after(self, leading: int) -> Text:
        """Shift the text behind tokens that stand for a picture, which the model puts first."""
        pictures = [Token(i, f"image {i}", "image", -1, "image") for i in range(leading)]
        shifted = [replace(token, position=token.position + leading) for token in self.tokens]
        return replace(self, tokens=pictures + shifted)

    def beside(self, other: Text) -> Text:
        """Join with the text of a second encoder, whose embeddings lie along the same positions (SDXL)."""
        # Words of two texts end at different columns: each pair of them is one, so that no two have one number.
        numbers: dict[tuple[int, int], int] = {}
        tokens = []
        for one, two in zip(self.tokens, other.tokens, strict=True):
            token = _both(one, two)
            if token.word_index >= 0:
                number = numbers.setdefault((one.word_index, two.word_index), len(numbers))
                token = replace(token, word_index=number)
            tokens.append(token)
        dropped = list(dict.fromkeys(text.truncated for text in (self, other) if text.truncated))
        return replace(self, tokens=tokens, truncated=" | ".join(dropped) or None)


def _both(one: Token, two: Token) -> Token:
    # Encoders pad with tokens of their own; that says nothing.
    if two.kind == "pad":
        return one
    if one.kind == "pad":  # maybe the end-of-text token again, where the other text really ends
        return two
    if one.text == two.text:
        return one
    text = f"{one.text} | {two.text}"
    if (one.word_index >= 0) != (two.word_index >= 0):  # one text ends where the other goes on
        return replace(one if one.word_index >= 0 else two, text=text)
    return replace(one, text=text, word=one.word if one.word == two.word else f"{one.word} | {two.word}")


def choose_columns(texts: Sequence[Text], choice: str) -> tuple[list[list[Token]], list[int]]:
    """Choose the columns of several texts, which share one axis.

    Parameters
    ----------
    texts
        Of the same number of positions, one for each row.
    choice
        ``"all"``, or ``"prompt"``: all but the padding, whose positions come back as the second part, to be summed.

    Returns
    -------
    columns : list of list of Token
        For each text, one token for each column; the padding's sum last.
    summed : list of int
        Positions that the last column sums: what is padding in every text.
    """
    length = len(texts[0].tokens)
    pads = [next((i for i, token in enumerate(text.tokens) if token.kind == "pad"), length) for text in texts]
    first = max(pads)
    if choice == "all" or first == length:
        return [text.tokens for text in texts], []
    columns = []
    for text in texts:
        pad = text.tokens[first]
        total = Token(first, pad.text, pad.word, -1, "pad", length - first)
        columns.append([*text.tokens[:first], total])
    return columns, list(range(first, length))


def label_positions(length: int, labels: Sequence[str] | None = None) -> Text:
    """Name positions whose tokens are not known; ``labels`` name the first ones, and the rest is padding then."""
    if labels is None:
        return Text([Token(i, f"#{i}", f"#{i}", i, "prompt") for i in range(length)], known=False)
    if len(labels) > length:
        msg = f"labels= names {len(labels)} positions, and the text has {length}: {list(labels)!r}."
        raise ValueError(msg)
    named = [Token(i, label, label, i, "prompt") for i, label in enumerate(labels)]
    return Text(named + [Token(i, "", "", -1, "pad") for i in range(len(named), length)])


def read_prompt(tokenizer: Any, prompt: str, length: int | None = None) -> Text:
    """Tokenize a prompt the way a diffusers pipeline does, and say what stands where.

    Parameters
    ----------
    tokenizer
        Of CLIP, or one that gives offsets (T5, XLM-R).
    prompt
        As given to the pipeline, after textual inversion has expanded it.
    length
        Positions that the model sees; those of the tokenizer where it is not given.

    Returns
    -------
    Text
        ``length`` tokens. Words are CLIP's own: runs of pieces up to one that ends in ``</w>``; with other tokenizers
        they are what stands between spaces.
    """
    longest: int = tokenizer.model_max_length
    length = min(length or longest, longest)
    if not any(piece.endswith("</w>") for piece in tokenizer.get_vocab()):
        return _read_by_offsets(tokenizer, prompt, length)
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


def _read_by_offsets(tokenizer: Any, prompt: str, length: int) -> Text:
    """Read with a tokenizer whose pieces do not say where words end: by the places they come from."""
    read = tokenizer(prompt, truncation=False, return_offsets_mapping=True)
    special = set(tokenizer.all_special_ids)
    starts = {tokenizer.bos_token_id, tokenizer.cls_token_id} - {None}
    count = len(read.input_ids)
    kept = tokenizer(prompt, padding="max_length", max_length=length, truncation=True).input_ids
    tokens: list[Token] = []
    places: list[int] = []
    for position, number in enumerate(kept):
        piece = tokenizer.convert_ids_to_tokens(number)
        if position >= min(count, length) or number in special:
            kind = "pad" if position >= min(count, length) else "bos" if number in starts else "eos"
            tokens.append(Token(position, piece, piece, -1, kind))
            continue
        start, end = read.offset_mapping[position]
        start += len(prompt[start:end]) - len(prompt[start:end].lstrip())
        low = max((i + 1 for i in range(start) if prompt[i].isspace()), default=0)
        high = next((i for i in range(start, len(prompt)) if prompt[i].isspace()), len(prompt))
        if low not in places:
            places.append(low)
        text = prompt[start:end].strip() or piece
        tokens.append(Token(position, text, prompt[low:high], places.index(low), "prompt"))
    truncated = None
    if count > length:
        lost = [start for start, end in read.offset_mapping[length - 1 :] if end > start]
        truncated = prompt[lost[0] :].strip() if lost else None
    return Text(tokens, truncated=truncated)


def _decode(tokenizer: Any, ids: list[int]) -> str:
    # A tokenizer that tokens were added to leaves the marks of words' ends in (transformers 5).
    return tokenizer.decode(ids).replace("</w>", " ").strip()
