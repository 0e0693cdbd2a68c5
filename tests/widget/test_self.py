"""Self-attention on the wire: what leaves the kernel is the explicit softmax, to rounding."""

import json
from threading import Thread

import numpy as np
import pytest
from widget.synthetic import STEPS, recording, with_self

from attnscope.analysis import received
from attnscope.errors import UnknownLayerError, ViewError
from attnscope.maps.capture import Capture
from attnscope.maps.narrow import narrow
from attnscope.widget import self_packets
from attnscope.widget.encode import decode, pack
from attnscope.widget.messages import answer
from attnscope.widget.packets import Packets
from attnscope.widget.protocol import make_item
from attnscope.widget.scope import Scope

LAYERS = ["down.0.0", "mid.0", "up.1.0"]


def both(**options):
    made, explicit = with_self(recording(images=options.pop("images", 1)), **options)
    return Capture(made), explicit


def alone(cap):
    """The same capture without cross-attention."""
    tree = cap.tree.copy()
    del tree["cross"]
    return Capture(tree)


def by_name(packets, item, **options):
    return {name: (array, encoding) for name, array, encoding in packets.parts(item, **options)}


@pytest.mark.parametrize("layer", LAYERS)
def test_received_is_the_sum_of_each_column(layer):
    cap, explicit = both(images=2)
    packets, (grid,) = Packets(cap), {cap.layer(layer, "self").attrs["grid"][0]}
    for image in (0, 1):
        ((name, maps, encoding),) = packets.parts(make_item("received", 4, image, "cond", layer))
        assert (name, encoding, maps.shape[1]) == ("maps", "f16", grid)
        columns = explicit[layer][1, image].sum(axis=-2)
        np.testing.assert_allclose(maps.reshape(columns.shape), columns, atol=2e-6 * columns.shape[-1])
        np.testing.assert_allclose(maps.mean(axis=(1, 2)), 1, rtol=1e-5)
    part = cap.layer(layer, "self").sel(step=4, image=1)
    np.testing.assert_allclose(maps.reshape(columns.shape), received(part) * columns.shape[-1], rtol=1e-5)


def test_received_comes_in_half_precision_and_once(monkeypatch):
    cap, explicit = both()
    packets, item = Packets(cap), make_item("received", 7, 0, "cond", "mid.0")
    (section,), data = pack(packets.parts(item))
    columns = explicit["mid.0"][2, 0].sum(axis=-2)
    np.testing.assert_allclose(decode(section, data).reshape(columns.shape), columns, rtol=2**-11 + 1e-5)
    monkeypatch.setattr(self_packets.SelfPackets, "_received", None)
    assert packets.parts(item)


def test_a_step_in_which_a_layer_was_not_seen_is_not_a_number():
    cap, _ = both(unseen=("up.1.0", 1))
    packets = Packets(cap)
    for kind, part in (("received", None), ("rows", 3)):
        for _, maps, _ in packets.parts(make_item(kind, 4, 0, "cond", "up.1.0", part=part)):
            assert np.isnan(maps).all()
        for _, maps, _ in packets.parts(make_item(kind, 4, 0, "cond", "down.0.0", part=part)):
            assert np.isfinite(maps).all()
    assert np.isnan(by_name(packets, make_item("qk", 4, 0, "cond", "up.1.0", part=0))["lse"][0]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint16])
@pytest.mark.parametrize("bias", [False, True])
def test_rows_and_columns_are_those_of_the_explicit_softmax(dtype, bias):
    cap, explicit = both(dtype=dtype, bias=bias)
    packets = Packets(cap)
    for layer, cell in (("up.1.0", 139), ("mid.0", 0)):
        parts = by_name(packets, make_item("rows", 4, 0, "cond", layer, part=cell))
        maps = explicit[layer][1, 0]
        for name, expected in (("row", maps[:, cell]), ("column", maps[:, :, cell])):
            array, encoding = parts[name]
            assert (encoding, array.shape[0]) == ("f32", len(maps))
            np.testing.assert_allclose(array.reshape(expected.shape), expected, atol=2e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint16])
@pytest.mark.parametrize("bias", [False, True])
def test_the_browser_s_formula_gives_the_row(dtype, bias):
    cap, explicit = both(dtype=dtype, bias=bias)
    sections, data = pack(Packets(cap).parts(make_item("qk", 7, 0, "cond", "up.1.0", part=1)))
    found = {section["name"]: decode(section, data).astype(np.float64) for section in sections}
    assert set(found) == {"query", "key", "lse", "scale"} | ({"bias"} if bias else set())
    encodings = {section["name"]: section["encoding"] for section in sections}
    assert encodings["query"] == ("f16" if dtype == np.float16 else "f32")
    assert found["query"].shape == (140, 6)
    scores = found["scale"] * found["query"] @ found["key"].T + found.get("bias", 0)
    np.testing.assert_allclose(np.exp(scores - found["lse"][:, None]), explicit["up.1.0"][2, 0, 1], atol=2e-6)


