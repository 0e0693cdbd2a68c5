"""A pipeline is left as it was found, whatever happens inside."""

import gc
import weakref

import numpy as np
import pytest
import torch
from torch.overrides import _get_current_function_mode_stack

import attnscope
from attnscope.errors import CaptureError, NothingCapturedError


def hooks(unet):
    return [
        (name, key)
        for name, module in unet.named_modules()
        for key in (
            "_forward_hooks",
            "_forward_pre_hooks",
            "_forward_hooks_always_called",
            "_forward_hooks_with_kwargs",
        )
        if getattr(module, key)
    ]


@pytest.fixture(autouse=True)
def untouched(pipe):
    processors, classes = pipe.unet.attn_processors, (type(pipe), type(pipe.scheduler), type(pipe.unet))
    yield
    after = pipe.unet.attn_processors
    assert all(after[name] is processors[name] for name in processors)
    assert (type(pipe), type(pipe.scheduler), type(pipe.unet)) == classes
    assert hooks(pipe.unet) == []
    assert _get_current_function_mode_stack() == []


class Stop(Exception):
    pass


def fail_in(module, call):
    """Raise in the ``call``-th call of a module."""
    calls = iter(range(100))

    def hook(*_):
        if next(calls) == call:
            raise Stop

    return module.register_forward_pre_hook(hook)


def test_an_exception_between_layers_keeps_what_was_seen(pipe, paint):
    handle = fail_in(pipe.unet.mid_block.attentions[0], call=1)
    with pytest.raises(Stop), attnscope.capture(pipe) as cap:
        paint()
    handle.remove()
    assert cap.layers["layer"].size == 16
    early, late = cap.layer("down.2.1"), cap.layer("up.1.0")
    assert early.sizes["step"] == late.sizes["step"] == 2
    assert not early.isnull().any()
    assert not late.isel(step=0).isnull().any()
    assert late.isel(step=1).isnull().all()
    assert cap.missing["up_blocks.1.attentions.0.transformer_blocks.0.attn2"] == (
        "seen in 1 of 2 steps: step 1 was not finished"
    )
    assert np.isfinite(cap.word("sailboat")).all()
    assert cap.image is None
    assert "2 steps" in repr(cap)


def test_an_exception_inside_attention(pipe, paint):
    handle = fail_in(pipe.unet.down_blocks[1].attentions[0].transformer_blocks[0].attn2.to_k, call=0)
    with pytest.raises(Stop), attnscope.capture(pipe) as cap:
        paint()
    handle.remove()
    assert cap.layers["layer"].tolist() == ["down.0.0", "down.0.1"]
    reason = cap.missing["down_blocks.1.attentions.0.transformer_blocks.0.attn2"]
    assert reason == "step 0 was not finished"


def test_an_interrupt_from_a_callback(pipe, paint):
    def interrupt(pipeline, step, timestep, tensors):
        if step == 1:
            raise KeyboardInterrupt
        return tensors

    with pytest.raises(KeyboardInterrupt), attnscope.capture(pipe) as cap:
        paint(callback_on_step_end=interrupt)
    assert cap.at("8x12").sizes["step"] == 2
    assert not cap.at("8x12").isnull().any()


def test_the_error_inside_is_the_one_that_comes_out(pipe):
    with pytest.raises(Stop), attnscope.capture(pipe):
        raise Stop


def test_nested_captures_see_the_same(pipe, paint):
    untouched = paint()
    with attnscope.capture(pipe) as outer, attnscope.capture(pipe, layers="up.*", steps=[0, 2]) as inner:
        assert torch.equal(paint(), untouched)
    assert len(outer.layers) == 16
    assert inner.layers["place"].unique().tolist() == ["up"]
    assert np.array_equal(outer.layer("up.2.0").sel(step=[0, 2]).values, inner.layer("up.2.0").values)


def test_captures_may_be_left_in_any_order(pipe, paint):
    first, second = attnscope.capture(pipe), attnscope.capture(pipe)
    one, two = first.__enter__(), second.__enter__()
    paint()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert np.array_equal(one.at("8x12").values, two.at("8x12").values)


def test_captures_repeat_and_do_not_mix(pipe, paint):
    with attnscope.capture(pipe) as first:
        paint()
    with attnscope.capture(pipe) as second:
        paint("a blue star")
    with attnscope.capture(pipe) as third:
        paint()
    assert first.prompt != second.prompt
    assert np.array_equal(first.at("8x12").values, third.at("8x12").values)
    assert second.at("8x12").sizes["token"] == 6


def test_a_second_run_in_one_block_is_refused_before_its_first_step(pipe, paint):
    with attnscope.capture(pipe) as cap:
        paint()
        with pytest.raises(CaptureError, match=r"already holds a run .*red sailboat.*block for each call"):
            paint("a blue star")
    assert cap.at("8x12").sizes["step"] == 3


def test_nothing_run_is_an_error(pipe):
    with pytest.raises(NothingCapturedError, match=r"was not called inside the block"), attnscope.capture(pipe):
        pass


def test_no_step_of_the_run_is_an_error(pipe, paint):
    for steps in ([7], slice(5, 9), lambda step: False):
        said = "holds none of the 3 step"
        with pytest.raises(NothingCapturedError, match=said), attnscope.capture(pipe, steps=steps):
            paint()


def test_a_capture_inside_the_block_shows_finished_steps(pipe, paint):
    seen = []

    def look(pipeline, step, timestep, tensors):
        seen.append((cap.at("8x12").sizes["step"], float(cap.word("red").mean())))
        return tensors

    with attnscope.capture(pipe) as cap:
        with pytest.raises(NothingCapturedError, match=r"Nothing has been captured yet"):
            cap.tree  # noqa: B018
        paint(callback_on_step_end=look)
        assert cap.image is not None
    assert [count for count, _ in seen] == [1, 2, 3]


def test_a_finished_capture_does_not_hold_the_model(pipe, paint):
    import models

    unet = models.unet()
    with attnscope.capture(unet, labels=["a"]) as cap:
        unet(torch.zeros(1, 4, 8, 8), 1, torch.zeros(1, 3, 24))
    gone = weakref.ref(unet)
    del unet
    gc.collect()
    assert gone() is None
    assert len(cap.layers) == 16
