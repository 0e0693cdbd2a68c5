import json
import random
import re
import subprocess
import sys

import numpy as np
import pytest
import traitlets
import xarray as xr
from PIL import Image

from attnscope.errors import ExportError, FrontEndError, UnknownLayerError, UnknownWordError, ViewError
from attnscope.widget.encode import decode
from attnscope.widget.scope import Scope
from attnscope.widget.state import NAMES

LAYERS = ["down.0.0", "mid.0", "up.1.0", "up.1.1"]


def test_it_opens_on_the_whole_at_the_last_step(cap):
    scope = Scope(cap)
    assert (scope.level, scope.layer, scope.head, scope.step, scope.token) == ("unet", "down.0.0", "mean", 7, None)
    assert len(repr(scope)) < 120


@pytest.mark.parametrize(
    ("state", "level"),
    [
        ({}, "unet"),
        ({"layer": "up.1.0"}, "layer"),
        ({"layer": "up.1.0", "head": "mean"}, "head"),
        ({"layer": None}, "unet"),
    ],
)
def test_it_opens_as_deep_as_it_is_told(cap, state, level):
    assert Scope(cap, **state).level == level


@pytest.mark.parametrize(
    ("token", "positions"),
    [
        ("red", 2),
        ("RED", 2),
        ("foxglove", [3, 4]),
        ("a", 1),
        (0, 0),
        ([5, 3], [3, 5]),
        ([5, 3, 5], [3, 5]),
        (np.int64(4), 4),
        (None, None),
        ([], []),
    ],
)
def test_tokens_by_word_or_position(cap, token, positions):
    scope = Scope(cap, token=token)
    assert scope.token == positions
    scope.token = None
    scope.token = token
    assert scope.token == positions
    json.dumps(scope.get_state(["token"]))