def test_large_queries_and_keys_travel_in_half_precision(monkeypatch):
    cap, _ = both()
    packets, item = Packets(cap), make_item("qk", 0, 0, "cond", "down.0.0", part=2)
    assert by_name(packets, item)["query"][1] == "f32"
    assert by_name(packets, item, dtype="uint8")["key"][1] == "f16"
    monkeypatch.setattr(self_packets, "EXACT_BYTES", 2 * 140 * 8 * 4 - 1)
    parts = by_name(packets, item)
    assert [encoding for _, encoding in parts.values()] == ["f16", "f16", "f32", "f32"]


def test_row_sums_that_are_not_known_are_computed():
    made, explicit = with_self(recording())
    cap = Capture(made)
    for node in cap.tree["self"].children.values():
        for scores in node["attention"].variable._data.layers:
            scores.lse = None
    parts = by_name(Packets(cap), make_item("qk", 4, 0, "cond", "mid.0", part=0))
    scores = parts["scale"][0] * parts["query"][0] @ parts["key"][0].T
    weights = np.exp(scores - parts["lse"][0][:, None])
    np.testing.assert_allclose(weights, explicit["mid.0"][1, 0, 0], atol=2e-6)


def test_a_capture_that_was_saved_and_one_of_several_are_read_alike(tmp_path):
    import attnscope

    cap, explicit = both(images=3)
    opened = attnscope.open(cap.save(tmp_path / "run.zarr"))
    part = Capture(narrow(cap.tree, {"image": 2}))
    for packets, image in ((Packets(opened), 2), (Packets(part), 0)):
        parts = by_name(packets, make_item("rows", 7, image, "cond", "up.1.0", part=17))
        expected = explicit["up.1.0"][2, 2][:, 17].reshape(2, 10, 14)
        np.testing.assert_allclose(parts["row"][0], expected, atol=2e-6)


@pytest.mark.parametrize(
    ("item", "error", "text"),
    [
        ({"kind": "received", "layer": "up.1.1"}, UnknownLayerError, r"layer of self-attention is called 'up\.1\.1'"),
        ({"kind": "qk", "layer": "mid.0"}, ViewError, r"part=None does not exist\. Layer mid\.0 has heads 0 to 1"),
        ({"kind": "qk", "layer": "mid.0", "part": True}, ViewError, "part=True"),
        ({"kind": "qk", "layer": "mid.0", "part": 2}, ViewError, "heads 0 to 1"),
        ({"kind": "rows", "layer": "mid.0", "part": 35}, ViewError, r"part=35 .* cells 0 to 34"),
        ({"kind": "rows", "layer": "mid.0", "part": -1}, ViewError, "part=-1"),
        ({"kind": "rows", "layer": "mid.0", "part": "0"}, ViewError, "part='0'"),
        ({"kind": "received", "layer": ["mid.0"]}, UnknownLayerError, r"\['mid.0'\]"),
        ({"kind": "received", "layer": "mid.0", "step": 5}, ViewError, "step 5 was not captured"),
        ({"kind": "received", "layer": "mid.0", "image": 1}, ViewError, "image 1 was not captured"),
        (
            {"kind": "received", "layer": "mid.0", "capture": 1},
            ViewError,
            r"capture 1 is not there\. Available: 0; ",
        ),
        ({"kind": "anatomy", "layer": "mid.0"}, ViewError, "cannot be taken apart"),
        ({"kind": "anatomy", "layer": 3}, UnknownLayerError, "3"),
    ],
)
def test_what_cannot_be_read_is_said(item, error, text):
    cap, _ = both()
    with pytest.raises(error, match=text):
        Packets(cap).parts({"step": 4, "image": 0, "branch": "cond", **item})


def test_a_kind_that_was_not_captured_is_said(cap):
    with pytest.raises(ViewError, match=r"Self-attention was not captured\. Available: cross"):
        Packets(cap).parts(make_item("received", 4, 0, "cond", "mid.0"))
    with pytest.raises(ViewError, match=r"Cross-attention was not captured\. Available: self"):
        Packets(alone(both()[0])).parts(make_item("atlas", 4, 0, "cond"))


