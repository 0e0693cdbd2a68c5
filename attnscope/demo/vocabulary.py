"""A small vocabulary in the format of CLIP's tokenizer, made from the words of the book.

Byte-pair encoding as CLIP has it: every byte is a token, alone or ending a word, so any text can
be written; merges then join the letters of the words of the book. Three words stay in two parts,
as most words do in CLIP's own vocabulary.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

from attnscope.demo.book import words

Merge = tuple[str, str]

START, END = "<|startoftext|>", "<|endoftext|>"
# Words that stay in two tokens, so that the demo shows what a word of several tokens looks like.
SPLIT_WORDS = {
    "sailboat": ("sail", "boat"),
    "mushroom": ("mush", "room"),
    "triangle": ("tri", "angle"),
}
_WORD_END = "</w>"


def byte_letters() -> list[str]:
    """Return the printable letter that byte-level encoding writes for each of the 256 bytes.

    Printable bytes stand for themselves; the others get the letters from code point 256 on
    (Radford et al. 2019, GPT-2).
    """
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    letters, extra = [], 256
    for byte in range(256):
        if byte in printable:
            letters.append(chr(byte))
        else:
            letters.append(chr(extra))
            extra += 1
    return letters


def learn_merges(pieces: list[list[str]]) -> list[Merge]:
    """Learn byte-pair merges until every piece is one token.

    Parameters
    ----------
    pieces
        Words, or parts of words, as lists of letters; a last letter that ends its word carries
        the end-of-word mark.

    Returns
    -------
    list of (str, str)
        The merges by rank: each joins the pair that was most frequent at its time, of equally
        frequent pairs the one met first.
    """
    merges: list[Merge] = []
    pieces = [list(piece) for piece in pieces]
    while True:
        counts = Counter(pair for piece in pieces for pair in pairwise(piece))
        if not counts:
            return merges
        best = max(counts, key=lambda pair: counts[pair])
        merges.append(best)
        pieces = [_join(piece, best) for piece in pieces]


def _join(piece: list[str], pair: Merge) -> list[str]:
    """Join each occurrence of a pair in a piece."""
    joined: list[str] = []
    for letter in piece:
        if joined and (joined[-1], letter) == pair:
            joined[-1] += letter
        else:
            joined.append(letter)
    return joined


def build_vocabulary() -> tuple[dict[str, int], list[Merge]]:
    """Return the vocabulary (token to id) and the merges (by rank)."""
    pieces = []
    for word in words():
        parts = SPLIT_WORDS.get(word, (word,))
        pieces += [list(part) for part in parts[:-1]]
        pieces.append([*parts[-1][:-1], parts[-1][-1] + _WORD_END])
    merges = learn_merges(pieces)
    letters = byte_letters()
    tokens = [*letters, *(letter + _WORD_END for letter in letters)]
    tokens += [first + second for first, second in merges]
    tokens += [START, END]
    return {token: number for number, token in enumerate(tokens)}, merges


def write_vocabulary(folder: Path) -> None:
    """Write the vocabulary as CLIP's own two files, which every version of transformers reads."""
    vocabulary, merges = build_vocabulary()
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(f"{first} {second}" for first, second in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
