"""What was measured: saved and opened, in the table of a layer's anatomy, and named where it is not there."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

import attnscope
from attnscope.errors import CaptureError, NotMeasuredError, UnknownLayerError
from attnscope.maps.capture import Capture


@pytest.fixture(scope="module")
def measured(pipe):
    """Two pictures of two steps, of 24x40 pixels."""
    with attnscope.capture(pipe, measure=True) as cap:
        pipe("a red star", num_inference_steps=2, height=32, width=48, num_images_per_prompt=2)
    return cap


@pytest.fixture(scope="module")
def opened(measured, tmp_path_factory):
    return attnscope.open(measured.save(tmp_path_factory.mktemp("measured") / "run.zarr"))


def test_a_round_trip(measured, opened):
    xr.testing.assert_identical(opened.measures, measured.measures)
    assert opened.measures["added"].dims == ("image", "step", "layer", "part")
    assert opened.measures["added"].dtype == np.float32
    assert opened.attrs == measured.attrs
    assert opened.kinds == measured.kinds == ["cross"]
    assert repr(opened) == repr(measured)
    assert opened.measures.sel(place="mid")["layer"].values.tolist() == ["mid.0"]
    assert opened.layers.equals(measured.layers)


def test_what_was_not_seen_stays_so(pipe, tmp_path):
    block = pipe.unet.mid_block.attentions[0].transformer_blocks[0]
    with attnscope.capture(pipe, measure=True) as cap:
        late = block.ff.register_forward_hook(lambda module, args, output: torch.zeros(output.shape))
        pipe("a star", num_inference_steps=1, height=16, width=24)
    late.remove()
    again = attnscope.open(cap.save(tmp_path / "gaps.zarr"))
    xr.testing.assert_identical(again.measures, cap.measures)
    assert again.measures.attrs["unseen"] == [
        {
            "layer": "mid.0",
            "part": "ff",
            "module": "mid_block.attentions.0.transformer_blocks.0.ff",
            "reason": "no sum of what it gives and a residual was seen in BasicTransformerBlock",
        }
    ]
    assert again.measures["added"].isnull().sum() == 1


@pytest.mark.parametrize("which", ["measured", "opened"])
def test_the_anatomy_of_a_layer(which, request, pipe):
    cap = request.getfixturevalue(which)
    table = cap.anatomy("up.2.1")
    plain = attnscope.anatomy(pipe, 32, 48).query("layer == 'up.2.1'").reset_index(drop=True)
    pd.testing.assert_frame_equal(table.drop(columns=["added", "stream"]), plain)
    rows = table.dropna(subset=["added", "stream"], how="all")
    assert rows["part"].tolist() == ["BasicTransformerBlock"] * 3
    assert rows["operation"].tolist() == ["attn1", "attn2", "ff"]
    means = cap.measures.sel(layer="up.2.1").mean(["step", "image"])
    for name in ("added", "stream"):
        assert rows[name].dtype == np.float64
        assert rows[name].tolist() == pytest.approx(means[name].values.tolist())


def test_every_captured_layer_has_one(opened):
    for layer in opened.layers["layer"]:
        assert opened.anatomy(layer)["added"].count() == 3


def test_what_was_not_measured(cap, tmp_path):
    for one in (cap, attnscope.open(cap.save(tmp_path / "run.zarr"))):
        table = one.anatomy("down.0.0")
        assert table[["added", "stream"]].isna().all(axis=None)
        assert table["output"].iloc[0] == (1, 8, 16, 24)
        with pytest.raises(NotMeasuredError, match=r"not measured .*Available: cross-attention. .*measure=True"):
            one.measures  # noqa: B018
        assert "measured" not in repr(one)


def test_the_configuration_is_on_the_root_alone(measured, pipe):
    assert measured.attrs["model_config"]["_class_name"] == "UNet2DConditionModel"
    assert measured.attrs["model_config"]["block_out_channels"] == [8, 16, 24, 24]
    assert json.loads(json.dumps(measured.attrs["model_config"])) == measured.attrs["model_config"]
    assert measured.attrs["model_inputs"] == {"height": 16, "width": 24, "text": pipe.tokenizer.model_max_length}
    for attrs in (measured.at("4x6").attrs, measured.measures.attrs):
        assert not {"model_config", "model_inputs"} & set(attrs)


@pytest.mark.parametrize("label", ["up.2.7", "", "UP.2.1"])
def test_a_layer_that_is_not_there(measured, label):
    with pytest.raises(UnknownLayerError, match=r"No layer of the model is called .*Available: .*down\.0\.0"):
        measured.anatomy(label)


def changed(cap, **attrs):
    tree = cap.tree.copy()
    tree.attrs = {**tree.attrs, **attrs}
    return Capture(tree)


def test_a_model_of_another_class(measured):
    config = measured.attrs["model_config"] | {"_class_name": "UNet3DConditionModel"}
    with pytest.raises(CaptureError, match=r"one of a UNet3DConditionModel, .*Available: UNet2DConditionModel"):
        changed(measured, model_config=config).anatomy("mid.0")


def test_a_configuration_that_cannot_be_built(measured):
    config = measured.attrs["model_config"] | {"down_block_types": ["NoBlock"] * 4}
    with pytest.raises(CaptureError, match=r"written with diffusers .*could not be built .*attnscope.anatomy\(pipe"):
        changed(measured, model_config=config).anatomy("mid.0")


def test_a_capture_of_an_older_version(measured):
    tree = measured.tree.copy()
    tree.attrs = {name: value for name, value in tree.attrs.items() if not name.startswith("model_")}
    with pytest.raises(CaptureError, match=r"does not hold its model's configuration.*attnscope.anatomy\(pipe"):
        Capture(tree).anatomy("mid.0")


def test_measures_need_neither_torch_nor_diffusers(measured, tmp_path):
    path = measured.save(tmp_path / "run.zarr")
    code = f"""
import attnscope, sys
assert attnscope.open({str(path)!r}).measures["added"].values.all()
assert not {{"torch", "diffusers"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_scope_of_a_measured_capture(measured):
    scope = attnscope.Scope(measured, layer="up.2.1", level="layer", token=2)
    maps = measured.layer("up.2.1").sel(step=scope.step, token=2, image=0)
    np.testing.assert_allclose(scope.selected, maps.mean("head"), rtol=1e-6)