def test_two_threads_read_self_attention_alike():
    cap, _ = both()
    items = [make_item("received", step.step, 0, "cond", layer) for step in STEPS for layer in LAYERS]
    items += [make_item("rows", 4, 0, "cond", layer, part=cell) for layer in LAYERS for cell in (0, 21)]
    items += [make_item("qk", 7, 0, "cond", layer, part=1) for layer in LAYERS]
    expected = [[part[1].copy() for part in Packets(cap).parts(item)] for item in items]
    shared, wrong = Packets(cap), []
    shared.memo.limit = 3000  # so that what one has computed the other throws away

    def hammer(order):
        try:
            for _ in range(5):
                for index in order:
                    for part, right in zip(shared.parts(items[index]), expected[index], strict=True):
                        np.testing.assert_array_equal(part[1], right)
        except BaseException as error:
            wrong.append(error)

    threads = [Thread(target=hammer, args=(order,)) for order in (range(len(items)), range(len(items) - 1, -1, -1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_manifest_lists_both_kinds():
    manifest = Scope(both(dtype=np.uint16)[0])._manifest
    assert manifest["kinds"] == ["cross", "self"]
    entries = [(entry["layer"], entry["kind"], entry["single_heads"], entry["stored"]) for entry in manifest["layers"]]
    assert entries[:2] == [("down.0.0", "cross", 3, "float16"), ("down.0.0", "self", 3, "bfloat16")]
    assert [label for label, kind, *_ in entries if kind == "self"] == LAYERS
    assert set(manifest["mass"]) == {label for label, kind, *_ in entries if kind == "cross"}
    assert (manifest["anatomy"], manifest["parts"], manifest["other"]) == (False, False, None)


def test_self_attention_alone_is_shown_and_its_first_view_needs_no_kernel():
    cap, explicit = both()
    scope = Scope(alone(cap))
    assert (scope.kind, scope.layer, scope._manifest["tokens"], scope._manifest["mass"]) == ("self", "down.0.0", [], {})
    assert [item["id"] for item in scope._first["items"]] == [f"received|7|0|cond|{layer}" for layer in LAYERS]
    maps = decode(scope._first["items"][1]["sections"][0], scope._first_buffer)
    np.testing.assert_allclose(maps.reshape(2, 35), explicit["mid.0"][2, 0].sum(axis=-2), rtol=2**-11 + 1e-5)
    assert repr(scope) == "<attnscope.Scope of 'a red foxglove by a $\\\\frac <script>', step 7>"
    scope.level = "layer"
    assert repr(scope).endswith(", down.0.0, self-attention, step 7>")
    shown, _ = alone(cap)._repr_mimebundle_()
    assert set(shown) == {"application/vnd.jupyter.widget-view+json", "image/png", "text/html", "text/plain"}
    json.dumps(scope._manifest, allow_nan=False)
    with pytest.raises(ViewError, match=r"kind='cross' was not captured\. Available: self"):
        scope.kind = "cross"


def test_of_a_first_view_the_finest_layers_are_left_for_later(monkeypatch):
    from attnscope.widget import first

    monkeypatch.setattr(first, "_FIRST_ENTRIES", 2 * 35**2 + 2 * 140**2)
    scope = Scope(both()[0], kind="self")
    assert [item["id"].split("|")[4] for item in scope._first["items"]] == ["mid.0", "up.1.0"]


def test_another_kind_has_other_layers_and_heads():
    scope = Scope(both()[0], layer="up.1.1", head=2)
    scope.kind = "self"
    assert (scope.layer, scope.head) == ("down.0.0", 2)
    scope.layer = "up.1.0"
    assert scope.head == "mean"
    scope.set_state({"head": 2, "kind": "cross"})
    assert (scope.kind, scope.layer, scope.head) == ("cross", "up.1.0", 2)


def test_the_second_capture_answers_what_is_asked_of_it():
    one, _ = both()
    other, explicit = both(dtype=np.float16)
    scope = Scope(one, against=other)
    assert scope._manifest["other"]["layers"][1]["stored"] == "float16"
    item = make_item("rows", 4, 0, "cond", "up.1.0", part=9, capture=1)
    assert item["id"] == "1:rows|4|0|cond|up.1.0|9"
    ((message, (buffer,)),) = answer(scope._packets, {"type": "get", "gen": 1, "items": [item]})
    (answered,) = message["items"]
    assert answered["id"] == item["id"]
    row = decode(answered["sections"][0], buffer)
    np.testing.assert_allclose(row.reshape(2, 140), explicit["up.1.0"][1, 0][:, 9], atol=2e-6)
    with pytest.raises(ViewError, match=r"capture 2 is not there\. Available: 0 and 1"):
        scope._packets.parts({**item, "capture": 2})
