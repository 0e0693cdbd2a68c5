"""What goes into a file: self-attention, chosen kinds, words and layers, and the second capture."""

import re

import numpy as np
import pytest
from widget.synthetic import recording, with_self
from widget.test_export import read

from attnscope.errors import ExportError, UnknownLayerError, UnknownWordError, ViewError
from attnscope.maps.capture import Capture
from attnscope.widget.encode import decode
from attnscope.widget.scope import Scope

LAYERS = ["down.0.0", "mid.0", "up.1.0", "up.1.1"]


@pytest.fixture(scope="module")
def run():
    made, explicit = with_self(recording())
    return Capture(made), explicit


@pytest.fixture
def both(run):
    return run[0]


def kinds_of(index):
    kinds = [key.split("|")[0] for key in index["items"]]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def sections(index, data, key):
    return {section["name"]: decode(section, data) for section in index["items"][key]}


def test_self_attention_is_there_with_its_queries_and_keys(run, tmp_path):
    cap, explicit = run
    _, traits, index, data = read(Scope(cap, kind="self").to_html(tmp_path / "scope.html", layers=LAYERS))
    assert kinds_of(index) == {"layer": 12, "heads": 3, "received": 9, "qk": 21, "preview": 3, "range": 4}
    manifest = traits["_manifest"]
    assert (manifest["kinds"], manifest["parts"], manifest["live"]) == (["cross", "self"], True, False)
    assert [item["id"] for item in traits["_first"]["items"]][1] == "received|7|0|cond|mid.0"
    found = sections(index, data, "qk|4|0|cond|up.1.0|1")
    scores = found["scale"] * found["query"].astype(np.float32) @ found["key"].astype(np.float32).T
    weights = np.exp(scores - found["lse"][:, None])
    np.testing.assert_allclose(weights, explicit["up.1.0"][1, 0, 1], rtol=0.02)
    received = sections(index, data, "received|0|0|cond|down.0.0")["maps"].reshape(3, -1)
    np.testing.assert_allclose(received, explicit["down.0.0"][0, 0].sum(axis=-2), rtol=2**-10)
    ranges = sections(index, data, "range||0|cond|mid.0")
    assert {name: values.shape for name, values in ranges.items()} == dict.fromkeys(("max", "p1", "p99"), (3, 11))


def test_queries_and_keys_of_some_layers(both, tmp_path):
    _, _, index, _ = read(Scope(both).to_html(tmp_path / "scope.html", layers="mid.0", steps=4))
    assert kinds_of(index) == {"atlas": 1, "layer": 1, "heads": 1, "received": 3, "qk": 2, "preview": 1, "range": 4}
    assert {key for key in index["items"] if key.startswith("qk")} == {f"qk|4|0|cond|mid.0|{head}" for head in (0, 1)}


def test_queries_and_keys_are_asked_for_by_name(both, tmp_path, capsys):
    """They take many times the room of all the rest, and nobody should be surprised; the layer looked at has them."""
    _, _, index, _ = read(Scope(both).to_html(tmp_path / "scope.html"))
    assert kinds_of(index) == {"layer": 12, "heads": 3, "received": 9, "preview": 3, "range": 4}
    assert "self-attention with queries and keys of 0 of 3 layers (more by layers=)" in capsys.readouterr().out
    _, _, index, _ = read(Scope(both, kind="self", layer="up.1.0").to_html(tmp_path / "scope.html"))
    assert {key.split("|")[4] for key in index["items"] if key.startswith("qk")} == {"up.1.0"}
    assert "queries and keys of 1 of 3 layers" in capsys.readouterr().out


@pytest.mark.parametrize(("kinds", "left"), [("cross", "self"), (("self",), "cross")])
def test_one_kind_of_two(both, tmp_path, kinds, left):
    scope = Scope(both, kind=left, layer="up.1.0", level="unet", compare={"step": 0})
    _, traits, index, _ = read(scope.to_html(tmp_path / "scope.html", kinds=kinds))
    assert left not in {entry["kind"] for entry in traits["_manifest"]["layers"]}
    assert traits["kind"] != left
    assert (traits["layer"], traits["compare"]) == ("up.1.0", {"step": 0})
    assert ("received" in kinds_of(index), "layer" in kinds_of(index)) == (left == "cross", left == "self")
    assert bool(traits["_manifest"]["mass"]) == (left == "self")
    assert scope.kind == left


