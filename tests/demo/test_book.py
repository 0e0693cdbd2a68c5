import random

import pytest

from attnscope.demo import PROMPTS
from attnscope.demo.book import (
    BACKGROUNDS,
    COLOURS,
    KINDS,
    held_out_pairs,
    held_out_scenes,
    is_held_out,
    noun_phrase,
    sample_scene,
    training_scene,
    words,
)


def test_the_held_out_captions_are_200_distinct_and_always_the_same():
    scenes = held_out_scenes()
    captions = [scene.caption for scene in scenes]
    assert len(set(captions)) == 200
    assert scenes == held_out_scenes()


def test_every_held_out_scene_is_held_out_and_has_things_of_different_colours():
    for scene in held_out_scenes():
        assert is_held_out(scene)
        assert len({thing.colour for thing in scene.things}) == len(scene.things)


def test_no_training_scene_shows_anything_held_out():
    rng = random.Random(3)
    pairs = held_out_pairs()
    for _ in range(500):
        scene = training_scene(rng)
        assert not is_held_out(scene)
        assert not any((thing.colour, thing.kind) in pairs for thing in scene.things)


def test_training_scenes_show_every_kind_colour_and_background():
    rng = random.Random(4)
    scenes = [training_scene(rng) for _ in range(300)]
    assert {thing.kind for scene in scenes for thing in scene.things} == set(KINDS)
    assert {thing.colour for scene in scenes for thing in scene.things} == set(COLOURS)
    assert {scene.background for scene in scenes} == set(BACKGROUNDS)
    assert {len(scene.things) for scene in scenes} == {1, 2, 3}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_things_stay_inside_the_picture_and_apart(count):
    rng = random.Random(5)
    for _ in range(200):
        things = sample_scene(rng, count).things
        for i, thing in enumerate(things):
            assert thing.size / 2 <= thing.x <= 1 - thing.size / 2
            assert thing.size / 2 <= thing.y <= 1 - thing.size / 2
            for other in things[:i]:
                apart = max(abs(thing.x - other.x), abs(thing.y - other.y))
                assert apart > (thing.size + other.size) / 2


@pytest.mark.parametrize(
    ("relation", "axis", "sign"),
    [("above", "y", -1), ("below", "y", 1), ("left of", "x", -1), ("right of", "x", 1)],
)
def test_the_first_thing_lies_where_the_caption_says(relation, axis, sign):
    rng = random.Random(6)
    scenes = [sample_scene(rng, 2) for _ in range(200)]
    for scene in (scene for scene in scenes if scene.relation == relation):
        first, second = scene.things
        assert relation in scene.caption
        assert sign * (getattr(first, axis) - getattr(second, axis)) > 0.3


def test_captions_say_what_is_there():
    rng = random.Random(7)
    scene = sample_scene(rng, 2, distinct=True)
    for thing in scene.things:
        assert noun_phrase(thing.colour, thing.kind) in scene.caption


def test_an_before_a_vowel():
    assert noun_phrase("orange", "fish") == "an orange fish"
    assert noun_phrase("", "house") == "a house"


def test_captions_and_prompts_use_the_words_of_the_book_only():
    rng = random.Random(8)
    captions = [training_scene(rng).caption for _ in range(500)]
    used = {word for text in [*captions, *PROMPTS] for word in text.replace(",", "").split()}
    assert used <= set(words())
