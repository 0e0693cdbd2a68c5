"""Kernels that no function call shows: their attention is computed again and proved, or named as missing."""

import copy

import kernels
import pytest
import reference
import torch
from diffusers.models import attention_processor
from diffusers.models.attention_processor import (
    AttnProcessor,
    IPAdapterXFormersAttnProcessor,
    XFormersAttnAddedKVProcessor,
    XFormersAttnProcessor,
)
from peft import LoraConfig
from processors import HandmadeProcessor, SharpenedProcessor
from test_settings import LABELLED, WORST, inputs, small
from torch.overrides import _get_current_function_mode_stack
from zoo import CASES, pictures

import attnscope
from attnscope.errors import NothingCapturedError


@pytest.fixture(autouse=True)
def xformers(monkeypatch):
    kernels.provide_xformers(monkeypatch)


def is_recomputed(unet, shown=None, dtype=torch.float32, **more):
    """Hold what is computed again to what ``shown``, a processor that shows its weights, shows."""
    visible = copy.deepcopy(unet)
    visible.set_attn_processor(shown or attention_processor.AttnProcessor2_0())
    with torch.no_grad(), reference.softmax(visible) as seen:
        visible(*inputs(dtype), **more)
    with torch.no_grad():
        plain = unet(*inputs(dtype), **more).sample
    with attnscope.capture(unet, **LABELLED) as cap, torch.no_grad():
        assert torch.equal(unet(*inputs(dtype), **more).sample, plain)
    assert cap.missing == {}
    assert sorted(cap.attrs["recomputed"]) == sorted(cap.layers["module"])
    assert len(cap.layers) == 8
    for row in cap.layers.itertuples():
        expected = seen[row.module][0][0].numpy()
        assert abs(cap.layer(row.layer, kind=row.kind).isel(step=0).values - expected).max() <= 5 * WORST
    return cap


def hidden(**config):
    unet = small(**config)
    unet.set_attn_processor(XFormersAttnProcessor())
    return unet


