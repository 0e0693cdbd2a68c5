import base64
import io

import anywidget
import pytest
from PIL import Image
from widget.synthetic import recording, with_self

from attnscope.errors import FrontEndError
from attnscope.figures.numbers import figure
from attnscope.maps.capture import Capture
from attnscope.widget import display, first
from attnscope.widget.scope import Scope

VIEW = "application/vnd.jupyter.widget-view+json"


def test_a_notebook_gets_the_widget_and_a_still_picture(cap):
    scope = Scope(cap)
    data, metadata = scope._repr_mimebundle_()
    assert set(data) == {VIEW, "image/png", "text/html", "text/plain"}
    assert data[VIEW]["model_id"] == scope.model_id
    assert data["text/plain"] == repr(scope)
    assert metadata == {}
    png = base64.b64decode(data["image/png"])
    assert len(png) <= 150_000
    assert Image.open(io.BytesIO(png)).width > 600


def test_a_capture_shows_itself_as_a_scope(cap):
    data, _ = display.mimebundle(cap)
    assert VIEW in data
    assert data["text/plain"] == repr(cap)
    assert cap._repr_mimebundle_()[0].keys() == data.keys()


def test_the_caption_is_escaped():
    cap = Capture(recording(prompt='"><script>alert(1)</script>'))
    html = Scope(cap)._repr_mimebundle_()[0]["text/html"]
    assert "<script" not in html
    assert "&lt;script&gt;" in html  # it is one of the words
    assert "cross-attention, mean of 4 layers" in html


def test_without_a_front_end_the_picture_remains(cap, monkeypatch):
    monkeypatch.setattr(Scope, "_esm", "")
    with pytest.raises(FrontEndError):
        Scope(cap)
    data = display.mimebundle(cap)
    assert set(data) == {"image/png", "text/html", "text/plain"}


def test_without_widgets_the_picture_remains(cap, monkeypatch):
    scope = Scope(cap)
    monkeypatch.setattr(anywidget.AnyWidget, "_repr_mimebundle_", lambda *_, **__: None)
    assert set(scope._repr_mimebundle_()) == {"image/png", "text/html", "text/plain"}


def test_without_a_decoded_picture():
    data, _ = Scope(Capture(recording(decoded=False)))._repr_mimebundle_()
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).width > 600


def test_a_capture_displayed_twice_is_one_scope():
    cap = Capture(recording())
    earlier = display.mimebundle(cap)[0]
    assert display.mimebundle(cap)[0][VIEW] == earlier[VIEW]
    assert display.mimebundle(Capture(recording()))[0][VIEW] != earlier[VIEW]


def test_a_capture_that_has_grown_is_shown_anew():
    grown = recording()
    cap = Capture(grown)
    earlier = display.mimebundle(cap)[0]
    grown.version += 1
    assert display.mimebundle(cap)[0][VIEW] != earlier[VIEW]


def test_of_self_attention_alone_the_picture_says_what_is_looked_at():
    """Its coarsest layers, which are computed in a moment; a picture only where that is so."""
    made, explicit = with_self(recording())
    made.stores.clear()
    cap = Capture(made)
    scope = Scope(cap)
    data = scope._repr_mimebundle_()[0]
    assert set(data) == {VIEW, "image/png", "text/html", "text/plain"}
    assert "self-attention, down.0.0" in data["text/html"]
    assert "received attention (column sums; 1 is an even share)" in data["text/html"]
    highest = explicit["mid.0"][-1, 0].sum(axis=-2).mean(axis=0).max()
    assert f"mid.0: max {figure(highest)}." in data["text/html"]


def test_self_attention_that_would_take_long_is_no_picture(monkeypatch):
    monkeypatch.setattr(first, "_FIRST_ENTRIES", 10)
    made, _ = with_self(recording())
    made.stores.clear()
    assert set(Scope(Capture(made))._repr_mimebundle_()[0]) == {VIEW, "text/plain"}
