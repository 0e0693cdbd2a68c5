"""Heads, words, renormalising and comparing: as data, as code and in the sentence."""

import numpy as np
import pytest
import xarray as xr
from figures.test_self_views import evaluated
from widget.synthetic import recording

from attnscope.errors import ViewError
from attnscope.figures.bars import token_bars
from attnscope.figures.compose import compose
from attnscope.figures.shown import Shown, limits
from attnscope.figures.spec import Box
from attnscope.figures.tiles import Tile, sorted_heads
from attnscope.figures.view import View, code, selected
from attnscope.maps.capture import Capture

BASE = {"layer": "up.1.0", "step": 4}


@pytest.fixture
def maps(cap) -> np.ndarray:
    """``(head, pixel, token)`` of up.1.0 at step 4."""
    return cap.layer("up.1.0").sel(step=4).values.astype(np.float64)


@pytest.fixture
def other() -> Capture:
    """The same words elsewhere: a second capture with other values, its layers on other grids."""
    return Capture(recording(grids={(5, 7): (3, [("down", 0, 0), ("up", 1, 0), ("up", 1, 1), ("mid", -1, 0)])}))


def test_heads(cap, maps):
    largest = evaluated(cap, View(level="head", head="max", token=(3, 4), hues=False, **BASE))
    np.testing.assert_allclose(largest, maps.max(0)[:, 3] + maps.max(0)[:, 4], rtol=1e-5)
    some = evaluated(cap, View(level="head", head=[0, 2], token=(2,), **BASE))
    np.testing.assert_allclose(some, maps[[0, 2], :, 2].mean(0), rtol=1e-5)
    # Heads count only where the view is as deep.
    assert code(selected(cap, View(level="layer", head=[0, 2], token=(2,), **BASE))[1]).endswith(
        'mean("head").sum("token")'
    )


def test_words_are_kept_apart_and_pieces_of_one_are_not(cap, maps):
    view = View(level="head", head=1, token=(2, 3, 4), **BASE)
    assert evaluated(cap, view).dims == ("pixel", "token")
    assert evaluated(cap, view.at(token=(3, 4))).dims == ("pixel",)  # pieces of one word
    assert evaluated(cap, view.at(hues=False)).dims == ("pixel",)
    shown = Shown(cap, view)
    assert shown.words == ["red", "foxglove"]
    np.testing.assert_allclose(shown.values[..., 1].ravel(), maps[1, :, 3] + maps[1, :, 4], rtol=1e-5)
    spec = compose(cap, view)
    assert "words ‘red’ and ‘foxglove’ in colours of their own; linear, own scale 0 to" in spec.caption
    assert {text.text for text in spec.texts if text.rgb} == {"red", "foxglove"}


def test_a_word_has_the_colour_that_it_has_among_all_words(cap):
    strongest = compose(cap, View(level="head", head=1, **BASE), {2: 5.0, 3: 4.0})
    among = {text.text: text.rgb for text in strongest.texts if text.rgb}
    two = compose(cap, View(level="head", head=1, token=(2, 3), **BASE), {2: 5.0, 3: 4.0})
    assert {text.text: text.rgb for text in two.texts if text.rgb} == {"red": among["red"], "fo": among["foxglove"]}


@pytest.mark.parametrize("drop", [[], ["bos"], ["bos", "eos", "pad"]])
@pytest.mark.parametrize("level", ["head", "unet"])
def test_renormalised(cap, maps, drop, level):
    view = View(level=level, head=1, token=(3, 4), hues=False, renormalise=True, drop=drop, **BASE)
    values = evaluated(cap, view)
    every = evaluated(cap, view.at(token=(), drop=(), renormalise=False)).values
    kinds = cap.tokens["token_kind"]
    counting = ~kinds.isin(drop).to_numpy()
    np.testing.assert_allclose(values, every[:, [3, 4]].sum(1) / every[:, counting].sum(1), rtol=1e-5)
    whole = evaluated(cap, view.at(token=()))
    assert whole.sizes["token"] == counting.sum()
    np.testing.assert_allclose(whole.sum("token"), 1, rtol=1e-5)
    positions = 77 - sum({"bos": 1, "eos": 1, "pad": 67}[kind] for kind in drop)
    assert f"; renormalised over {positions} tokens" in compose(cap, view).caption


