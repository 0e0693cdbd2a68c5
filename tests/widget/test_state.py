"""The state of a scope: every trait, there and back, and what each cannot be."""

import json
from dataclasses import replace

import numpy as np
import pytest
from widget.synthetic import recording, with_self

from attnscope.errors import UnknownLayerError, UnknownWordError, ViewError
from attnscope.maps.capture import Capture
from attnscope.widget.scope import Scope
from attnscope.widget.state import DEFAULTS, NAMES, ScopeState

VALUES = {
    "level": ["unet", "block", "layer", "head"],
    "kind": ["cross", "self"],
    "layer": [None, "up.1.0"],
    "head": [0, "mean", "max", [0, 1]],
    "step": [0, 7],
    "token": [None, 0, [], [3, 4]],
    "hues": [False, True],
    "uv": [None, [0.0, 0.0], [0.3, 1.0]],
    "region": [None, [0.0, 0.0, 1.0, 1.0]],
    "direction": ["row", "column"],
    "image": [0, 2],
    "branch": ["cond"],
    "compare": [
        None,
        {"step": 0},
        {"head": "max", "layer": "mid.0"},
        {"token": None, "image": 0, "capture": 0},
        {"token": []},
        {"direction": "column", "branch": "cond", "capture": 1},
    ],
    "compare_as": ["side", "swipe", "difference", "blink"],
    "scale": ["auto", "own", "shared", "run", "fixed"],
    "limits": [None, [0.0, 0.5], [-1.0, 0.0]],
    "clip": [[0.0, 100.0], [1.0, 99.0]],
    "transform": ["linear", "sqrt", "log", "rank", "uniform"],
    "drop": [[], ["bos"], ["bos", "eos", "pad"]],
    "renormalise": [False, True],
    "cmap": ["viridis", "cividis", "magma", "gray"],
    "diverging": ["RdBu_r", "vik"],
    "overlay": [0.0, 1.0],
    "blend": ["colour", "mask", "contour"],
    "smooth": [False, True],
    "sort": ["index", "entropy", "mass", "similarity"],
    "order": ["prompt", "value"],
    "fps": [1, 2.5, 30],
    "loop": ["loop", "once", "bounce"],
    "span": [None, [0, 0], [0, 4]],
    "show_preview": [False, True],
    "pins": [
        [],
        [{"state": {}, "note": ""}],
        [{"state": {"head": 0, "token": [], "smooth": False}, "note": "</script>"}],
    ],
    "theme": ["auto", "light", "dark"],
}


@pytest.fixture(scope="module")
def both():
    return Capture(with_self(recording(images=3))[0])


