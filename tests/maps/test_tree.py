"""Labels, selection, and the thin face on the tree."""

import numpy as np
import pytest
import xarray as xr

from attnscope.errors import UnknownGridError, UnknownLayerError, UnknownWordError

DIMS = ("step", "layer", "head", "pixel", "token")


def test_one_node_for_each_grid_finest_first(cap):
    assert list(cap.tree["cross"].children) == ["16x24", "8x12", "4x6", "2x3"]
    for node in cap.tree["cross"].children.values():
        assert node["attention"].dims == DIMS
        assert node["attention"].coords["branch"] == "cond"
        assert node["attention"].coords["image"] == 0


def test_layers_table(cap):
    table = cap.layers
    assert table["layer"].tolist()[:8] == [
        "down.0.0", "down.0.1", "down.1.0", "down.1.1", "down.2.0", "down.2.1", "mid.0", "up.1.0",
    ]  # fmt: skip
    assert len(table) == 16
    row = table.set_index("layer").loc["up.1.0"]
    assert row["module"] == "up_blocks.1.attentions.0.transformer_blocks.0.attn2"
    assert (row["kind"], row["place"], row["grid"], row["heads"], row["head_width"]) == ("cross", "up", "4x6", 3, 8)
    assert table["layer"].is_unique


@pytest.mark.parametrize(("place", "count"), [("up", 3), (["up"], 3), (["down", "up"], 5)])
def test_place_keeps_the_dimension(cap, place, count):
    assert cap.at("8x12").sel(place=place).dims == DIMS
    assert cap.at("8x12").sel(place=place).sizes["layer"] == count


def test_one_match_keeps_the_dimension_too(cap):
    assert cap.at("2x3").sel(place="mid").sizes["layer"] == 1
    assert cap.at("2x3").sel(word="circle").dims == DIMS


def test_words_repeated_in_pieces_and_in_lists(cap):
    array = cap.at("8x12")
    assert array.sel(word="red")["token"].values.tolist() == [2, 6]
    assert array.sel(word="sailboat")["token"].values.tolist() == [7, 8]
    assert array.sel(word=["circle", "red"])["token"].values.tolist() == [2, 3, 6]
    assert array.sel(word_index=1)["token"].values.tolist() == [2]
    assert array.sel(token_kind=["bos", "pad"])["token"].values.tolist() == [0, 10]
    chained = array.sel(word="red").sel(place="up", step=2)
    assert chained.dims == ("layer", "head", "pixel", "token")


def test_a_selection_can_be_selected_from(cap):
    up = cap.at("8x12").sel(place="up")
    assert up.sel(place="up").identical(up)
    with pytest.raises(UnknownWordError, match=r"No place is 'down'. Available: up\."):
        up.sel(place="down")


@pytest.mark.parametrize(
    ("label", "error", "message"),
    [
        ("foxx", UnknownWordError, "No word is 'foxx'. Available: <|startoftext|>, a, red"),
        ([], UnknownWordError, "empty list"),
        (slice("a", "red"), TypeError, "takes one label or a list"),
    ],
)
def test_what_is_not_a_word(cap, label, error, message):
    with pytest.raises(error) as raised:
        cap.at("8x12").sel(word=label)
    assert message in str(raised.value)
    with pytest.raises(ValueError, match=r"method= and tolerance= have no meaning"):
        cap.at("8x12").sel(word="red", method="nearest")


def test_pixels_are_the_picture_s_own(cap):
    picture = cap.at("4x6").isel(step=0, layer=0, head=0, token=2).unstack("pixel")
    assert picture.dims == ("y", "x")
    assert picture["y"].values.tolist() == [4, 12, 20, 28]
    assert picture["x"].values.tolist() == [4, 12, 20, 28, 36, 44]
    flat = cap.at("4x6").isel(step=0, layer=0, head=0, token=2)
    assert np.array_equal(picture.values.ravel(), flat.values)
    assert flat.sel(pixel=(12, 20)).item() == picture.sel(y=12, x=20).item()