def test_the_kernel_is_not_seen():
    seen = []

    class Look(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    query = torch.randn(4, 6, 8)
    with Look():
        kernels.memory_efficient_attention(query, query, query, scale=1.0)
    assert not [name for name in seen if "softmax" in name or "scaled_dot_product_attention" in name or "mm" in name]


def test_xformers_is_computed_again():
    is_recomputed(hidden())


def test_a_mask_over_the_text_is_part_of_it():
    mask = torch.tensor([[True] * 5, [True, True, True, False, False]])
    cap = is_recomputed(hidden(), encoder_attention_mask=mask)
    assert cap.at("8x12").isel(image=1, token=slice(3, None)).max() <= 1e-30


def test_a_lora_is_part_of_it():
    unet = hidden()
    unet.add_adapter(LoraConfig(r=4, init_lora_weights=False, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    is_recomputed(unet.eval())


def test_fused_projections():
    unet = small()
    unet.fuse_qkv_projections()
    unet.set_attn_processor(XFormersAttnProcessor())
    is_recomputed(unet)


class Normalising(XFormersAttnProcessor):
    """Passes queries and keys through the norms, which diffusers' own leaves out."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **kwargs):
        text = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            part.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for part in (attn.to_q(hidden_states), attn.to_k(text), attn.to_v(text))
        )
        folded = [part.flatten(0, 1).contiguous() for part in (attn.norm_q(query), attn.norm_k(key), value)]
        return attn.to_out[0](attn.batch_to_head_dim(kernels.memory_efficient_attention(*folded, scale=attn.scale)))


@pytest.mark.parametrize("processor", [XFormersAttnProcessor, Normalising])
def test_norms_of_queries_and_keys_as_the_processor_has_it(processor):
    unet = small()
    for name, module in unet.named_modules():
        if name.endswith(("attn1", "attn2")):
            width = module.to_q.out_features // module.heads
            module.norm_q, module.norm_k = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
    unet.set_attn_processor(processor())
    is_recomputed(unet, shown=AttnProcessor() if processor is XFormersAttnProcessor else None)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    unet = small().to(dtype)
    unet.set_attn_processor(XFormersAttnProcessor())
    is_recomputed(unet, dtype=dtype)
    unet.set_attn_processor(SharpenedProcessor())
    said = pytest.raises(NothingCapturedError, match="does not give what the processor gave")
    with said, attnscope.capture(unet, **LABELLED), torch.no_grad():
        unet(*inputs(dtype))


# --- what cannot be proved ----------------------------------------------------------------------------------------


SITE = "mid_block.attentions.0.transformer_blocks.0.attn2"


def reason(unet, dtype=torch.float32, **more):
    """Why the one site is missing, of a run that does not notice."""
    with torch.no_grad():
        plain = unet(*inputs(dtype), **more).sample
    with attnscope.capture(unet, labels=list("abcde")) as cap, torch.no_grad():
        assert torch.equal(unet(*inputs(dtype), **more).sample.nan_to_num(), plain.nan_to_num())
    assert cap.attrs["recomputed"] == []
    assert _get_current_function_mode_stack() == []
    return cap.missing[SITE]


@pytest.mark.parametrize("nested", [False, True])
def test_another_computation_is_named(nested):
    """Also by the outer of two captures, to which the inner one's attempt is not the model's."""
    unet = small()
    unet.get_submodule(SITE).set_processor(SharpenedProcessor())
    if not nested:
        assert "does not give what the processor gave" in reason(unet)
        return
    with (
        attnscope.capture(unet, labels=list("abcde")) as outer,
        attnscope.capture(unet, labels=list("abcde")) as inner,
        torch.no_grad(),
    ):
        unet(*inputs())
    for cap in (outer, inner):
        assert "does not give what the processor gave" in cap.missing[SITE]
        assert len(cap.layers) == 3


@pytest.mark.parametrize("value", [torch.nan, 0.0])
def test_what_proves_nothing_is_no_proof(value):
    """No comparison with NaN finds a difference, and zeros come of any weights."""

    class Constant(SharpenedProcessor):
        def __call__(self, attn, *args, **kwargs):
            return super().__call__(attn, *args, **kwargs) * value

    unet = small()
    unet.get_submodule(SITE).set_processor(Constant())
    if value == 0:
        torch.nn.init.zeros_(unet.get_submodule(SITE).to_out[0].weight)
        torch.nn.init.zeros_(unet.get_submodule(SITE).to_out[0].bias)
    assert "does not give what the processor gave" in reason(unet)


def test_an_error_in_it_is_the_reason_and_does_not_come_out():
    unet = small()
    attention = unet.get_submodule(SITE)
    attention.set_processor(HandmadeProcessor())
    calls = []

    def fail(*_):
        calls.append(1)
        if len(calls) == 3:  # the plain run, the captured one, and the attempt
            msg = "an odd projection"
            raise ZeroDivisionError(msg)

    attention.to_k.register_forward_pre_hook(fail)
    assert reason(unet).endswith("and computing it again failed: ZeroDivisionError: an odd projection")


def test_training_is_named():
    unet = small().train()
    unet.get_submodule(SITE).set_processor(HandmadeProcessor())
    assert reason(unet).endswith("and it is not computed again with training mode")


def test_random_numbers_and_gradients_are_those_without_it():
    unet = small()
    for module in unet.modules():
        if hasattr(module, "set_processor"):
            module.set_processor(HandmadeProcessor())
            module.to_q.register_forward_hook(lambda *args: args[2] + 0 * torch.rand(1))

    def run(capture):
        torch.manual_seed(2)
        sample, timestep, text = inputs()
        sample = sample.to(memory_format=torch.channels_last).requires_grad_()
        if capture:
            with attnscope.capture(unet, **LABELLED) as cap:
                result = unet(sample, timestep, text).sample
            assert len(cap.attrs["recomputed"]) == 8
        else:
            result = unet(sample, timestep, text).sample
        result.square().mean().backward()
        assert result.is_contiguous() or result.is_contiguous(memory_format=torch.channels_last)
        return [result.detach(), sample.grad, torch.rand(2)], result.stride()

    (plain, strides), (captured, same) = run(False), run(True)
    assert all(torch.equal(one, two) for one, two in zip(plain, captured, strict=True))
    assert strides == same


# --- processors of several softmaxes, or of joined ones -----------------------------------------------------------


def zoo(name, prepare):
    case = CASES[name]()
    prepare(case.denoiser)
    plain = pictures(case.pipe(**case.arguments))
    with attnscope.capture(case.pipe, kinds=("cross", "self", "image")) as cap:
        assert torch.equal(pictures(case.pipe(**case.arguments)), plain)
    return cap


@pytest.mark.filterwarnings("ignore")
def test_added_keys_are_named():
    added = []

    def prepare(unet):
        added.append(next(iter(unet.attn_processors)).removesuffix(".processor"))
        unet.get_submodule(added[0]).set_processor(XFormersAttnAddedKVProcessor())

    cap = zoo("kandinsky 2.1", prepare)
    assert set(cap.missing) == set(added)
    assert "XFormersAttnAddedKVProcessor" in cap.missing[added[0]]
    assert cap.missing[added[0]].endswith("it is not computed again with add_k_proj")


@pytest.mark.filterwarnings("ignore")
def test_image_prompts_are_named():
    named = []

    def prepare(unet):
        for name, old in unet.attn_processors.items():
            module = unet.get_submodule(name.removesuffix(".processor"))
            if not hasattr(old, "to_k_ip"):
                module.set_processor(XFormersAttnProcessor())
                continue
            new = IPAdapterXFormersAttnProcessor(old.hidden_size, old.cross_attention_dim, old.num_tokens, old.scale)
            new.load_state_dict(old.state_dict())
            module.set_processor(new)
            named.append(name.removesuffix(".processor"))

    cap = zoo("ip adapter", prepare)
    assert set(cap.missing) == set(named)
    assert all(why.endswith("it is not computed again where image prompts are added") for why in cap.missing.values())
    assert cap.kinds == ["self"]
    assert len(cap.attrs["recomputed"]) == len(cap.layers)
