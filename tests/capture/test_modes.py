"""Modes of torch's: ours leave the stack whatever happens, and those of others go on seeing what they saw."""

import numpy as np
import pytest
import torch
from processors import HandmadeProcessor
from test_settings import LABELLED, inputs, small
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack
from torch.utils._python_dispatch import TorchDispatchMode
from zoo import CASES

import attnscope

HIDDEN = "mid_block.attentions.0.transformer_blocks.0.attn2"


def interrupt(module, call=0):
    """As ctrl-C does, in the ``call``-th call of a module; torch runs no ``always_call`` hook for it."""
    calls = iter(range(100))

    def hook(*_):
        if next(calls) == call:
            raise KeyboardInterrupt

    return module.register_forward_pre_hook(hook)


@pytest.mark.parametrize("measure", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_an_interrupt_inside_attention_leaves_nothing_behind(pipe, paint, measure, nested):
    plain = paint()
    handle = interrupt(pipe.unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_k, call=1)
    outer, inner = (attnscope.capture(pipe, kinds=("cross", "self"), measure=measure) for _ in range(2))
    caps = [outer.__enter__(), *([inner.__enter__()] if nested else [])]
    with pytest.raises(KeyboardInterrupt):
        paint()
    assert _get_current_function_mode_stack() == []
    handle.remove()
    if nested:
        inner.__exit__(None, None, None)
    outer.__exit__(None, None, None)
    for cap in caps:
        early, late = cap.layer("down.1.0"), cap.layer("up.2.0")
        assert early.notnull().all()
        assert late.isel(step=0).notnull().all()
        assert late.isel(step=1).isnull().all()
    assert torch.equal(paint(), plain)


def test_a_bare_model_may_run_again_after_an_interrupt():
    unet = small()
    handle = interrupt(unet.get_submodule(HIDDEN).to_k)
    seen = Seeing()
    with attnscope.capture(unet, **LABELLED) as cap, torch.no_grad():
        with pytest.raises(KeyboardInterrupt):
            unet(*inputs())
        with seen:  # comes on top of what the interrupt left
            unet(*inputs())
            assert _get_current_function_mode_stack() == [seen]
    handle.remove()
    assert _get_current_function_mode_stack() == []
    assert len(seen.names) > 30
    with attnscope.capture(unet, **LABELLED) as again, torch.no_grad():
        unet(*inputs())
    assert np.array_equal(cap.at("8x12").isel(step=-1).values, again.at("8x12").isel(step=0).values)


class Seeing(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.names.append(getattr(func, "__name__", str(func)))
        return func(*args, **(kwargs or {}))


class Counting(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


KERNELS = ("scaled_dot_product_attention", "softmax", "linear", "matmul", "__matmul__", "logsumexp", "baddbmm")


@pytest.mark.parametrize("inside", [False, True])
def test_a_function_mode_of_the_user_s_sees_the_model_s_attention_and_no_other(inside):
    unet = small()
    unet.get_submodule(HIDDEN).set_processor(HandmadeProcessor())
    alone, beside = Seeing(), Seeing()
    with alone, torch.no_grad():
        plain = unet(*inputs()).sample
    if inside:
        with attnscope.capture(unet, **LABELLED) as cap, beside, torch.no_grad():
            picture = unet(*inputs()).sample
    else:
        with beside, attnscope.capture(unet, **LABELLED) as cap, torch.no_grad():
            picture = unet(*inputs()).sample
    assert torch.equal(picture, plain)
    assert cap.missing == {}
    first, second = ([name for name in mode.names if name in KERNELS] for mode in (alone, beside))
    assert first == second


def test_a_dispatch_mode_of_the_user_s():
    unet = small()
    with Counting() as mode, torch.no_grad():
        plain = unet(*inputs()).sample
    with attnscope.capture(unet, **LABELLED) as without, torch.no_grad():
        unet(*inputs())
    count, mode.count = mode.count, 0
    with mode, attnscope.capture(unet, **LABELLED) as cap, torch.no_grad():
        assert torch.equal(unet(*inputs()).sample, plain)
    assert mode.count > count
    assert np.array_equal(cap.at("8x12").values, without.at("8x12").values)


def test_a_default_device():
    unet = small()
    with torch.no_grad():
        plain = unet(*inputs()).sample
    torch.set_default_device("cpu")
    try:
        before = _get_current_function_mode_stack()
        with attnscope.capture(unet, **LABELLED) as cap, torch.no_grad():
            assert torch.equal(unet(*inputs()).sample, plain)
        assert _get_current_function_mode_stack() == before != []
    finally:
        torch.set_default_device(None)
    assert cap.missing == {}


@pytest.mark.filterwarnings("ignore")
def test_nested_captures_of_two_like_image_adapters_do_not_see_each_other():
    """What the inner computes of the first adapter has the shape of the second, which the outer waits for."""
    case = CASES["ip adapter two"]()
    with attnscope.capture(case.pipe, kinds=("cross", "image")) as alone:
        case.pipe(**case.arguments)
    with (
        attnscope.capture(case.pipe, kinds=("cross", "image")) as outer,
        attnscope.capture(case.pipe, kinds=("cross", "image")),
    ):
        case.pipe(**case.arguments)
    for row in alone.layers.query("kind == 'image'").itertuples():
        maps = [cap.layer(row.layer, kind="image").values for cap in (alone, outer)]
        assert np.array_equal(*maps)
