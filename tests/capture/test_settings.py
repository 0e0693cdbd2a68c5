"""Whatever a model is set to: maps are the stored softmax, and the picture is the one without a capture."""

import contextlib

import accelerate
import models
import numpy as np
import pytest
import reference
import torch
from accelerate.hooks import add_hook_to_module
from diffusers.models.attention_processor import AttnProcessor
from torch.overrides import _get_current_function_mode_stack

import attnscope

WORST = 2e-6
EVERYTHING = {"kinds": ("cross", "self"), "dtype": "float32", "tokens": "all"}
LABELLED = EVERYTHING | {"labels": list("abcde")}
CPU = torch.device("cpu")
#: Four sites of either kind, of which one is at a grid of its own.
SMALL = {
    "block_out_channels": (8, 16),
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "layers_per_block": 1,
    "attention_head_dim": (2, 4),
}


def small(**config):
    return models.unet(**(SMALL | config))


def inputs(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    sample, text = torch.randn(2, 4, 16, 24, generator=generator), torch.randn(2, 5, 24, generator=generator)
    return sample.to(dtype), 5, text.to(dtype)


def worst(cap, seen):
    """How far both kinds of maps of a bare model are from the softmax that was stored."""
    assert cap.missing == {}
    assert len(cap.layers) == 8
    return max(
        abs(cap.layer(row.layer, kind=row.kind).values - torch.stack([run[0] for run in seen[row.module]], 1).numpy())
        .max()
        .item()
        for row in cap.layers.itertuples()
    )


def holds(unet, dtype=torch.float32, context=torch.no_grad, limit=WORST, prepare=None):
    """Run a model with and without a capture; gives the capture."""
    with context(), reference.softmax(unet) as seen:
        plain = unet(*inputs(dtype)).sample
    with attnscope.capture(unet, **LABELLED) as cap, context():
        if prepare:
            prepare()
        captured = unet(*inputs(dtype)).sample
    if prepare:
        # It may compute in another order now: whether a capture changes anything is told by a run like it.
        with context():
            plain = unet(*inputs(dtype)).sample
    assert torch.equal(captured, plain)
    assert worst(cap, seen) <= limit
    assert _get_current_function_mode_stack() == []
    return cap


def paint(pipe, **more):
    arguments = {"num_inference_steps": 2, "height": 32, "width": 48, "output_type": "pt"}
    return pipe("a red circle", generator=torch.Generator().manual_seed(0), **arguments, **more).images


def near_the_conditional(cap, seen):
    """Whether the maps of a pipeline are the second row of the softmax that was stored."""
    return len(cap.layers) == 8 and all(
        abs(cap.layer(row.layer, kind=row.kind).values - torch.stack([run[0][1] for run in seen[row.module]]).numpy())
        .max()
        .item()
        <= WORST
        for row in cap.layers.itertuples()
    )


# --- settings of diffusers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("when", "size"), [("before", "max"), ("inside", 1), ("between steps", "max")])
def test_attention_slicing(when, size):
    pipe = models.pipeline(**SMALL)

    def slice_now(*given):
        pipe.enable_attention_slicing(size)
        return given[-1] if given else None

    callback = {"callback_on_step_end": slice_now} if when == "between steps" else {}
    processors = pipe.unet.attn_processors
    with reference.softmax(pipe.unet) as seen:
        slice_now() if when != "between steps" else None
        plain = paint(pipe, **callback)
    if when != "before":
        pipe.unet.set_attn_processor(processors)
    with attnscope.capture(pipe, **EVERYTHING) as cap:
        slice_now() if when == "inside" else None
        assert torch.equal(paint(pipe, **callback), plain)
    assert cap.missing == {}
    assert near_the_conditional(cap, seen)


@pytest.mark.parametrize("when", ["before", "inside"])
def test_fused_projections(when):
    unet = small()
    if when == "before":
        unet.fuse_qkv_projections()
    holds(unet, prepare=unet.fuse_qkv_projections if when == "inside" else None, limit=1e-5)


def chunked(unet):
    for module in unet.modules():
        if hasattr(module, "set_chunk_feed_forward"):
            module.set_chunk_feed_forward(6, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda unet: unet.enable_freeu(0.9, 0.2, 1.2, 1.4),
        chunked,
        lambda unet: unet.to(memory_format=torch.channels_last),
        lambda unet: unet.enable_group_offload(onload_device=CPU, offload_type="leaf_level"),
        lambda unet: unet.enable_group_offload(onload_device=CPU, offload_type="block_level", num_blocks_per_group=1),
        lambda unet: unet.enable_layerwise_casting(storage_dtype=torch.float16, compute_dtype=torch.float32),
        lambda unet: unet.set_attn_processor(AttnProcessor()),
    ],
    ids=["freeu", "chunks", "channels last", "group leaf", "group block", "layerwise casting", "classic"],
)
def test_what_diffusers_can_switch_on(change):
    unet = small()
    change(unet)
    holds(unet)


# --- offload ----------------------------------------------------------------------------------------------------------


def dispatched(unet):
    parts = [name for name, _ in unet.named_children()]
    accelerate.dispatch_model(unet, dict.fromkeys(parts, "cpu"), main_device="cpu", force_hooks=True)


