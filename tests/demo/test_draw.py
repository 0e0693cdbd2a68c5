import numpy as np
import pytest

from attnscope.demo.book import COLOURS, KINDS, Scene, Thing
from attnscope.demo.draw import GROUNDS, PALETTE, draw


def scene_of(kind, colour="blue", background="paper"):
    return Scene((Thing(kind, colour, 0.5, 0.5, 0.5),), background, None, "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_thing_shows_its_colour_inside_its_box_only(kind):
    picture = draw(scene_of(kind), 64)
    blue = (picture == PALETTE["blue"]).all(axis=-1)
    assert blue[16:48, 16:48].mean() > 0.15
    blue[15:49, 15:49] = False
    assert not blue.any()


def test_the_size_of_the_picture_is_free():
    assert draw(scene_of("star"), 48).shape == (48, 48, 3)


def test_colours_and_grounds_are_far_apart():
    paints = [np.array(PALETTE[colour], float) for colour in COLOURS]
    grounds = [np.array(ground, float) for grounds in GROUNDS.values() for ground in grounds]
    for i, paint in enumerate(paints):
        for other in [*paints[:i], *grounds]:
            assert np.linalg.norm(paint - other) > 60


def test_edges_are_smooth():
    picture = draw(scene_of("circle"))
    values = np.unique(picture.reshape(-1, 3), axis=0)
    assert len(values) > 8