def test_arithmetic_keeps_labels(cap):
    array = cap.at("8x12")
    difference = array.sel(step=2) - array.sel(step=0)
    assert difference.dims == DIMS[1:]
    assert difference.sel(word="red").sizes["token"] == 2


@pytest.mark.parametrize("grid", ["16x24", (16, 24), [16, 24], "16X24"])
def test_at(cap, grid):
    assert cap.at(grid).attrs["grid"] == [16, 24]


def test_at_errors(cap):
    with pytest.raises(UnknownGridError, match=r"grid 16x16. Available: 16x24, 8x12, 4x6, 2x3"):
        cap.at(16)
    with pytest.raises(ValueError, match=r"\[0\] is no grid"):
        cap.stack(0)
    with pytest.raises(ValueError, match=r"'large' is no grid"):
        cap.at("large")


def test_layer(cap):
    layer = cap.layer("up.1.0")
    assert layer.dims == ("step", "head", "pixel", "token")
    assert str(layer["layer"].values) == "up.1.0"
    assert layer.sel(step=1, head=2).sel(word="red").dims == ("pixel", "token")
    with pytest.raises(UnknownLayerError, match=r"called 'up.1.9'. Available: down.0.0, .*Did you mean 'up.1.\d'"):
        cap.layer("up.1.9")
    with pytest.raises(UnknownLayerError, match=r"kind 'self' was not captured. Available: cross"):
        cap.layer("up.1.0", kind="self")


def test_layer_of_one_grid_with_fewer_heads_than_its_neighbours():
    import models
    import torch

    import attnscope

    # At 1x1 latents every level has the same grid, and heads differ.
    unet = models.unet()
    with attnscope.capture(unet, labels=["a", "b"]) as cap:
        unet(torch.zeros(1, 4, 1, 1), 1, torch.zeros(1, 5, 24))
    assert list(cap.tree["cross"].children) == ["1x1"]
    assert cap.at(1).sizes["head"] == 4
    assert [cap.layer(label).sizes["head"] for label in ("down.0.0", "down.1.0", "mid.0")] == [2, 4, 3]
    assert cap.at(1).sel(layer="down.0.0").isel(head=slice(2, None)).isnull().all()
    assert not cap.layer("down.0.0").isnull().any()


def test_stack_is_every_layer_in_network_order(cap):
    stacked = cap.stack()
    assert stacked.dims == DIMS
    assert stacked["layer"].values.tolist() == cap.layers["layer"].tolist()
    assert stacked.sel(layer="down.0.0").isel(head=slice(2)).equals(cap.layer("down.0.0").isel(head=slice(2)))
    assert stacked.sel(layer="down.0.0").isel(head=slice(2, None)).isnull().all()
    assert abs(stacked.sum("token").isel(head=0) - 1).max() < 2e-6
    assert stacked.sel(place="mid").sel(word="red").sizes["layer"] == 1
    small = cap.stack((3, 5), how="bilinear")
    assert small.sizes["pixel"] == 15


def test_word_counts_every_layer_alike(cap):
    heat = cap.word("sailboat")
    assert heat.dims == ("y", "x")
    assert heat.shape == (16, 24)
    by_hand = cap.stack().sel(word="sailboat").sum("token", skipna=False).mean("head").mean(("step", "layer"))
    xr.testing.assert_allclose(heat, by_hand.unstack("pixel").rename(heat.name), atol=1e-6)
    assert cap.word("sailboat", size=8).shape == (8, 8)


def test_nbytes_is_what_is_kept(cap):
    rows = cap.layers
    cells = (rows["height"] * rows["width"] * rows["heads"]).sum()
    assert cap.nbytes == 3 * cells * 11 * 4


def test_repr_is_short(cap):
    assert repr(cap) == (
        "<attnscope.Capture of 'a red circle and a red sailboat': 3 steps, 16 layers "
        "(5 at 16x24, 5 at 8x12, 5 at 4x6, 1 at 2x3), 11 tokens, 0.8 MB>"
    )
