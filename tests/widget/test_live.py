"""A scope that fills while a run goes on."""

import threading

import numpy as np
import pytest

import attnscope
from attnscope.errors import LiveScopeWarning, NothingCapturedError, ViewError
from attnscope.widget.encode import decode
from attnscope.widget.messages import answer
from attnscope.widget.protocol import make_item
from attnscope.widget.scope import Scope


@pytest.fixture
def wire(monkeypatch):
    """Everything that leaves for the browser, in order: messages, and traits with what they were then."""
    sent = []

    def send(self, content, buffers=None):
        sent.append((content, buffers))

    def send_state(self, key=None):
        state = self.get_state(key)
        if "_manifest" in state:
            state["_manifest"] = dict(state["_manifest"], steps=list(state["_manifest"]["steps"]))
        if state:
            sent.append(({"type": "state", **state}, None))

    monkeypatch.setattr(Scope, "send", send)
    monkeypatch.setattr(Scope, "send_state", send_state)
    return sent


def at_each_step(do):
    """Call ``do(step)`` between the steps of a pipeline."""

    def callback(pipe, step, timestep, tensors):
        do(step)
        return tensors

    return {"callback_on_step_end": callback}


def test_each_step_is_pushed_with_one_atlas(pipe, paint, wire):
    scope = Scope()
    assert (scope._manifest["title"], scope._manifest["steps"]) == ("waiting for the first step", [])
    wire.clear()
    with attnscope.capture(pipe, scope=scope) as cap:
        paint(**at_each_step(lambda step: wire.append(({"type": "after", "step": step}, None))))
    types = [message["type"] for message, _ in wire]
    assert types == ["state", "state", "step", "after", "step", "after", "step", "after", "state"]
    waits, opens, *_, ends = (message["_manifest"] for message, _ in wire if message["type"] == "state")
    assert (waits["live"], waits["layers"], waits["note"]) == (True, [], "watching StableDiffusionPipeline")
    assert (opens["live"], opens["steps"], len(opens["layers"])) == (True, [], len(cap.layers))
    assert opens["run_steps"] == 3
    for number, (message, (buffer,)) in enumerate(pushed for pushed in wire if pushed[0]["type"] == "step"):
        assert message["step"] == ends["steps"][number]
        (item,) = message["items"]
        assert item["id"] == f"atlas|{number}|0|cond|"
        sections = {section["name"]: decode(section, buffer) for section in item["sections"]}
        mean = cap.layer("mid.0").sel(step=number).mean("head").unstack("pixel").transpose("token", "y", "x")
        np.testing.assert_allclose(sections["mid.0"], mean, atol=2**-11)
        assert message["mass"]["mid.0"] == ends["mass"]["mid.0"][number]


def test_afterwards_it_is_like_any_scope_of_the_capture(pipe, paint):
    scope = Scope(token="sailboat", level="unet")
    with attnscope.capture(pipe, scope=scope) as cap:
        paint()
    like = Scope(cap, token="sailboat")
    for name in ("_manifest", "_picture", "_first", "_first_buffer", "step", "token", "layer", "level", "branch"):
        assert getattr(scope, name) == getattr(like, name), name
    assert scope._manifest["pictures"]
    assert scope._manifest["preview"]
    assert repr(scope) == repr(like)
    assert scope.selected.equals(like.selected)


def test_the_newest_step_is_followed_unless_one_has_gone_back(pipe, paint, wire):
    scope, seen = Scope(), []
    scope.observe(lambda change: seen.append(change.new), "step")

    def look(step):
        if step == 3:
            scope.set_state({"step": 1})  # as the browser does, when it is heard
        seen.append(("shown", scope.step, int(scope.selected.step)))

    with attnscope.capture(pipe, scope=scope):
        paint(num_inference_steps=6, **at_each_step(look))
    shown = [one[1:] for one in seen if isinstance(one, tuple)]
    assert shown == [(0, 0), (1, 1), (2, 2), (1, 1), (1, 1), (1, 1)]
    assert scope.step == 1
    followed = [message["step"] for message, _ in wire if message["type"] == "state" and "step" in message]
    assert followed == [0]  # the browser follows by itself


