import numpy as np
import pytest

from attnscope.figures.colours import COLOUR_MAPS, FLAT_RGB, NAN_RGB, lut, paint, position, value_at
from attnscope.figures.layout import ticks
from attnscope.figures.palette import Palette
from attnscope.figures.spec import Map, Swatch


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_tables_are_matplotlibs_own(name):
    from matplotlib import colormaps

    table = lut(name)
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert np.abs(table / 255 - colormaps[name](np.arange(256))[:, :3]).max() <= 0.5 / 255 + 1e-9


@pytest.mark.parametrize("transform", ["linear", "sqrt", "log"])
def test_place_and_value_are_inverse(transform):
    lo = 1e-4 if transform == "log" else 0.0
    for place in (0.0, 0.2, 0.7, 1.0):
        assert position(value_at(place, lo, 0.31, transform), lo, 0.31, transform) == pytest.approx(place)


def test_not_a_number_is_magenta_and_a_constant_map_grey():
    painted = paint(position(np.array([[0.0, np.nan], [0.5, 2.0]]), 0, 1, "linear"), "gray")
    assert painted.tolist() == [[[0, 0, 0], list(NAN_RGB)], [[128, 128, 128], [255, 255, 255]]]
    assert Map(np.full((5, 7), 0.25), 0, 1).constant == 0.25
    assert (Map(np.full((5, 7), 0.25), 0, 1).rgba()[..., :3] == FLAT_RGB).all()
    assert Map(np.array([[0.25]])).constant is None


def test_categories_have_their_colours():
    shown = Map(np.array([[0, 1, -1]]), categories=(Swatch("a", (1, 2, 3)), Swatch("b", (4, 5, 6))))
    assert shown.rgba()[..., :3].tolist() == [[[1, 2, 3], [4, 5, 6], list(NAN_RGB)]]


def test_a_word_of_several_pieces_competes_with_their_sum(cap):
    values = np.full((1, 2, 11), 0.01)
    values[0, 0, [2, 3, 4]] = 0.3, 0.2, 0.2  # ‘red’ against the two pieces of ‘foxglove’
    values[0, 1, 2] = np.nan
    palette = Palette(cap.tokens, {})
    named = {swatch.label: code for code, swatch in enumerate(palette.swatches)}
    assert palette.codes(values).tolist() == [[named["foxglove"], -1]]


@pytest.mark.parametrize("transform", ["linear", "sqrt", "log"])
@pytest.mark.parametrize("hi", [1.0, 0.31, 0.0456, 0.0002])
def test_ticks_name_both_ends_and_never_crowd(transform, hi):
    lo = 1e-4 if transform == "log" else 0.0
    places = [place for place, _ in ticks(lo, hi, transform)]
    assert places[0] == 0
    assert places[-1] == 1
    assert min(np.diff(places)) >= 0.09 - 1e-9