@pytest.mark.parametrize(
    ("state", "error", "text"),
    [
        ({"foo": 1}, TypeError, r"Scope has no 'foo'\. Available: level, kind, layer, head, step"),
        ({"tokens": "red"}, TypeError, r"Did you mean 'token'\?"),
        (
            {"layer": "up.1.9"},
            UnknownLayerError,
            r"'up\.1\.9'\. Available: down\.0\.0, mid\.0, up\.1\.0, up\.1\.1\. Did you",
        ),
        ({"layer": "down.1.0"}, UnknownLayerError, "It was not captured: not asked for"),
        ({"token": "foxgloves"}, UnknownWordError, r"Available: a, red, foxglove.*Did you mean 'foxglove'\?"),
        (
            {"token": 11},
            UnknownWordError,
            r"token=11 was not kept\. Give positions among 0 to 10, or a word\. Available: a",
        ),
        ({"token": [2, 1.5]}, UnknownWordError, r"token=1\.5"),
        ({"step": 3}, ViewError, r"step=3 was not captured\. Available: 0, 4, 7"),
        ({"step": True}, ViewError, "step=True"),
        ({"head": 3}, ViewError, r"head=3 does not exist\. Layer down\.0\.0 has heads 0 to 2; 'mean'"),
        ({"layer": "mid.0", "head": 2}, ViewError, r"Layer mid\.0 has heads 0 to 1"),
        ({"head": "min"}, ViewError, "head='min'"),
        ({"level": "blocks"}, ViewError, r"level='blocks' is unknown\. Available: unet, block, layer, head"),
        ({"cmap": "jet"}, ViewError, r"Available: viridis, cividis, magma, gray"),
        ({"cmap": ["jet"]}, ViewError, "cmap"),
        ({"scale": None}, ViewError, "Available: auto, own, shared, run"),
        ({"transform": "ranks"}, ViewError, r"Available: linear, sqrt, log, rank, uniform\. Did you mean 'rank'"),
        ({"uv": (0.5, 1.2)}, ViewError, r"uv=\(0\.5, 1\.2\) is no point of the picture"),
        ({"uv": 0.5}, ViewError, "Give"),
        ({"image": 1}, ViewError, r"image=1 does not exist\. The run made 1"),
        ({"branch": "uncond"}, ViewError, "Available: cond"),
        ({"overlay": 2}, ViewError, "overlay=2 is no opacity"),
        ({"show_preview": 1}, ViewError, "show_preview=1 must be True"),
        ({"theme": "blue"}, ViewError, "Available: auto, light, dark"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(cap, state, error, text):
    with pytest.raises(error, match=text):
        Scope(cap, **state)
    (name, value), *_ = list(state.items())[-1:]
    if name in NAMES:
        scope = Scope(cap, **dict(list(state.items())[:-1]))
        before = getattr(scope, name)
        with pytest.raises(error):
            setattr(scope, name, value)
        assert getattr(scope, name) == before


def test_a_new_layer_with_fewer_heads_shows_their_mean(cap):
    scope = Scope(cap, layer="up.1.0", head=2)
    scope.layer = "mid.0"
    assert scope.head == "mean"
    scope.layer, scope.head = "up.1.1", 1
    scope.layer = "mid.0"
    assert scope.head == 1


def test_the_browser_moves_it_and_cannot_break_it(cap):
    scope = Scope(cap)
    seen = []
    scope.observe(
        lambda change: seen.append((change.name, change.new)), names=["layer", "head", "step", "token", "level"]
    )
    scope.set_state({"level": "head", "layer": "up.1.0", "head": 2, "step": 0, "token": [3, 4]})
    assert dict(seen) == {"level": "head", "layer": "up.1.0", "head": 2, "step": 0, "token": [3, 4]}
    scope.set_state({"layer": "gone", "step": 99, "token": 1})
    assert (scope.layer, scope.step, scope.token) == ("up.1.0", 0, 1)


def test_the_first_view_needs_no_kernel(cap):
    scope = Scope(cap, step=4)
    (item,) = scope._first["items"]
    assert item["id"] == "atlas|4|0|cond|"
    assert [section["name"] for section in item["sections"]] == LAYERS
    maps = decode(item["sections"][1], scope._first_buffer)
    mean = cap.layer("mid.0").sel(step=4).astype(np.float32).mean("head").transpose("token", "pixel").values
    np.testing.assert_allclose(maps.reshape(11, -1), mean, atol=2**-11)


def test_manifest_says_what_was_captured(cap):
    manifest = Scope(cap)._manifest
    text = json.dumps(manifest, allow_nan=False)
    assert len(text) < 40_000
    assert manifest["protocol"] == "attnscope/1"
    assert manifest["run_steps"] == 8
    assert [step["timestep"] for step in manifest["steps"]] == [951, 451, 76.25]
    assert manifest["tokens"][10] == {
        "token": 10, "text": "<|endoftext|>", "word": "<|endoftext|>", "word_index": -1, "kind": "pad", "count": 67,
    }  # fmt: skip
    assert [layer["layer"] for layer in manifest["layers"]] == LAYERS
    assert manifest["layers"][1]["block"] is None
    assert manifest["missing"][0]["reason"] == "not asked for"
    mass = cap.layer("mid.0").values.astype(np.float64).mean(axis=(1, 2))
    np.testing.assert_allclose(manifest["mass"]["mid.0"], mass, rtol=5e-3)


def test_pictures_are_png_files_end_to_end(cap_images):
    import io

    scope = Scope(cap_images)
    assert len(scope._manifest["pictures"]) == 3
    for offset, length in scope._manifest["pictures"]:
        assert Image.open(io.BytesIO(scope._picture[offset : offset + length])).size == (112, 80)


@pytest.mark.parametrize("seed", range(6))
def test_code_gives_what_is_selected(cap_images, seed):
    rng = random.Random(seed)
    state = {
        "level": rng.choice(["unet", "layer", "head"]),
        "layer": rng.choice(LAYERS),
        "head": rng.choice(["mean", 0, 1]),
        "step": rng.choice([0, 4, 7]),
        "token": rng.choice([None, "foxglove", 2, [0, 9]]),
        "image": rng.choice([0, 1, 2]),
    }
    scope = Scope(cap_images, **state)
    xr.testing.assert_identical(eval(scope.code(), {"cap": cap_images}), scope.selected)


def test_a_missing_front_end_says_how_to_build_it(cap, monkeypatch):
    monkeypatch.setattr(Scope, "_esm", "")
    with pytest.raises(FrontEndError, match=r"widget\.js.*`make`.*restart the kernel"):
        Scope(cap)


def test_a_saved_capture_is_read_slice_by_slice(cap, tmp_path):
    import attnscope

    cap.save(tmp_path / "capture.zarr")
    scope, live = (
        Scope(one, layer="up.1.0", head=1, token="red", step=4)
        for one in (attnscope.open(tmp_path / "capture.zarr"), cap)
    )
    np.testing.assert_array_equal(scope.selected.values, live.selected.values)
    np.testing.assert_array_equal(
        scope._packets.cross.layer_maps("mid.0", 7, 0, "cond"), live._packets.cross.layer_maps("mid.0", 7, 0, "cond")
    )


def test_a_bare_model_has_no_prompt():
    from widget.synthetic import Token, recording

    from attnscope.maps.capture import Capture

    bare = recording(prompt=None)
    bare.texts["cross"] = [[Token(index, f"#{index}", f"#{index}", index, "prompt") for index in range(11)]]
    bare.attrs |= {"tokens_known": False, "scheduler": None, "guidance_scale": None}
    scope = Scope(Capture(bare), token=3)
    assert repr(scope) == "<attnscope.Scope of a bare model, step 7>"
    assert (scope._manifest["prompt"], scope._manifest["title"]) == (None, "a/model")
    assert "token ‘#3’" in scope.spec().caption
    assert scope._repr_mimebundle_()[0]["image/png"]


def test_saving(cap, tmp_path):
    scope = Scope(cap, layer="up.1.0", head=1, token="foxglove")
    for suffix in (".png", ".svg", ".pdf"):
        path = scope.save(tmp_path / f"figure{suffix}")
        assert path.stat().st_size > 1000
    with pytest.raises(ExportError, match=r"\.png, \.svg, \.pdf"):
        scope.save(tmp_path / "figure.tiff")
    with pytest.raises(ValueError, match="suffix"):
        scope.save(tmp_path / "figure")
    assert scope.figure().layout.meta["caption"].startswith("cross-attention, up.1.0 (up_blocks.1")


def test_traits_that_move_fast_are_not_echoed(cap):
    scope = Scope(cap)
    for name in (*NAMES, "_manifest", "_picture", "_first", "_first_buffer"):
        assert scope.trait_metadata(name, "echo_update") is False
        assert isinstance(scope.traits()[name], traitlets.TraitType)


def test_reading_a_capture_needs_no_widget():
    heavy = "anywidget", "ipywidgets", "plotly", "matplotlib", "torch", "diffusers"
    check = f"import sys, attnscope; print([name for name in {heavy} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"\[\]\s*", out)


def test_what_is_no_capture_is_said(tmp_path):
    with pytest.raises(TypeError, match=r"Scope shows a Capture, not str: 'run.zarr'. A saved one is opened by"):
        Scope("run.zarr")


def test_a_list_is_no_layer_and_no_level(cap):
    scope = Scope(cap)
    with pytest.raises(UnknownLayerError, match=r"No captured layer is called \['up.1.0'\]"):
        scope.layer = ["up.1.0"]
    with pytest.raises(ViewError, match=r"level=\['unet'\] is unknown"):
        scope.level = ["unet"]


def test_a_refused_layer_from_the_browser_does_not_vouch_for_a_head(cap):
    scope = Scope(cap, layer="up.1.0")
    heads = {entry["layer"]: entry["heads"] for entry in scope._manifest["layers"]}
    scope.set_state({"head": heads["up.1.0"], "layer": "no.such.layer"})
    assert (scope.layer, scope.head) == ("up.1.0", "mean")


def test_a_file_makes_its_folder(cap, tmp_path):
    scope = Scope(cap)
    assert scope.save(tmp_path / "figures" / "a.svg").is_file()
    assert scope.to_html(tmp_path / "pages" / "a.html", layers=[], steps=[7]).is_file()