@pytest.mark.parametrize(
    "offload",
    [
        lambda unet: accelerate.cpu_offload(unet, CPU),
        lambda unet: accelerate.cpu_offload_with_hook(unet, CPU),
        dispatched,
    ],
    ids=["sequential", "model", "dispatched"],
)
@pytest.mark.parametrize("when", ["before", "inside"])
def test_offload_by_accelerate(offload, when):
    unet = small()
    if when == "inside":
        holds(unet, prepare=lambda: offload(unet))
    else:
        offload(unet)
        holds(unet)


def test_a_pipeline_s_sequential_offload():
    pipe = models.pipeline(**SMALL)
    with reference.softmax(pipe.unet) as seen:
        plain = paint(pipe)
    for part in (pipe.unet, pipe.text_encoder, pipe.vae):
        accelerate.cpu_offload(part, CPU, offload_buffers=True)
    with attnscope.capture(pipe, **EVERYTHING) as cap:
        assert torch.equal(paint(pipe), plain)
    assert cap.missing == {}
    assert pipe.unet.conv_in.weight.device.type == "meta"  # as it was found
    assert near_the_conditional(cap, seen)


def test_a_hook_that_changes_the_inputs_of_attention():
    class Doubling(accelerate.hooks.ModelHook):
        def pre_forward(self, module, hidden, *args, **kwargs):
            return (2 * hidden, *args), kwargs

    unet = small()
    add_hook_to_module(unet.mid_block.attentions[0].transformer_blocks[0].attn2, Doubling())
    holds(unet)


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes_of_the_model(dtype, tmp_path):
    cap = holds(small().to(dtype), dtype)
    opened = attnscope.open(cap.save(tmp_path / "run.zarr"))
    for row in cap.layers.itertuples():
        maps = [one.layer(row.layer, kind=row.kind).values for one in (cap, opened)]
        assert np.array_equal(*maps)
        assert abs(maps[0].sum(-1) - 1).max() <= 5e-6


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_pipeline_in_half_precision(dtype):
    pipe = models.pipeline(**SMALL).to(dtype)
    with reference.softmax(pipe.unet) as seen:
        plain = paint(pipe)
    with attnscope.capture(pipe, **EVERYTHING) as cap:
        assert torch.equal(paint(pipe), plain)
    assert near_the_conditional(cap, seen)
    assert cap.image is not None
    assert cap.previews.sizes["step"] == 2


@contextlib.contextmanager
def autocast():
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        yield


def test_autocast():
    """Weights are computed in float32 of the queries and keys that autocast made, though it is still on."""
    holds(small(), context=autocast)


def test_autocast_casts_what_norms_made_float32_again():
    unet = small()
    seen = {}
    for name, module in unet.named_modules():
        if name.endswith(("attn1", "attn2")):
            width = module.to_q.out_features // module.heads
            module.norm_q, module.norm_k = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
            for norm in ("norm_q", "norm_k"):
                getattr(module, norm).register_forward_hook(
                    lambda *args, key=(name, norm): seen.__setitem__(key, args[2].bfloat16())
                )
    with attnscope.capture(unet, **LABELLED) as cap, autocast():
        captured = unet(*inputs()).sample
    with autocast():
        assert torch.equal(unet(*inputs()).sample, captured)
    for row in cap.layers.itertuples():
        query, key = seen[row.module, "norm_q"], seen[row.module, "norm_k"]
        expected = reference.exact(query, key, query.shape[-1] ** -0.5, None).numpy()
        assert abs(cap.layer(row.layer, kind=row.kind).isel(step=0).values - expected).max() <= WORST


# --- training ---------------------------------------------------------------------------------------------------------


def gradients(unet, **capture):
    unet.zero_grad()
    torch.manual_seed(5)
    with attnscope.capture(unet, **capture) if capture else contextlib.nullcontext() as cap:
        loss = unet(*inputs()).sample.square().mean()
        loss.backward()
    return [loss.detach(), torch.rand(3), *(part.grad for part in unet.parameters() if part.grad is not None)], cap


@pytest.mark.parametrize("reentrant", [True, False])
def test_gradient_checkpointing_records_a_call_once(reentrant):
    unet = small(dropout=0.3).train()

    def checkpoint(function, *args):
        return torch.utils.checkpoint.checkpoint(function.__call__, *args, use_reentrant=reentrant)

    unet.enable_gradient_checkpointing(checkpoint)
    plain, _ = gradients(unet)
    captured, cap = gradients(unet, **LABELLED)
    assert len(plain) == len(captured) > 80
    assert all(torch.equal(one, two) for one, two in zip(plain, captured, strict=True))
    assert cap.missing == {}
    assert set(cap.layers["kind"]) == {"cross", "self"}
    assert cap.at("16x24").sizes["step"] == 1


def test_training_with_dropout_and_measures():
    unet = small(dropout=0.3).train()
    plain, _ = gradients(unet)
    captured, cap = gradients(unet, **LABELLED, measure=True)
    assert all(torch.equal(one, two) for one, two in zip(plain, captured, strict=True))
    with reference.softmax(unet) as seen:
        gradients(unet)
    assert worst(cap, seen) <= WORST
