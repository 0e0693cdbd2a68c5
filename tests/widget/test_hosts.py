"""What hosts ask of a widget, for those that no test can start: VS Code, Colab, Shiny, Positron."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from anywidget import _util

import attnscope
from attnscope.widget import display
from attnscope.widget.scope import Scope

VIEW = "application/vnd.jupyter.widget-view+json"
STATIC = Path(attnscope.__file__).parent / "static"


@pytest.fixture
def colab(monkeypatch):
    """As much of Colab as a widget sees; counts how often other people's widgets were enabled."""
    enabled = []
    output = ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: enabled.append(True)
    output._widgets = SimpleNamespace(_installed_url="https://a.manager/of.widgets.js")
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    _util.enable_custom_widget_manager_once.cache_clear()
    yield enabled
    _util.enable_custom_widget_manager_once.cache_clear()


def test_colab_is_asked_to_run_widgets_that_are_not_its_own(colab, cap):
    named = {VIEW: {"colab": {"custom_widget_manager": {"url": "https://a.manager/of.widgets.js"}}}}
    assert Scope(cap)._repr_mimebundle_()[1] == named
    assert display.mimebundle(cap)[1] == named
    assert colab == [True]


def test_elsewhere_nothing_is_asked_for(cap):
    assert Scope(cap)._repr_mimebundle_()[1] == {}


def test_the_state_is_small_and_its_bytes_are_plain(cap_images):
    """marimo and Shiny know bytes alone, and a state over some megabytes is refused or slow on the way."""
    state = Scope(cap_images).get_state()
    binary = {name: value for name, value in state.items() if isinstance(value, (bytes, bytearray, memoryview))}
    assert {type(value) for value in binary.values()} == {bytes}
    assert sum(map(len, binary.values())) < 500_000
    assert len(json.dumps({name: state[name] for name in state.keys() - binary.keys()}, allow_nan=False)) < 40_000


def test_messages_carry_plain_bytes(cap, monkeypatch):
    sent = []
    monkeypatch.setattr(Scope, "send", lambda _, content, buffers=None: sent.append((content, buffers)))
    item = {"id": "layer|4|0|cond|mid.0", "kind": "layer", "step": 4, "image": 0, "branch": "cond", "layer": "mid.0"}
    Scope(cap)._answer(None, {"type": "get", "gen": 1, "items": [item]}, [])
    ((content, buffers),) = sent
    assert content["type"] == "put"
    assert [type(buffer) for buffer in buffers] == [bytes]


@pytest.mark.skipif(not (STATIC / "widget.js").exists(), reason="the front-end is not built")
def test_the_bundle_needs_nothing_from_elsewhere():
    """The only addresses in it are names of XML."""
    # widget.js is the same, packed, and imports only what it unpacks.
    script, style = (STATIC / "standalone.js").read_text(), (STATIC / "widget.css").read_text()
    assert re.findall(r"\bimport\(.*?\)", (STATIC / "widget.js").read_text()[-500:]) == [
        "import(/* @vite-ignore */ /* webpackIgnore: true */ url)"
    ]
    assert set(re.findall(r"https?://([\w.]+)", script + style)) <= {"www.w3.org"}
    assert not re.search(r"\bimport\s*[(\"'{*]|(?<![-\w])from\s*[\"']|\brequire\(", script)
    assert "@import" not in style
