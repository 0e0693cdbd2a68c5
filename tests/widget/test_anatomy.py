"""The transformer that holds a layer, taken apart for the browser."""

import json

import models
import numpy as np
import pytest
import torch

import attnscope
from attnscope.errors import ViewError
from attnscope.maps.capture import Capture
from attnscope.widget.packets import Packets
from attnscope.widget.protocol import make_item
from attnscope.widget.scope import Scope


@pytest.fixture(scope="module")
def deep():
    """Transformers of two blocks at one place, measured."""
    pipe = models.pipeline(transformer_layers_per_block=(1, 2, 1, 1))
    with attnscope.capture(pipe, kinds=("cross", "self"), measure=True) as cap:
        pipe("a star", num_inference_steps=3, height=32, width=48, output_type="pt")
    return cap


def table(cap, layer):
    packets = Packets(cap)
    assert make_item("anatomy", None, 0, "cond", layer)["id"] == f"anatomy||0|cond|{layer}"
    ((name, array, encoding),) = packets.parts(make_item("anatomy", None, 0, "cond", layer))
    assert (name, encoding, array.ndim) == ("table", "u8", 1)
    return json.loads(bytes(array))


def test_a_transformer_of_one_block_is_all_there(deep):
    rows = table(deep, "down.0.1")["rows"]
    every = deep.anatomy("down.0.1")
    assert [row["module"] for row in rows] == every["module"].tolist()
    assert list(rows[0]) == ["layer", "part", "operation", "module", "definition", "input", "output"]
    assert rows[0]["input"] == list(every["input"].iloc[0])
    assert {"Transformer2DModel", "BasicTransformerBlock", "attn1", "attn2", "ff"} <= {row["part"] for row in rows}


def test_of_several_blocks_the_one_asked_for_is_opened_where_it_is_called(deep):
    rows = table(deep, "down.1.0.1")["rows"]
    container = "down_blocks.1.attentions.0"
    operations = [row["operation"] for row in rows if row["part"] == "Transformer2DModel"]
    assert [one for one in operations if "blocks" in one] == ["transformer_blocks.0", "transformer_blocks.1"]
    inside = [row for row in rows if ".transformer_blocks." in row["module"] and row["part"] != "Transformer2DModel"]
    assert {row["module"].removeprefix(container)[:21] for row in inside} == {".transformer_blocks.1"}
    call = next(place for place, row in enumerate(rows) if row["operation"] == "transformer_blocks.1")
    assert rows[call + 1]["part"] == "BasicTransformerBlock"
    assert rows[-1]["part"] == "Transformer2DModel"


def test_what_each_sub_layer_added_goes_along(deep):
    measures = table(deep, "down.1.0.1")["measures"]
    added = deep.measures["added"]
    module = "down_blocks.1.attentions.0.transformer_blocks.1"
    (place,) = np.flatnonzero(added["module"].values == module)
    assert list(measures) == ["attn1", "attn2", "ff"]
    for part, values in measures.items():
        expected = added.isel(layer=place).sel(part=part).values
        np.testing.assert_allclose(values, expected, rtol=1e-5)
    assert measures != table(deep, "down.1.0.0")["measures"]


def test_what_was_not_measured_is_null(pipe, paint):
    with attnscope.capture(pipe) as cap:
        paint()
    assert table(cap, "mid.0")["measures"] is None
    assert Scope(cap)._manifest["anatomy"] is True


def test_where_torch_is_not_installed_it_says_so(deep, monkeypatch, tmp_path, capsys):
    cap = Capture(deep.tree)

    def missing(attrs):
        msg = "No module named 'torch'"
        raise ModuleNotFoundError(msg, name="torch")

    monkeypatch.setattr(Capture, "anatomist", staticmethod(missing))
    with pytest.raises(ViewError, match=r"takes torch and diffusers: No module named 'torch'\. Install both"):
        Packets(cap).parts(make_item("anatomy", None, 0, "cond", "mid.0"))
    page = Scope(cap).to_html(tmp_path / "scope.html", kinds="cross", steps=0).read_text()
    assert "goes without the anatomy" in capsys.readouterr().out
    assert '"anatomy":false' in page
    assert "anatomy|" not in page


def test_what_each_sub_layer_added_is_that_of_the_image_asked_for():
    pipe = models.pipeline()
    with attnscope.capture(pipe, measure=True) as cap:
        settings = {"num_inference_steps": 2, "height": 32, "width": 48, "output_type": "pt"}
        pipe(["a star", "a star"], generator=torch.Generator().manual_seed(1), **settings)
    packets = Packets(cap)
    for image in (0, 1):
        ((_, array, _),) = packets.parts(make_item("anatomy", None, image, "cond", "mid.0"))
        found = json.loads(bytes(array))["measures"]["attn2"]
        expected = cap.measures["added"].sel(image=image, part="attn2")
        (place,) = np.flatnonzero(expected["layer"].values == "mid.0")
        np.testing.assert_allclose(found, expected.isel(layer=place), rtol=1e-5)
