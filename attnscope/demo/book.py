"""The world of the demo model: a picture book of coloured things, its scenes and its captions.

Everything here is plain Python: a scene says which things stand where on which background, and
the caption that belongs to it. `attnscope.demo.draw` paints it.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "circle", "square", "triangle", "star", "heart",
    "house", "tree", "sailboat", "mushroom", "fish",
]  # fmt: skip
Colour = Literal["red", "orange", "yellow", "green", "blue", "purple", "pink", "brown"]
Background = Literal["paper", "night", "meadow"]
Relation = Literal["and", "above", "below", "left of", "right of"]

KINDS: tuple[Kind, ...] = get_args(Kind)
COLOURS: tuple[Colour, ...] = get_args(Colour)
BACKGROUNDS: tuple[Background, ...] = get_args(Background)
RELATIONS: tuple[Relation, ...] = get_args(Relation)

PROMPTS: tuple[str, ...] = (
    "a red house left of a green tree at night",
    "a yellow star above a blue sailboat",
    "a pink heart and a purple mushroom in a meadow",
    "an orange fish below a blue circle",
    "a red mushroom right of a brown house in a meadow",
    "a yellow fish at night",
)

# Where the first thing lies as seen from the second: (right, down).
_DIRECTIONS: dict[str, tuple[int, int]] = {
    "above": (0, -1),
    "below": (0, 1),
    "left of": (-1, 0),
    "right of": (1, 0),
}
_SUFFIX: dict[Background, str] = {"paper": "", "night": " at night", "meadow": " in a meadow"}
_GLUE = ("a", "an", "the", "to", "at", "night", "in", "meadow", "on", "paper")
_SPLIT_SEED = 7


@dataclass(frozen=True)
class Thing:
    """One thing of a scene.

    Parameters
    ----------
    kind, colour
        What it is and its colour, each a word of the book.
    x, y
        Its centre, in parts of the picture side, from the left and from the top.
    size
        Side of the box it fills, in parts of the picture side.
    """

    kind: Kind
    colour: Colour
    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Scene:
    """A picture before it is painted: its things, its background, its caption.

    `relation` holds between the first thing and the second; it is None for a single thing.
    """

    things: tuple[Thing, ...]
    background: Background
    relation: Relation | None
    caption: str


def held_out_pairs() -> frozenset[tuple[Colour, Kind]]:
    """Return the six (colour, kind) pairs that no training scene shows."""
    shuffled = random.Random(_SPLIT_SEED)
    kinds = shuffled.sample(KINDS, 6)
    colours = shuffled.sample(COLOURS, 6)
    return frozenset(zip(colours, kinds, strict=True))


def is_held_out(scene: Scene) -> bool:
    """Say whether a scene shows a held-out pair or a held-out pairing of two things.

    One in ten of the unordered pairings (a red circle with a blue square) is held out, chosen by
    a checksum of its words so that the choice never depends on the order of sampling.
    """
    pairs = held_out_pairs()
    if any((thing.colour, thing.kind) in pairs for thing in scene.things):
        return True
    named = sorted(f"{thing.colour} {thing.kind}" for thing in scene.things)
    return any(zlib.crc32(f"{a}+{b}".encode()) % 10 == 0 for i, a in enumerate(named) for b in named[i + 1 :])


def noun_phrase(colour: str, kind: str) -> str:
    """Return a thing in words, with its article: `an orange fish`, `a tree`."""
    words = f"{colour} {kind}".strip()
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def training_scene(rng: random.Random) -> Scene:
    """Sample a scene that shows nothing held out."""
    while True:
        count = rng.choices((1, 2, 3), weights=(25, 68, 7))[0]
        scene = sample_scene(rng, count)
        if not is_held_out(scene):
            return scene


def sample_scene(rng: random.Random, count: int, *, distinct: bool = False) -> Scene:
    """Sample a scene of one, two or three things.

    Parameters
    ----------
    rng
        Source of randomness.
    count
        Number of things.
    distinct
        Whether the things must differ in colour and name all their colours, as judging needs.
        Otherwise one colour in sixteen goes unnamed.
    """
    colours = rng.sample(COLOURS, count) if distinct else rng.choices(COLOURS, k=count)
    kinds = rng.choices(KINDS, k=count)
    background = rng.choices(BACKGROUNDS, weights=(4, 3, 3))[0]
    relation = rng.choice(RELATIONS) if count == 2 else ("and" if count == 3 else None)
    places = _places(rng, count, relation)
    size = rng.uniform(*((0.42, 0.52), (0.35, 0.42), (0.27, 0.29))[count - 1])
    things = tuple(
        Thing(kind, colour, x, y, size * rng.uniform(0.95, 1.0))
        for kind, colour, (x, y) in zip(kinds, colours, places, strict=True)
    )
    named = [
        noun_phrase("" if not distinct and rng.random() < 1 / 16 else thing.colour, thing.kind) for thing in things
    ]
    caption = _caption(rng, named, relation) + _SUFFIX[background]
    if background == "paper" and rng.random() < 0.3:
        caption += " on paper"
    return Scene(things, background, relation, caption)


def _places(rng: random.Random, count: int, relation: Relation | None) -> list[tuple[float, float]]:
    """Sample the centres of the things so that they neither overlap nor leave the picture."""
    jitter = rng.uniform
    if count == 1:
        return [(0.5 + jitter(-0.16, 0.16), 0.5 + jitter(-0.14, 0.14))]
    if count == 3:
        lift = jitter(-0.12, 0.12)
        return [
            (x + jitter(-0.008, 0.008), 0.5 + sign * lift + jitter(-0.05, 0.05))
            for x, sign in ((0.18, 1), (0.5, -1), (0.82, 1))
        ]
    word = rng.choice(tuple(_DIRECTIONS)) if relation in (None, "and") else relation
    right, down = _DIRECTIONS[word]
    places = []
    for side in (1, -1):
        along, across = side * jitter(0.225, 0.265), jitter(-0.10, 0.10)
        places.append((0.5 + right * along + abs(down) * across, 0.5 + down * along + abs(right) * across))
    return places


def _caption(rng: random.Random, named: list[str], relation: Relation | None) -> str:
    """Join the names of the things to a sentence."""
    if len(named) == 1:
        return named[0]
    if len(named) == 3:
        return f"{named[0]}, {named[1]} and {named[2]}"
    words = f"to the {relation}" if "of" in f"{relation}" and rng.random() < 0.25 else relation
    return f"{named[0]} {words} {named[1]}"


def held_out_scenes(count: int = 200) -> list[Scene]:
    """Return the fixed scenes the model is judged on; nothing of them was trained on.

    Parameters
    ----------
    count
        Number of scenes: a tenth show one thing, the others two; three tenths show a held-out
        pair of colour and kind, the others a held-out pairing of two things.

    Returns
    -------
    list of Scene
        Always the same scenes for the same count, each with its own caption.
    """
    rng = random.Random(_SPLIT_SEED)
    pairs = held_out_pairs()
    quotas = {(1, True): count // 10, (2, True): count // 5}
    quotas[2, False] = count - sum(quotas.values())
    scenes: dict[str, Scene] = {}
    while any(quotas.values()):
        scene = sample_scene(rng, rng.choice((1, 2, 2)), distinct=True)
        has_pair = any((thing.colour, thing.kind) in pairs for thing in scene.things)
        group = (len(scene.things), has_pair)
        if scene.caption in scenes or not is_held_out(scene) or not quotas.get(group):
            continue
        scenes[scene.caption] = scene
        quotas[group] -= 1
    return list(scenes.values())


def words() -> list[str]:
    """Return every word of the captions, each once, sorted."""
    places = {word for relation in RELATIONS for word in relation.split()}
    return sorted({*KINDS, *COLOURS, *places, *_GLUE})
