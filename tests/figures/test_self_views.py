"""What is on screen of self-attention, as data and as code."""

import numpy as np
import pytest
import xarray as xr
from figures.conftest import STEPS

import attnscope
from attnscope.errors import UnknownLayerError
from attnscope.figures.compose import compose
from attnscope.figures.view import View, code, selected
from attnscope.maps import lazy
from attnscope.maps.capture import Capture

UV = (0.31, 0.93)  # cell (9, 4) of 10x14, (4, 2) of 5x7
BASE = {"layer": "up.1.0", "step": 4, "kind": "self"}
CELL = 9 * 14 + 4


def evaluated(cap, view, **names):
    values, calls = selected(cap, view, names.get("other"))
    again = eval(code(calls), {"cap": cap, "attnscope": attnscope, "xr": xr, **names})
    xr.testing.assert_identical(again, values)
    return values


@pytest.mark.parametrize("head", [1, "mean", "max", [0, 2]])
@pytest.mark.parametrize("way", ["received", "row", "column"])
def test_a_layer(cap_self, formed, head, way, monkeypatch):
    monkeypatch.setattr(lazy, "FORMED_BYTES", 60_000)  # of the map of one head, 78 kB
    pinned = {} if way == "received" else {"uv": UV, "direction": way}
    values = evaluated(cap_self, View(level="head", head=head, **pinned, **BASE))
    maps = formed["up.1.0"][STEPS.index(4)]
    each = {"received": maps.sum(axis=1), "row": maps[:, CELL], "column": maps[:, :, CELL]}[way]
    if isinstance(head, int):
        wanted = each[head]
    else:
        wanted = each.max(axis=0) if head == "max" else each[slice(None) if head == "mean" else head].mean(axis=0)
    assert values.dims == (("pixel",) if way == "column" else ("key",))
    np.testing.assert_allclose(values, wanted, rtol=2e-5)


def test_received_attention_is_1_where_all_get_the_same(cap_self):
    values = evaluated(cap_self, View(level="layer", **BASE))
    assert float(values.mean()) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("way", ["received", "row", "column"])
def test_the_mean_over_layers(cap_self, formed, way):
    pinned = {} if way == "received" else {"uv": UV, "direction": way}
    values = evaluated(cap_self, View(level="unet", **pinned, **BASE))
    wanted = np.zeros((10, 14))
    for maps in formed.values():
        one, grid, cell = (maps[1], (10, 14), CELL) if maps.shape[-1] == 140 else (maps[1], (5, 7), 4 * 7 + 2)
        shares = {
            "received": one.sum(1),
            "row": one[:, cell] * one.shape[-1],
            "column": one[:, :, cell] * one.shape[-1],
        }
        wanted += np.kron(shares[way].mean(axis=0).reshape(grid), np.ones((10 // grid[0], 14 // grid[1])))
    np.testing.assert_allclose(values.values.reshape(10, 14), wanted / len(formed), rtol=2e-5)
    assert int(values["step"]) == 4


def test_points_are_written_with_four_digits_and_evaluated_so(cap_self):
    view = View(level="unet", uv=(1 / 3, 0.0), **BASE)
    assert "uv=[0.3333, 0]" in code(selected(cap_self, view)[1])
    evaluated(cap_self, view)


def test_without_self_attention_it_says_what_there_is(cap):
    with pytest.raises(UnknownLayerError, match=r"kind 'self' was not captured.*cross"):
        selected(cap, View(level="unet", **BASE))


def test_captions(cap_self):
    said = compose(cap_self, View(level="head", head=[0, 2], uv=UV, **BASE)).caption
    assert "mean of heads 0 and 2, step 4/8 (t=451), row: where pixel (y 76, x 36) of 10×14 attends to" in said
    assert said.endswith("shown without smoothing; queries and keys in 16 bits.")
    assert "token" not in said
    received = compose(cap_self, View(level="layer", **{**BASE, "layer": "mid.0"})).caption
    assert "received attention (column sums; 1 is an even share); linear, scale shared by all maps shown" in received
    assert "16 bits" not in received
    overview = compose(cap_self, View(level="unet", uv=UV, direction="column", transform="uniform", **BASE)).caption
    assert "mean of 4 layers (each on 10×14 by nearest cell), mean of all heads" in overview
    assert "column: what attends to pixel (y 74.4, x 34.7) (times each layer's number of pixels" in overview
    assert "times chance, own scale" in overview
    row = compose(cap_self, View(level="head", head=1, uv=UV, transform="uniform", **BASE)).caption
    assert "times chance (multiples of 1/140)" in row


def test_row_and_column_stand_side_by_side_with_the_pixel_marked(cap_self, formed):
    spec = compose(cap_self, View(level="head", head=1, uv=UV, **BASE))
    picture, row, column = spec.panels
    assert [panel.title.split(" of")[0] for panel in (picture, row, column)] == ["picture", "row", "column"]
    assert {panel.point for panel in spec.panels} == {UV}
    maps = formed["up.1.0"][1, 1]
    np.testing.assert_allclose(row.map.values.ravel(), maps[CELL], rtol=2e-5)
    np.testing.assert_allclose(column.map.values.ravel(), maps[:, CELL], rtol=2e-5)
    assert not spec.bars
    assert any("of the pixels · entropy" in text.text for text in spec.texts)


def test_layers_of_different_grids_are_shown_in_one_unit(cap_self):
    spec = compose(cap_self, View(level="unet", uv=UV, scale="shared", **BASE))
    tiles = {panel.title: panel.map.values for panel in spec.panels if panel.map}
    assert len(tiles) == 5
    for values in tiles.values():
        assert values.mean() == pytest.approx(1, rel=1e-4)


def test_a_block_shows_both_kinds(cap_self):
    spec = compose(cap_self, View(level="block", token=(2,), **{**BASE, "kind": "cross"}))
    assert "Below the picture: self-attention, up.1.0" in spec.caption
    assert spec.panels[-1].title == "received attention"
    other = compose(cap_self, View(level="block", **BASE))
    assert "Below the picture: cross-attention, up.1.0" in other.caption
    assert other.panels[-1].map.categories


@pytest.mark.parametrize("level", ["unet", "block", "layer", "head"])
def test_a_capture_of_self_attention_alone(cap_self, level):
    nodes = {path: node for path, node in cap_self.tree.to_dict().items() if not path.startswith("/cross")}
    alone = Capture(xr.DataTree.from_dict(nodes))
    spec = compose(alone, View(level=level, **BASE))
    assert spec.caption == compose(cap_self, View(level=level, **BASE)).caption.split(" Below the picture")[0]


def test_what_was_not_seen_is_no_zero(cap_self):
    for layer in cap_self.tree["self/10x14"]["attention"].variable._data.layers:
        layer.seen = np.array([True, False, True])
    values = evaluated(cap_self, View(level="head", **BASE))
    assert np.isnan(values).all()
    assert "140 cells are not a number (magenta)" in compose(cap_self, View(level="head", uv=UV, **BASE)).caption
    assert "mean of 1 of 4 layers" in compose(cap_self, View(level="unet", **BASE)).caption