def test_words_that_are_left_out_are_summed_into_the_padding(both, tmp_path):
    scope = Scope(both, token="red", pins=[{"state": {"token": "by"}, "note": ""}, {"state": {"token": 3}, "note": ""}])
    _, traits, index, data = read(
        scope.to_html(tmp_path / "scope.html", tokens=["foxglove", "a"], dtype="float16", kinds="cross")
    )
    tokens = traits["_manifest"]["tokens"]
    assert [entry["token"] for entry in tokens] == [0, 1, 3, 4, 6, 9, 10]
    assert (tokens[-1]["kind"], tokens[-1]["count"]) == ("pad", 67 + 4)
    assert "for red, by, $\\frac, <script>: they are summed into the padding" in traits["_manifest"]["note"]
    captured = both.layer("mid.0").sel(step=4).transpose("head", "token", "pixel").values
    maps = sections(index, data, "layer|4|0|cond|mid.0")["maps"].reshape(2, 7, -1)
    np.testing.assert_array_equal(maps[:, :6], captured[:, [0, 1, 3, 4, 6, 9]])
    np.testing.assert_allclose(maps[:, 6], captured[:, [2, 5, 7, 8, 10]].sum(axis=1), rtol=2**-10)
    np.testing.assert_allclose(maps.astype(np.float32).sum(axis=1), 1, atol=5e-3)
    highest = both.layer("mid.0").isel(token=[2, 5, 7, 8, 10]).sum("token").max(["step", "pixel"])
    np.testing.assert_allclose(sections(index, data, "range||0|cond|mid.0")["max"][:2, 6], highest, rtol=2**-9)
    mass = np.array(traits["_manifest"]["mass"]["mid.0"])
    assert mass.shape == (3, 7)
    np.testing.assert_allclose(mass.sum(axis=1), 1, atol=5e-3)
    # What is not in the file is not looked at.
    assert (traits["token"], traits["pins"]) == (None, [{"state": {"token": 3}, "note": ""}])
    assert scope._manifest["tokens"][2]["text"] == "red"
    assert scope._packets.parts({"kind": "layer", "step": 4, "layer": "mid.0"})[0][1].shape[1] == 11


def test_a_note_stays_text(both, tmp_path):
    nasty = "</script><script>alert(1)</script><!-- \u2028"
    pins = [{"state": {"layer": "mid.0"}, "note": nasty}]
    page, traits, _, _ = read(Scope(both, pins=pins).to_html(tmp_path / "scope.html", steps=0, layers=[]))
    assert traits["pins"] == pins
    assert page.tags.count("script") == 4


def test_pins_that_are_left_out_are_counted(both, tmp_path, capsys):
    pins = [{"state": {"step": step}, "note": ""} for step in (0, 4, 7)]
    _, traits, _, _ = read(Scope(both, pins=pins, span=[0, 7]).to_html(tmp_path / "scope.html", steps=[4]))
    assert "2 of the 3 pins show what the file does not hold" in capsys.readouterr().out
    assert (traits["pins"], traits["span"]) == ([pins[1]], None)


def test_maps_in_sixteen_bits_are_as_captured(both, tmp_path, capsys):
    _, _, index, data = read(Scope(both).to_html(tmp_path / "scope.html", dtype="float16"))
    assert "16-bit maps" in capsys.readouterr().out
    captured = both.layer("up.1.1").sel(step=0).transpose("head", "token", "pixel").values
    np.testing.assert_array_equal(sections(index, data, "layer|0|0|cond|up.1.1")["maps"].reshape(3, 11, -1), captured)


