from itertools import pairwise

import numpy as np
import pytest

from attnscope.figures.colours import COLOUR_MAPS, FLAT_RGB, NAN_RGB, lut, mix, paint, position, ranks, value_at
from attnscope.figures.layout import ticks
from attnscope.figures.outline import outline
from attnscope.figures.palette import Palette
from attnscope.figures.spec import Hue, Map, Swatch


@pytest.mark.parametrize("name", [*COLOUR_MAPS, "RdBu_r"])
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


def test_vik_goes_from_blue_over_white_to_red():
    table = lut("vik")
    assert [table[place].tolist() for place in (0, 255)] == [[0, 18, 97], [89, 0, 8]]
    assert table[126:130].min() > 218
    assert table.dtype == np.uint8


@pytest.mark.parametrize("name", ["RdBu_r", "vik"])
def test_no_difference_is_the_middle_of_the_colours(name):
    made = Map(np.array([[-0.2, 0.0, 0.2]]), -0.2, 0.2, cmap=name)
    assert made.places().tolist() == [[0, 0.5, 1]]
    assert made.rgba()[0, 1, :3].min() > 218


def test_ranks_share_ties_and_leave_nan():
    values = np.array([[3.0, np.nan, 1.0], [1.0, 7.0, 7.0]])
    np.testing.assert_array_equal(ranks(values), np.array([[0.5, np.nan, 0.125], [0.125, 0.875, 0.875]]))
    assert ranks(np.array([4.0])).tolist() == [0]


def test_hues_are_mixed_by_where_they_lie_on_their_own_scales():
    hues = (
        Hue("a", (200, 0, 0), np.array([[0.1, 0.0, np.nan]]), hi=0.2),
        Hue("b", (0, 100, 0), np.array([[0.2, 0.8, 0.1]]), hi=0.4),
    )
    made = Map(hues[0].values + hues[1].values, hues=hues, opacity=0.5)
    assert made.rgba().tolist() == [[[100, 50, 0, 64], [0, 100, 0, 128], [*NAN_RGB, 128]]]
    assert mix(np.zeros((1, 1, 2)), ((1, 2, 3), (4, 5, 6)))[1].tolist() == [[0]]


def test_a_mask_is_dark_where_the_map_is_low():
    made = Map(np.array([[0.0, 0.5, 1.0]]), mask=True, opacity=0.6)
    assert made.rgba().tolist() == [[[0, 0, 0, 153], [0, 0, 0, 76], [0, 0, 0, 0]]]


def inside(lines, x, y):
    """Whether a ray from a point to the right crosses the lines an odd number of times."""
    crossed = 0
    for line in lines:
        points = np.array(line.points)
        for (x0, y0), (x1, y1) in pairwise(points):
            if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
                crossed += 1
    return crossed % 2 == 1


def test_the_outline_goes_around_the_cells_that_hold_half():
    y, x = np.mgrid[:11, :13]
    values = np.exp(-((y - 5) ** 2 + (x - 6) ** 2) / 6)
    ordered = np.sort(values, axis=None)[::-1]
    lowest = ordered[np.searchsorted(np.cumsum(ordered), values.sum() / 2)]
    lines = outline(values, "#ffffff")
    found = np.array([[inside(lines, (j + 0.5) / 13, (i + 0.5) / 11) for j in range(13)] for i in range(11)])
    np.testing.assert_array_equal(found, values >= lowest)


def test_what_has_no_half_has_no_outline():
    assert outline(np.zeros((3, 5)), "#ffffff") == ()
    assert outline(np.full((3, 5), np.nan), "#ffffff") == ()


@pytest.mark.parametrize(("lo", "hi"), [(-0.22, 0.22), (0.02, 0.4), (0.0, 804.0)])
def test_ticks_of_scales_that_begin_elsewhere(lo, hi):
    places, numbers = zip(*ticks(lo, hi, "linear"), strict=True)
    assert len(places) > 2
    for place, number in zip(places[1:-1], numbers[1:-1], strict=True):
        assert lo + place * (hi - lo) == pytest.approx(float(number), abs=(hi - lo) / 100)