def test_names_are_the_same_everywhere():
    assert list(ScopeState.__annotations__) == list(DEFAULTS) == list(VALUES)
    assert set(NAMES) == set(VALUES)
    assert set(NAMES) <= set(Scope.class_trait_names())


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in VALUES.items() for value in values])
def test_every_value_survives_every_way(both, name, value):
    first = Scope(both, against=both, layer="up.1.0", level="unet")
    first.state = {name: value}
    sent = json.loads(json.dumps(first.state, allow_nan=False))
    assert (sent[name], type(sent[name])) == (value, type(value))
    again = Scope(both, against=both, **sent)
    assert again.state == sent == first.state
    third = Scope(both, against=both)
    third.set_state(sent)  # as the browser sends it
    assert third.state == sent
    assert third.get_state([name])[name] == value


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("head", (1, 0, 1), [0, 1]),
        ("head", np.array([1, 0]), [0, 1]),
        ("head", np.int64(1), 1),
        ("token", "foxglove", [3, 4]),
        ("uv", (0, 1), [0.0, 1.0]),
        ("region", np.array([0, 0.25, 0.5, 1]), [0.0, 0.25, 0.5, 1.0]),
        ("clip", (1, 99), [1.0, 99.0]),
        ("limits", (0, np.float32(0.5)), [0.0, 0.5]),
        ("drop", ("pad", "bos", "pad"), ["bos", "pad"]),
        ("span", (0, np.int64(7)), [0, 7]),
        ("fps", np.float64(8), 8),
        ("compare", {"token": "foxglove", "head": (1, 0)}, {"head": [0, 1], "token": [3, 4]}),
        ("pins", [{"state": {"token": "red"}}], [{"state": {"token": 2}, "note": ""}]),
    ],
)
def test_what_python_has_becomes_json(both, name, given, kept):
    scope = Scope(both, **{name: given})
    assert scope.state[name] == kept
    json.dumps(scope.state, allow_nan=False)
    setattr(scope, name, DEFAULTS[name])
    setattr(scope, name, given)
    assert getattr(scope, name) == kept


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("kind", "joint", r"kind='joint' was not captured\. Available: cross, self\."),
        ("head", [0], r"head=\[0\] names 1 head\(s\)\. A list is the mean of two or more; give one as a number"),
        ("head", [1, 1], r"names 1 head"),
        ("head", [], r"names 0 head"),
        ("head", [0, 3], r"head=3 does not exist\. Layer down\.0\.0 has heads 0 to 2; 'mean' .* 'max' .* a list"),
        ("head", [0, True], "head=True does not exist"),
        ("head", [[0], 1], r"head=\[0\] does not exist"),
        ("hues", 0, r"hues=0 must be True \(several words each in a colour of its own\) or False \(their sum\)"),
        ("smooth", None, "smooth=None must be True"),
        ("renormalise", "yes", "renormalise='yes' must be True"),
        ("region", [0, 0, 0, 1], r"region=\[0, 0, 0, 1\] is no box of the picture\. Give \(u0, v0, u1, v1\)"),
        ("region", [0, 0, 1], "is no box"),
        ("region", [0, 0, 1, float("nan")], "is no box"),
        ("region", "all", "is no box"),
        ("uv", [float("inf"), 0], "is no point"),
        ("direction", "rows", r"direction='rows' is unknown\. Available: row, column\. Did you mean 'row'\?"),
        ("compare_as", "diff", "Available: side, swipe, difference, blink"),
        ("limits", [1, 1], r"limits=\[1, 1\] are none\. Give two numbers, the lower one first"),
        ("limits", [0, None], "are none"),
        ("limits", 3, "are none"),
        ("clip", None, r"clip=None are no percentiles\. Give two from 0 to 100"),
        ("clip", [0, 101], "no percentiles"),
        ("clip", [50, 50], "no percentiles"),
        ("drop", "bos", r"drop='bos' names columns that are not there\. Give a list\. Available: bos, eos, pad"),
        ("drop", ["eoss"], r"Did you mean 'eos'\?"),
        ("drop", [["bos"]], "Give a list"),
        ("fps", 0, r"fps=0 is no speed\. Give the steps a second, from 1 to 30"),
        ("fps", float("nan"), "is no speed"),
        ("span", [4, 0], r"span=\[4, 0\] ends before it begins"),
        ("span", [0, 5], r"span=5 was not captured\. Available: 0, 4, 7"),
        ("span", 4, r"span=4 is no stretch of steps\. Give the first and the last"),
        ("blend", "add", "Available: colour, mask, contour"),
        ("sort", "", "sort='' is unknown"),
        ("compare", {}, r"compare=\{\} does not say what differs\. Give one or more of step, head, layer, token"),
        ("compare", 4, "does not say what differs"),
        ("compare", [["step", 0]], "does not say what differs"),
        ("compare", {"steps": 0}, r"'steps' cannot differ\. Available: step, .*Did you mean 'step'\?"),
        ("compare", {"step": 5}, r"step=5 was not captured\. Available: 0, 4, 7"),
        ("compare", {"head": 3}, "Layer down.0.0 has heads 0 to 2"),
        ("compare", {"head": 2, "layer": "mid.0"}, "Layer mid.0 has heads 0 to 1"),
        ("compare", {"layer": None}, "B needs a layer. Available: down.0.0, mid.0"),
        (
            "compare",
            {"capture": 1},
            r"capture 1 is not there\. Available: 0; a second one is given by attnscope\.Scope\(",
        ),
        ("compare", {"capture": True}, "capture True is not there"),
        ("compare", {"direction": 1}, "direction=1 is unknown"),
        ("pins", None, r"pins=None is no list\. Give a list of \{'state'"),
        ("pins", [{"state": {}}, 3], r"pins\[1\]=3 is no pin\. Give \{'state': \{\.\.\.\}, 'note': '\.\.\.'\}"),
        ("pins", [{"state": {}, "note": 1}], "is no pin"),
        ("pins", [{"state": {"pins": []}}], "a state without pins"),
        ("pins", [{"state": {"step": 5}}], r"pins\[0\]: step=5 was not captured"),
        ("pins", [{"state": {"setp": 4}}], r"pins\[0\]: Scope has no 'setp'.*Did you mean 'step'"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(both, name, value, text):
    scope = Scope(both)
    before = scope.state
    with pytest.raises(ViewError, match=text):
        scope.state = {"cmap": "gray", name: value}
    with pytest.raises(ViewError):
        setattr(scope, name, value)
    with pytest.raises(ViewError):
        Scope(both, **{name: value})
    scope.set_state({name: value, "theme": "dark"})  # hostile or late: set right, and not raised
    assert scope.state == before | {"theme": "dark"}


def test_words_and_layers_in_what_differs_are_looked_up(both):
    scope = Scope(both)
    with pytest.raises(UnknownWordError, match="Did you mean 'foxglove'"):
        scope.compare = {"token": "foxgloves"}
    with pytest.raises(UnknownLayerError, match=r"up\.1\.9"):
        scope.state = {"compare": {"layer": "up.1.9"}}
    with pytest.raises(UnknownWordError, match=r"pins\[0\]: 'green' is no word"):
        scope.pins = [{"state": {"token": "green"}, "note": ""}]
    assert (scope.compare, scope.pins) == (None, [])


def test_a_state_is_set_in_part_and_as_a_whole(both):
    scope = Scope(both, token="red")
    seen = []
    scope.observe(lambda change: seen.append(change.name), names=list(NAMES))
    scope.state = {"head": 1, "layer": "up.1.0", "kind": "self"}
    assert (scope.kind, scope.layer, scope.head, scope.token) == ("self", "up.1.0", 1, 2)
    assert seen == ["kind", "layer", "head"]
    scope.compare = {"head": 1}
    scope.state = {"layer": "mid.0", "compare": {"head": 0}}
    assert scope.compare == {"head": 0}
    scope.state = {}
    scope.state = scope.state
    del seen[3:]
    assert seen == ["kind", "layer", "head"]
    with pytest.raises(TypeError, match=r"Scope has no 'colour'\. Available: level, kind"):
        scope.state = {"step": 0, "colour": "red"}
    with pytest.raises(TypeError, match=r"state=3 is no state\. Give a dict"):
        scope.state = 3
    assert scope.step == 7


def test_who_changes_what_he_was_given_changes_no_scope(both):
    scope = Scope(both, compare={"step": 0}, pins=[{"state": {"step": 4}, "note": "early"}])
    scope.state["compare"]["step"] = 99
    scope.state["pins"][0]["state"]["step"] = 99
    assert (scope.compare, scope.pins[0]["state"]) == ({"step": 0}, {"step": 4})
    Scope(both).state["drop"].append("bos")
    assert Scope(both).drop == []


def test_a_second_capture_has_words_and_layers_of_its_own(both):
    scope = Scope(both, against=Capture(recording()), kind="cross")
    scope.compare = {"capture": 1, "layer": "up.1.1", "token": "foxglove"}
    assert scope.compare == {"capture": 1, "layer": "up.1.1", "token": [3, 4]}
    with pytest.raises(ViewError, match=r"image=2 does not exist\. The run made 1"):
        scope.compare = {"capture": 1, "image": 2}
    scope.compare = {"image": 2}
    scope.compare = {"capture": 1}
    with pytest.raises(ViewError, match=r"the second capture holds no self-attention\. Available: cross"):
        scope.state = {"kind": "self", "compare": {"capture": 1}}
    scope.kind = "self"
    assert scope.compare is None


def test_what_differs_goes_where_the_layer_has_no_such_head(both):
    scope = Scope(both, layer="up.1.1", head=0, compare={"head": 2})
    scope.layer = "mid.0"
    assert (scope.head, scope.compare) == (0, None)


def test_only_a_capture_is_compared_with(cap):
    with pytest.raises(TypeError, match=r"Scope\(against=\) shows a Capture, not str"):
        Scope(cap, against="run.zarr")


def test_while_it_waits_it_takes_what_it_cannot_check():
    scope = Scope(kind="self", compare={"step": 99}, span=[3, 9], head=[4, 2])
    assert (scope.kind, scope.compare, scope.span) == ("self", {"step": 99}, [3, 9])
    with pytest.raises(ViewError, match=r"kind='joint' is unknown\. Available: cross, self"):
        Scope(kind="joint")


def test_pins_are_the_scope_s_own(both):
    scope = Scope(both, layer="up.1.0")
    scope.pins = [*scope.pins, {"state": {"layer": "mid.0", "head": 1, "token": "red"}, "note": "the middle"}]
    scope.state = scope.pins[0]["state"]
    assert (scope.layer, scope.head, scope.token) == ("mid.0", 1, 2)


def test_what_would_leave_no_column_is_refused():
    """Of an empty prompt every column is special; figures could not draw what is left."""
    made = recording()
    special = ["bos"] + ["eos"] * 9 + ["pad"]
    made.texts = {
        "cross": [[replace(one, kind=kind) for one, kind in zip(made.texts["cross"][0], special, strict=True)]]
    }
    scope = Scope(Capture(made), drop=["bos", "pad"])
    with pytest.raises(ViewError, match=r"leaves nothing: every token is of these kinds"):
        scope.drop = ["bos", "eos", "pad"]
    assert scope.drop == ["bos", "pad"]