def test_the_second_capture_is_there_too(both, tmp_path, capsys):
    other = Capture(recording())
    scope = Scope(both, against=other, compare={"capture": 1})
    _, traits, index, data = read(scope.to_html(tmp_path / "scope.html", steps=[0, 4], layers="up.1.1"))
    assert "the second capture" in capsys.readouterr().out
    second = traits["_manifest"]["other"]
    assert ([step["step"] for step in second["steps"]], second["parts"]) == ([0, 4], True)
    assert traits["compare"] == {"capture": 1}
    captured = other.layer("up.1.1").sel(step=4).transpose("head", "token", "pixel").values
    maps = sections(index, data, "1:layer|4|0|cond|up.1.1")["maps"].reshape(3, 11, -1)
    np.testing.assert_allclose(maps, captured, atol=captured.max() / 254)
    assert "1:range||0|cond|mid.0" in index["items"]
    assert not [key for key in index["items"] if key.startswith("1:received")]
    offset, _ = index["buffers"]["_other_picture"]
    assert data[offset : offset + 4] == b"\x89PNG"


def test_of_a_second_capture_nothing_may_be_left(both, tmp_path):
    scope = Scope(both, against=Capture(recording()), compare={"capture": 1})
    _, traits, index, _ = read(scope.to_html(tmp_path / "scope.html", kinds="self", steps=0, layers=[]))
    assert (traits["_manifest"]["other"], traits["compare"], traits["kind"]) == (None, None, "self")
    assert not [key for key in index["items"] if key.startswith("1:")]
    scope.compare = {"capture": 1, "step": 7}
    _, traits, _, _ = read(scope.to_html(tmp_path / "scope.html", kinds="cross", steps=0, layers=[]))
    assert (traits["compare"], bool(traits["_manifest"]["other"])) == (None, True)


def test_words_of_self_attention_alone_cannot_be_chosen(both, tmp_path):
    tree = both.tree.copy()
    del tree["cross"]
    scope = Scope(Capture(tree))
    with pytest.raises(
        UnknownWordError, match=r"self-attention alone was captured\. Capture kinds=\('cross', 'self'\)"
    ):
        scope.to_html(tmp_path / "scope.html", tokens="red")
    _, traits, index, _ = read(scope.to_html(tmp_path / "scope.html", steps=7, layers="mid.0"))
    assert (traits["kind"], set(kinds_of(index))) == ("self", {"received", "qk", "preview"})


@pytest.mark.parametrize("options", [{}, {"kinds": "self"}, {"layers": [], "dtype": "float16"}, {"tokens": "red"}])
def test_the_size_is_known_beforehand(both, tmp_path, capsys, options):
    path = Scope(both, against=both).to_html(tmp_path / "scope.html", **options)
    estimate = float(re.search(r"about ([\d.]+) MB", capsys.readouterr().out).group(1)) * 1e6
    size = path.stat().st_size
    assert abs(estimate - size) < 0.1 * size + 0.05e6  # it is said to a tenth of a megabyte


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"kinds": "joint"}, ViewError, r"kinds=\['joint'\] was not captured\. Available: cross, self"),
        ({"kinds": []}, ViewError, r"kinds=\[\] was not captured"),
        (
            {"dtype": "float8"},
            ExportError,
            r"dtype='float8' is unknown\. Available: uint8, float16\. Did you mean 'flo",
        ),
        ({"tokens": "green"}, UnknownWordError, "'green' is no word of the prompt"),
        ({"tokens": [99]}, UnknownWordError, "token=99 was not kept"),
        ({"layers": ["up.1.1"], "kinds": "self"}, UnknownLayerError, r"layer of self-attention is called 'up\.1\.1'"),
    ],
)
def test_what_cannot_be_written_is_said(both, tmp_path, options, error, text):
    with pytest.raises(error, match=text):
        Scope(both).to_html(tmp_path / "scope.html", **options)
    assert not list(tmp_path.iterdir())


def test_too_much_of_both_kinds_says_what_to_leave_out(both, tmp_path, monkeypatch):
    from attnscope.widget import html

    monkeypatch.setattr(html, "LIMIT_BYTES", 100_000)
    with pytest.raises(ExportError, match=r"such as kinds='cross', steps=\[0.*\] or layers=\['down\.0\.0'\], or write"):
        Scope(both).to_html(tmp_path / "scope.html", layers=LAYERS)
