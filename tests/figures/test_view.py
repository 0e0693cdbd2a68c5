import random

import numpy as np
import pytest
import xarray as xr
from widget.synthetic import recording

from attnscope.figures.compose import compose
from attnscope.figures.view import View, code, selected
from attnscope.maps.capture import Capture

LAYERS = ["down.0.0", "mid.0", "up.1.0", "up.1.1"]


def random_view(rng: random.Random) -> View:
    layer = rng.choice(LAYERS)
    return View(
        level=rng.choice(["unet", "layer", "head"]),
        layer=layer,
        step=rng.choice([0, 4, 7]),
        head=rng.choice(["mean", 0, 1]),
        token=tuple(rng.sample(range(11), rng.choice([0, 1, 2]))),
        hues=False,
    )


@pytest.mark.parametrize("seed", range(12))
def test_code_evaluates_to_what_is_selected(cap, seed):
    view = random_view(random.Random(seed))
    values, calls = selected(cap, view)
    xr.testing.assert_identical(eval(code(calls), {"cap": cap}), values)
    assert values.dims == (("pixel",) if view.token else ("pixel", "token"))


def test_grids_that_do_not_divide():
    grids = {(11, 13): (3, [("up", 1, 0)]), (5, 7): (2, [("mid", -1, 0), ("up", 0, 0)])}
    cap = Capture(recording(grids=grids))
    values, calls = selected(cap, View(level="unet", layer="up.1.0", step=4, token=(2, 5), hues=False))
    again = eval(code(calls), {"cap": cap})
    xr.testing.assert_allclose(again, values, rtol=1e-6)
    assert values.sizes["pixel"] == 11 * 13


def test_selected_is_the_plain_mean(cap):
    values, _ = selected(cap, View(level="layer", layer="up.1.0", step=4, token=(3, 4)))
    plain = cap.layer("up.1.0").sel(step=4).values.astype(np.float64)
    np.testing.assert_allclose(values, plain.mean(0)[:, 3] + plain.mean(0)[:, 4], atol=2e-3)


def test_what_was_not_seen_is_no_zero(cap_gap):
    view = View(level="head", layer="up.1.0", step=4, head=1, token=(3, 4))
    values, calls = selected(cap_gap, view)
    assert np.isnan(values).all()
    xr.testing.assert_identical(eval(code(calls), {"cap": cap_gap}), values)
    overview, _ = selected(cap_gap, view.at(level="unet"))
    assert np.isfinite(overview).all()
    assert "mean of 3 of 4 layers" in compose(cap_gap, view.at(level="unet")).caption
    assert "mean of 4 layers" in compose(cap_gap, view.at(level="unet", step=7)).caption
