import dataclasses
import random

import numpy as np
import pytest

from attnscope.demo.book import KINDS, Scene, Thing, held_out_scenes, sample_scene
from attnscope.demo.draw import draw
from attnscope.demo.judge import contact_sheet, summarise
from attnscope.demo.verdict import VISIBLE_NOISE, judge, noise_level

SCENES = random.Random(0).sample(held_out_scenes(), 30)


@pytest.fixture(scope="module")
def pictures():
    return [draw(scene) for scene in SCENES]


def swapped(scene, **changes):
    """Return a scene whose first two things have exchanged attributes."""
    first, second = scene.things
    things = tuple(
        dataclasses.replace(a, **{name: getattr(b, name) for name in changes["names"]})
        for a, b in ((first, second), (second, first))
    )
    return dataclasses.replace(scene, things=things)


def test_true_pictures_are_all_right(pictures):
    verdicts = [judge(picture, scene) for picture, scene in zip(pictures, SCENES, strict=True)]
    figures = summarise(SCENES, verdicts)
    for name in ("things", "shapes", "relations", "grounds", "pictures"):
        assert figures[name] == 1
    assert figures["noisy"] == 0
    assert figures["noise"] == 0


def test_exchanged_places_break_every_relation():
    scenes = [scene for scene in SCENES if scene.relation not in (None, "and")]
    verdicts = [judge(draw(swapped(scene, names=["x", "y"])), scene) for scene in scenes]
    assert all(all(verdict.present) for verdict in verdicts)
    assert not any(verdict.relation for verdict in verdicts)


def test_exchanged_colours_break_the_shapes():
    scenes = [s for s in SCENES if len(s.things) == 2 and len({t.kind for t in s.things}) == 2]
    verdicts = [judge(draw(swapped(scene, names=["colour"])), scene) for scene in scenes]
    assert all(all(verdict.present) for verdict in verdicts)
    assert not any(any(verdict.shaped) for verdict in verdicts)


def test_a_colour_that_is_not_there_is_missed():
    for scene in SCENES[:12]:
        absent = next(
            colour for colour in ("purple", "green", "red") if colour not in {thing.colour for thing in scene.things}
        )
        wrong = dataclasses.replace(
            scene, things=(dataclasses.replace(scene.things[0], colour=absent), *scene.things[1:])
        )
        verdict = judge(draw(wrong), scene)
        assert not verdict.present[0]
        assert not verdict.relation


def test_the_wrong_background_is_noticed(pictures):
    other = {"paper": "night", "night": "meadow", "meadow": "paper"}
    for picture, scene in zip(pictures[:12], SCENES, strict=False):
        wrong = dataclasses.replace(scene, background=other[scene.background])
        assert not judge(picture, wrong).ground


@pytest.mark.parametrize("sigma", [8, 16])
def test_noise_is_reported(pictures, sigma):
    rng = np.random.default_rng(0)
    for picture in pictures[:10]:
        noisy = np.clip(picture + rng.normal(0, sigma, picture.shape), 0, 255).astype(np.uint8)
        # The mean of three channels has less noise than each, by the root of three.
        assert noise_level(noisy) == pytest.approx(sigma / 3**0.5, rel=0.3)
        assert noise_level(noisy) > VISIBLE_NOISE


def test_an_empty_page_has_none_of_it():
    scene = Scene((Thing("star", "red", 0.3, 0.5, 0.4),), "paper", None, "")
    verdict = judge(draw(dataclasses.replace(scene, things=())), scene)
    assert verdict.present == (False,)
    assert verdict.shaped == (False,)
    assert verdict.ground


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_are_recognised_at_any_size(kind):
    for size in (0.28, 0.5):
        scene = Scene((Thing(kind, "green", 0.45, 0.55, size),), "paper", None, "")
        assert judge(draw(scene), scene).shaped == (True,)


def test_small_crowded_scenes_are_judged_too():
    rng = random.Random(1)
    scenes = [sample_scene(rng, 3, distinct=True) for _ in range(10)]
    assert all(all(judge(draw(scene), scene).present) for scene in scenes)


def test_a_contact_sheet_holds_all_pictures(pictures):
    assert contact_sheet(np.stack(pictures[:5]), columns=3).size == (3 * 128, 2 * 128)