def test_what_does_not_count_has_no_bar(cap):
    shown = Shown(cap, View(level="head", head=1, token=(2,), drop=["bos", "pad"], order="value", **BASE))
    bars = token_bars(shown, Box(0, 0, 150, 140))[0].bars
    assert {bar.label for bar in bars}.isdisjoint({"⟨bos⟩", "⟨pad×67⟩"})
    assert "⟨eos⟩" in {bar.label for bar in bars}
    assert [bar.value for bar in bars] == sorted((bar.value for bar in bars), reverse=True)


def test_bars_of_a_box_are_the_mean_of_its_cells(cap, maps):
    view = View(level="head", head=1, token=(2,), region=(0.0, 0.0, 0.2, 0.14), **BASE)
    bars, _ = token_bars(Shown(cap, view), Box(0, 0, 150, 140))
    cells = [0, 1, 2]  # centres at u = 1/28, 3/28, 5/28 and v = 0.05
    np.testing.assert_allclose([bar.value for bar in bars.bars], maps[1, cells].mean(0), rtol=1e-5)
    assert bars.title.startswith("tokens, mean over the box of 3 cells")
    assert evaluated(cap, view).sizes["pixel"] == 140


def test_limits(cap):
    view = View(level="head", head=1, token=(2,), **BASE)
    values = Shown(cap, view).values
    assert limits(view, [values]).highs == (pytest.approx(values.max()),)
    clipped = limits(view.at(clip=(5, 90)), [values])
    assert (clipped.lo, clipped.highs[0]) == pytest.approx(tuple(np.percentile(values, [5, 90])))
    fixed = view.at(scale="fixed", limits=(0.02, 0.4), clip=(5, 90))
    assert (limits(fixed, [values]).lo, limits(fixed, [values]).highs) == (0.02, (0.4,))
    assert "linear, fixed scale 0.02 to 0.4;" in compose(cap, fixed).caption
    assert "clip 5–90 %, own scale" in compose(cap, view.at(clip=(5, 90))).caption


def test_multiples_of_chance(cap):
    view = View(level="head", head=1, token=(2,), transform="uniform", **BASE)
    made = next(panel.map for panel in compose(cap, view).panels if panel.map)
    assert made.times == 77
    assert made.number(1 / 77) == "1"
    assert "times chance (multiples of 1/77), own scale 0 to" in compose(cap, view).caption
    assert "multiples of 1/10)" in compose(cap, view.at(drop=["pad"])).caption
    np.testing.assert_allclose(made.places(), made.values / made.values.max(), rtol=1e-6)


def test_ranks(cap):
    made = next(p.map for p in compose(cap, View(level="head", token=(2,), transform="rank", **BASE)).panels if p.map)
    order = np.argsort(made.values, axis=None)
    assert (np.diff(made.places().ravel()[order]) >= 0).all()
    assert (made.places().min(), made.places().max()) == (0, 1)


def test_heads_are_sorted():
    values = [np.array([[1.0, 1.0, 1.0]]), np.array([[9.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 1.0]])]
    heads = [Tile(f"head {place}", one) for place, one in enumerate(values)]

    def order(sort, head="mean"):
        view = View(level="layer", layer="up.1.0", step=4, sort=sort, head=head)
        return [int(tile.title[-1]) for tile in sorted_heads(heads, view)[0]]

    assert order("index") == [0, 1, 2]
    assert order("mass") == [1, 0, 2]
    assert order("entropy") == [1, 2, 0]
    # By correlation: the first is the same everywhere, like none of them, and stands last.
    assert order("similarity", 2) == [2, 1, 0]
    assert order("similarity", (0, 2)) == [2, 1, 0]
    assert order("similarity", 1) == [1, 2, 0]