def test_steps_are_drilled_into_while_the_run_goes_on(pipe, paint):
    """Requests come in another thread than that of the run, at any moment."""
    scope, over, wrong, read = Scope(), threading.Event(), [], set()

    def drill():
        while not over.is_set():
            shown = scope._shown
            if shown is None:
                continue
            for step in list(shown[1].axes.steps):
                items = [
                    make_item("layer", step, 0, "cond", "up.1.0"),
                    make_item("range", None, 0, "cond", "up.1.0"),
                    make_item("atlas", step, 0, "cond"),
                ]
                for message, buffers in answer(shown[1], {"type": "get", "gen": 1, "items": items}):
                    if message["type"] == "err":
                        wrong.append(message["trace"])
                        continue
                    read.add(step)
                    section = message["items"][0]["sections"][0]
                    total = decode(section, buffers[0]).sum(axis=1)
                    if not np.allclose(total, 1, atol=0.02):
                        wrong.append(f"step {step} was read before it was whole")
                if shown[0].at("2x3").sizes["step"] < step + 1:
                    wrong.append("the tree lags behind")

    thread = threading.Thread(target=drill)
    thread.start()
    try:
        with attnscope.capture(pipe, scope=scope) as cap:
            paint(num_inference_steps=12)
    finally:
        over.set()
        thread.join()
    assert wrong == []
    assert len(read) > 1
    assert cap.at("2x3").sizes["step"] == 12


def test_a_range_grows_with_the_run(pipe, paint):
    scope, ranges = Scope(), []
    ask = make_item("range", None, 0, "cond", "mid.0")
    look = at_each_step(lambda step: ranges.append(scope._packets.parts(ask)[0][1]))
    with attnscope.capture(pipe, scope=scope) as cap:
        paint(**look)
    maps = cap.layer("mid.0").transpose("step", "head", "token", "pixel").values
    for step, found in enumerate(ranges):
        np.testing.assert_allclose(found[:-1], maps[: step + 1].max(axis=(0, 3)), rtol=1e-3)


def test_a_run_that_breaks_off_leaves_the_steps_that_were_finished(pipe, paint):
    scope = Scope()

    def stop(step):
        if step == 1:
            msg = "out of ink"
            raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="out of ink"), attnscope.capture(pipe, scope=scope) as cap:
        paint(num_inference_steps=5, **at_each_step(stop))
    assert [entry["step"] for entry in scope._manifest["steps"]] == [0, 1]
    assert (scope._manifest["live"], scope._manifest["run_steps"], scope._picture) == (False, 5, b"")
    assert scope.step == 1
    assert scope.selected.equals(Scope(cap).selected)
    assert scope._repr_mimebundle_()[0]["image/png"]


def test_nothing_finished_is_said(pipe):
    scope = Scope()
    with pytest.raises(NothingCapturedError), attnscope.capture(pipe, scope=scope):
        pass
    assert (scope._manifest["title"], scope._manifest["live"]) == ("no step was finished", False)
    assert repr(scope) == "<attnscope.Scope, no step was finished>"


def test_a_scope_is_used_again(pipe, paint, cap):
    scope = Scope(cap, layer="up.1.0", token="red", cmap="magma")
    seen = []
    with attnscope.capture(pipe, layers="up.*", scope=scope) as second:
        assert (scope._shown, scope._picture, scope._manifest["steps"]) == (None, b"", [])
        paint("a red circle", **at_each_step(lambda step: seen.append((scope.step, scope.token, scope.layer))))
    assert seen == [(step, 2, "up.1.0") for step in range(3)]
    assert (scope.level, scope.cmap, scope._manifest["prompt"]) == ("layer", "magma", "a red circle")
    assert scope._shown[0] is second
    with attnscope.capture(pipe, layers="down.*", scope=scope):
        paint("blue squares")
    # Where the layer or the word is no longer, the view is as good as new.
    assert (scope.layer, scope.token) == (scope._manifest["layers"][0]["layer"], None)


def test_of_two_captures_the_later_one_has_the_scope(pipe, paint):
    scope = Scope()
    with attnscope.capture(pipe, scope=scope), attnscope.capture(pipe, layers="up.*", scope=scope) as inner:
        paint()
    assert scope._shown[0] is inner
    assert len(scope._manifest["layers"]) == len(inner.layers)


def test_what_goes_wrong_in_it_is_warned_about_once_and_ends_no_run(pipe, paint, monkeypatch):
    plain = paint()
    scope = Scope()
    monkeypatch.setattr(scope, "send", lambda *_, **__: 1 / 0)
    warned = pytest.warns(LiveScopeWarning, match="which goes on: ZeroDivisionError")
    with warned as found, attnscope.capture(pipe, scope=scope) as cap:
        pictures = paint()
    assert len(found) == 1
    assert pictures.equal(plain)
    assert cap.at("2x3").sizes["step"] == 3
    assert [entry["step"] for entry in scope._manifest["steps"]] == [0, 1, 2]


def test_what_cannot_be_shown_at_all_does_not_wait_for_ever(pipe, paint, monkeypatch):
    def broken(*_, **__):
        msg = "up.9.9"
        raise KeyError(msg)

    monkeypatch.setattr("attnscope.widget.live.manifest", broken)
    scope = Scope()
    with pytest.warns(LiveScopeWarning, match="up.9.9") as found, attnscope.capture(pipe, scope=scope):
        paint()
    assert len(found) == 1
    assert (scope._manifest["title"], scope._manifest["live"]) == ("this run cannot be shown", False)


