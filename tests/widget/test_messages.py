import json

import numpy as np
import pytest

from attnscope.widget.comm import answer_beside_cells
from attnscope.widget.encode import decode
from attnscope.widget.protocol import make_item
from attnscope.widget.scope import Scope


@pytest.fixture
def talk(cap, monkeypatch):
    """Send a message as the browser does, and collect the answers."""
    scope = Scope(cap)
    sent: list[tuple[dict, list[bytes]]] = []
    monkeypatch.setattr(scope, "send", lambda content, buffers=None: sent.append((content, buffers)))

    def say(content):
        sent.clear()
        scope._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})
        json.dumps([message for message, _ in sent], allow_nan=False)
        return list(sent)

    return say


def test_an_answer_holds_what_was_asked_for(talk, cap):
    items = [
        make_item("atlas", 4, 0, "cond"),
        make_item("layer", 4, 0, "cond", "mid.0"),
        make_item("preview", 7, 0, "cond"),
    ]
    ((message, (buffer,)),) = talk({"type": "get", "gen": 5, "items": items})
    assert (message["type"], message["gen"]) == ("put", 5)
    assert [one["id"] for one in message["items"]] == ["atlas|4|0|cond|", "layer|4|0|cond|mid.0", "preview|7|0|cond|"]
    (maps,) = message["items"][1]["sections"]
    captured = cap.layer("mid.0").sel(step=4).transpose("head", "token", "pixel").values
    np.testing.assert_array_equal(decode(maps, buffer).reshape(2, 11, -1), captured)
    (rgb,) = message["items"][2]["sections"]
    assert (rgb["encoding"], rgb["shape"]) == ("u8", [10, 14, 3])
    assert all(s["offset"] % 8 == 0 for one in message["items"] for s in one["sections"])


def test_one_bad_item_does_not_spoil_the_others(talk):
    bad = [
        {"id": "a", "kind": "columns", "step": 4, "image": 0, "branch": "cond"},
        {"id": "b", "kind": "layer", "step": 4, "image": 0, "branch": "cond", "layer": "up.9.9"},
        {"id": "c", "kind": "atlas", "step": 1, "image": 0, "branch": "cond"},
        {"id": "d", "kind": "layer", "step": [4], "image": None, "branch": {}, "layer": ["mid.0"]},
        {"id": "e"},
        "f",
        None,
    ]
    good = make_item("atlas", 0, 0, "cond")
    answers = talk({"type": "get", "gen": 1, "items": [*bad[:3], good, *bad[3:]]})
    errors = {message["id"]: message for message, _ in answers if message["type"] == "err"}
    assert len([1 for message, _ in answers if message["type"] == "err"]) == len(bad)
    assert (
        "kind 'columns' is unknown. Available: atlas, layer, heads, preview, range, strip, received, qk, rows, anatomy"
        in errors["a"]["text"]
    )
    assert errors["b"]["text"].startswith("UnknownLayerError: No captured layer is called 'up.9.9'")
    assert "Traceback" in errors["b"]["trace"]
    assert "step 1 was not captured. Available: 0, 4, 7" in errors["c"]["text"]
    assert [message["items"][0]["id"] for message, _ in answers if message["type"] == "put"] == [good["id"]]


@pytest.mark.parametrize(
    "content", [None, [], "get", {}, {"type": "put"}, {"type": "get", "gen": 2}, {"type": "get", "items": 3}]
)
def test_nonsense_is_answered(talk, content):
    ((message, buffers),) = talk(content)
    assert message["type"] == "err"
    assert message["text"]
    assert buffers == []


def test_an_empty_request_is_no_error(talk):
    assert talk({"type": "get", "gen": 1, "items": []}) == []


def test_large_answers_are_split(talk, monkeypatch):
    from attnscope.widget import messages

    monkeypatch.setattr(messages, "MESSAGE_BYTES", 5000)
    items = [make_item("atlas", step, 0, "cond") for step in (0, 4, 7)]
    answers = talk({"type": "get", "gen": 1, "items": items})
    assert len(answers) == 3
    assert all(message["items"][0]["sections"][0]["offset"] == 0 for message, _ in answers)


def test_requests_go_to_the_thread_the_browser_names_and_changes_of_the_view_to_the_main_one():
    class Comm:
        def _reply_subshell_for(self, data, named):
            return "the kernel's own choice"

    comm = Comm()
    answer_beside_cells(comm)
    assert comm._reply_subshell_for({"method": "custom", "content": {"type": "get"}}, "a") == "a"
    assert comm._reply_subshell_for({"method": "update", "state": {"step": 3}}, "a") is None
    assert comm._reply_subshell_for("nonsense", "a") is None


@pytest.mark.parametrize("comm", [None, object()])
def test_a_kernel_that_does_not_choose_threads_is_left_alone(comm):
    answer_beside_cells(comm)