# --- comparing ------------------------------------------------------------------------------------------------


def minus(**compare):
    return View(level="head", head=1, token=(2,), compare=compare, compare_as="difference", **BASE)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"step": 0}, "B: the same with step 0; difference A − B at 10×14, ±"),
        ({"head": [0, 2], "token": [3, 4]}, "with mean of heads 0 and 2 and tokens ‘fo’, ‘xglove’ summed; difference"),
        ({"layer": "mid.0"}, "B: the same with layer mid.0; difference A − B at 5×7, ±"),
    ],
)
def test_differences(cap, changes, said):
    view = minus(**changes)
    values = evaluated(cap, view)
    a = evaluated(cap, view.at(compare=None)).values.reshape(10, 14)
    tokens = tuple(changes.get("token", (2,)))
    alone = {**changes, "token": tokens}
    b = evaluated(cap, view.at(compare=None, hues=False, **alone)).values
    if "layer" in changes:
        a = a.reshape(5, 2, 7, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(values, a.ravel() - b, atol=1e-6)
    assert said in compose(cap, view).caption


def test_a_difference_of_two_captures(cap, other):
    values = evaluated(cap, minus(capture=1), other=other)
    assert values.sizes["pixel"] == 35
    spec = compose(cap, minus(capture=1), other=other)
    assert "B: the same in the second capture; difference A − B at 5×7, ±" in spec.caption
    a, b, delta = (panel.map for panel in spec.panels)
    assert (a.hi, delta.lo) == (b.hi, -delta.hi)
    assert delta.cmap == "RdBu_r"
    np.testing.assert_allclose(delta.values.ravel(), values, rtol=1e-4, atol=1e-7)
    assert any("Pearson r = " in text.text for text in spec.texts)


def test_words_are_found_in_the_other_prompt(cap):
    moved = recording(prompt="other")
    texts = moved.texts["cross"][0]
    moved.texts["cross"][0] = [*texts[:2], *texts[5:7], *texts[2:5], *texts[7:]]
    moved.texts["cross"][0] = [
        type(one)(place, one.text, one.word, one.word_index, one.kind, one.count)
        for place, one in enumerate(moved.texts["cross"][0])
    ]
    from attnscope.figures.second import matched

    there = Capture(moved).tokens
    assert matched(cap.tokens, there, (2, 3, 4, 10)) == (4, 5, 6, 10)
    assert matched(cap.tokens, there, (6,)) == (3,)  # the second ‘a’
    with pytest.raises(ViewError, match="'red' is not in the second capture's prompt"):
        matched(cap.tokens, there.query("word != 'red'"), (2,))


def test_what_cannot_be_compared_is_refused(cap):
    with pytest.raises(ViewError, match="needs a second capture"):
        selected(cap, minus(capture=1))
    with pytest.raises(ViewError, match="compare changes 'cmap'"):
        selected(cap, minus(cmap="gray"))


def test_a_scale_of_all_steps_covers_all_steps_of_both(cap):
    view = minus(head=0).at(scale="run")
    highest = float(cap.layer("up.1.0").sel(head=[0, 1], token=2).max())
    spec = compose(cap, view)
    assert [panel.map.hi for panel in spec.panels[:2]] == [pytest.approx(highest, rel=1e-3)] * 2
    assert "scale shared by all captured steps" in spec.caption


def test_strongest_words_have_no_difference(cap):
    view = minus(step=0).at(token=())
    assert evaluated(cap, view).dims == ("pixel", "token")
    spec = compose(cap, view)
    assert len(spec.panels) == 2
    assert spec.caption.endswith("B: the same with step 0.")


def test_self_rows_and_columns_compare(cap_self):
    view = minus(direction="column").at(kind="self", token=(), uv=(0.31, 0.93))
    values = evaluated(cap_self, view)
    xr.testing.assert_identical(values, evaluated(cap_self, view.at(compare={"direction": "column"})))
    assert "B: the same with the column; difference" in compose(cap_self, view).caption