def test_a_wish_that_cannot_be_is_said_once(pipe, paint):
    scope = Scope(layer="up.1.0", token="fox", head=99, cmap="gray")
    assert (scope.level, scope.token) == ("head", "fox")
    warned = pytest.warns(LiveScopeWarning, match=r"head=99 does not exist.*'fox'")
    with warned as found, attnscope.capture(pipe, scope=scope):
        paint()
    assert len(found) == 1
    assert (scope.layer, scope.head, scope.token, scope.cmap) == ("up.1.0", "mean", None, "gray")


def test_while_it_waits_it_has_nothing_to_give(tmp_path):
    scope = Scope()
    assert repr(scope) == "<attnscope.Scope, waiting for the first step>"
    for use in (lambda: scope.selected, scope.code, scope.figure, lambda: scope.to_html(tmp_path / "a.html")):
        with pytest.raises(ViewError, match="nothing to show yet"):
            use()
    data, _ = scope._repr_mimebundle_()
    assert "image/png" not in data
    with pytest.raises(ViewError, match="cmap='jet'"):
        Scope(cmap="jet")
    with pytest.raises(TypeError, match="Scope has no 'words'"):
        Scope(words=3)


def test_a_page_written_in_the_middle_of_a_run_is_finished(pipe, paint, tmp_path):
    scope = Scope()
    pages = []
    write = at_each_step(lambda step: pages.append(scope.to_html(tmp_path / f"{step}.html").read_text()))
    with attnscope.capture(pipe, scope=scope):
        paint(**write)
    assert all('"live":false' in page for page in pages)


def test_what_is_no_scope_is_refused_before_the_run(pipe):
    with pytest.raises(TypeError, match="scope=True is no scope"), attnscope.capture(pipe, scope=True):
        pass
    with pytest.raises(ViewError, match="has none"), attnscope.capture(pipe, kinds="self", scope=Scope()):
        pass


def test_a_run_without_a_scope_is_watched_by_nobody(pipe, paint):
    with attnscope.capture(pipe) as cap:
        assert cap._recording.watchers == []
        paint()


def test_a_mean_over_steps_is_shown_as_it_grows(pipe, paint):
    scope, seen = Scope(), []
    with attnscope.capture(pipe, scope=scope, reduce="step"):
        paint(**at_each_step(lambda step: seen.append(scope._manifest["averaged_steps"])))
    assert seen == [1, 2, 3]
    assert len(scope._manifest["steps"]) == 1


def test_a_run_that_streams_to_disk_is_followed_too(pipe, paint, tmp_path):
    scope, seen = Scope(), []
    with attnscope.capture(pipe, scope=scope, store=tmp_path / "run.zarr") as cap:
        paint(**at_each_step(lambda step: seen.append(len(scope._manifest["steps"]))))
    assert seen == [1, 2, 3]
    assert scope._manifest["steps"] == attnscope.Scope(cap)._manifest["steps"]


def test_self_attention_beside_it_is_computed_when_asked_for_and_not_before(pipe, paint, monkeypatch):
    from attnscope.widget.self_packets import SelfPackets

    scope, computed, seen = Scope(), [], []
    compute = SelfPackets._received
    monkeypatch.setattr(SelfPackets, "_received", lambda *of: computed.append(of) or compute(*of))

    def look(step):
        seen.append(len(computed))
        if step == 1:
            ask = make_item("received", step, 0, "cond", "mid.0")
            seen.append(scope._packets.parts(ask)[0][1].copy())

    with attnscope.capture(pipe, kinds=("cross", "self"), scope=scope) as cap:
        paint(**at_each_step(look))
    assert (seen[0], seen[1], seen[3]) == (0, 0, 1)
    assert len(computed) == 1
    columns = cap.layer("mid.0", "self").sel(step=1).sum("pixel").values
    np.testing.assert_allclose(seen[2].reshape(columns.shape), columns, rtol=1e-5)
    assert scope._manifest["kinds"] == ["cross", "self"]
    assert len(scope._manifest["layers"]) == 2 * len(scope._manifest["mass"])
    scope.kind = "self"
    assert scope._manifest == Scope(cap)._manifest


def test_a_second_capture_stays_through_runs(pipe, paint, cap):
    scope = Scope(against=cap, compare={"capture": 1})
    for _ in range(2):
        with attnscope.capture(pipe, scope=scope):
            paint()
        assert scope._manifest["other"]["title"] == cap.prompt
        assert scope.compare == {"capture": 1}
        item = make_item("layer", 4, 0, "cond", "mid.0", capture=1)
        assert scope._packets.parts(item)[0][1].shape == (2, 11, 5, 7)
