"""What sub-layers add, against the tensors of the same run, seen by hooks of the tests' own."""

from contextlib import ExitStack

import models
import numpy as np
import pytest
import torch
from diffusers.models.attention import BasicTransformerBlock
from naming import stable
from test_leaving import Stop, fail_in, hooks
from torch import nn

import attnscope
from attnscope.capture.measure import Measures
from attnscope.capture.recording import Step
from attnscope.capture.sites import Site

PARTS = ["attn1", "attn2", "ff"]


class Seen:
    """The residual stream of one block and what its sub-layers gave, call by call."""

    def __init__(self, block):
        self.streams, self.given = [], []
        # What a plain block normalises is the stream as it stands there.
        for norm in (block.norm1, block.norm2, block.norm3):
            norm.register_forward_pre_hook(lambda module, args: self.streams.append(args[0].clone()))
        block.register_forward_hook(lambda module, args, output: self.streams.append(output.clone()))
        for part in PARTS:
            getattr(block, part).register_forward_hook(lambda module, args, output: self.given.append(output.clone()))

    def norms(self, rows):
        """``(quantity, step, row, part)``."""
        streams = torch.stack(self.streams).unflatten(0, (-1, 4))[:, :3]
        given = torch.stack(self.given).unflatten(0, (-1, 3))
        return np.stack([mean_norm(which)[:, :, rows].transpose(0, 2, 1) for which in (given, streams)])


def mean_norm(states):
    return (states.double() ** 2).sum(-1).sqrt().mean(-1).detach().numpy()


@pytest.fixture
def see():
    """Look at blocks of a model, and leave it without hooks."""
    looked = []

    def look(model):
        looked.append(model)
        named = model.named_modules()
        return {name: Seen(block) for name, block in named if isinstance(block, BasicTransformerBlock)}

    yield look
    for model in looked:
        for module in model.modules():
            module._forward_hooks.clear()
            module._forward_pre_hooks.clear()
            module._forward_pre_hooks_with_kwargs.clear()


def found(measures, module):
    """``(quantity, step, row, part)`` as the tests have it."""
    one = measures.isel(layer=measures["module"].values.tolist().index(module))
    one = one if "image" in one.dims else one.expand_dims("image")
    return one[["added", "stream"]].to_array("quantity").transpose("quantity", "step", "image", "part").values


@pytest.mark.parametrize("pictures", [1, 2])
def test_against_the_tensors_of_the_run(pipe, paint, see, pictures):
    seen = see(pipe.unet)
    with attnscope.capture(pipe, measure=True) as cap:
        paint(num_images_per_prompt=pictures)
    measures = cap.measures
    assert measures["added"].dims == (("image",) if pictures == 2 else ()) + ("step", "layer", "part")
    assert measures["part"].values.tolist() == PARTS
    assert measures["layer"].values.tolist() == cap.layers["layer"].tolist()
    assert measures["stream"].dtype == np.float32
    assert measures.attrs["unseen"] == []
    rows = slice(pictures, 2 * pictures)  # the unconditional branch lies first
    for module, one in seen.items():
        np.testing.assert_allclose(found(measures, module), one.norms(rows), rtol=1e-5)
    assert len(seen) == 16


def test_the_stream_goes_on_with_the_sum(pipe, paint, see):
    seen = see(pipe.unet)
    with attnscope.capture(pipe, measure=True):
        paint()
    for one in seen.values():
        streams, given = torch.stack(one.streams).unflatten(0, (-1, 4)), torch.stack(one.given).unflatten(0, (-1, 3))
        torch.testing.assert_close(streams[:, :3] + given, streams[:, 1:])


def test_the_coordinates(pipe, paint):
    with attnscope.capture(pipe, kinds=("cross", "self"), measure=True) as cap:
        paint()
    maps, measures = cap.at("4x6"), cap.measures
    assert measures["step"].equals(maps["step"])
    assert measures["timestep"].equals(maps["timestep"])
    up = measures.sel(place="up")
    assert up["layer"].values.tolist() == [f"up.{block}.{i}" for block in (1, 2, 3) for i in range(3)]
    assert up["block"].values.tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert up["attention_index"].values.tolist() == [0, 1, 2] * 3
    assert set(up["depth"].values) == {0}
    assert measures["branch"].item() == "cond"
    assert (measures["added"] > 0).all()


@pytest.mark.parametrize("kinds", ["cross", ("cross", "self")])
def test_the_picture_is_the_same(pipe, paint, kinds):
    generator = torch.get_rng_state()
    untouched = paint(eta=1.0)
    drawn = torch.get_rng_state()
    torch.set_rng_state(generator)
    with attnscope.capture(pipe, kinds=kinds, measure=True) as cap:
        assert torch.equal(paint(eta=1.0), untouched)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert "sub-layers measured" in repr(cap)
    assert hooks(pipe.unet) == []


def test_nothing_is_hooked_that_was_not_asked_for(pipe, paint):
    def hooked():
        return {name.rpartition(".")[2] for name, _ in hooks(pipe.unet)}

    with attnscope.capture(pipe) as cap:
        assert "ff" not in hooked()
        paint()
    with attnscope.capture(pipe, measure=True):
        assert "ff" in hooked()
        paint()
    with pytest.raises(attnscope.errors.NotMeasuredError, match=r"Available: cross-attention. .*measure=True"):
        cap.measures  # noqa: B018


def test_layers_and_steps(pipe, paint):
    with attnscope.capture(pipe, measure=True) as every:
        paint()
    with attnscope.capture(pipe, layers=["up.2.*", "mid.0"], steps=[0, 2], measure=True) as some:
        paint()
        names = [name for name, _ in hooks(pipe.unet) if name.endswith("ff")]
        assert all(name.startswith(("mid_block", "up_blocks.2")) for name in names)
    assert some.measures["layer"].values.tolist() == ["mid.0", "up.2.0", "up.2.1", "up.2.2"]
    assert some.measures["step"].values.tolist() == [0, 2]
    expected = every.measures.sel(step=[0, 2], layer=some.measures["layer"].values)
    assert np.array_equal(some.measures["added"].values, expected["added"].values)


def test_captures_within_each_other_measure_the_same(pipe, paint):
    with attnscope.capture(pipe, measure=True) as outer, attnscope.capture(pipe, measure=True) as inner:
        paint()
    assert inner.measures.equals(outer.measures)
    assert outer.measures.attrs["unseen"] == []


def test_an_exception_halfway(pipe, paint):
    handle = fail_in(pipe.unet.up_blocks[1].attentions[1].transformer_blocks[0].attn2, call=1)
    with pytest.raises(Stop), attnscope.capture(pipe, measure=True) as cap:
        paint()
    handle.remove()
    first, second = (cap.measures["stream"].isel(step=step) for step in (0, 1))
    assert not first.isnull().any()
    assert second.sel(layer="up.1.1").isnull().values.tolist() == [False, True, True]
    assert not second.sel(layer="up.1.0").isnull().any()
    assert second.sel(layer="up.3.2").isnull().all()
    reasons = {(one["layer"], one["part"]): one["reason"] for one in cap.measures.attrs["unseen"]}
    assert reasons["up.1.1", "ff"] == "seen in 1 of 2 steps: the model did not reach it in the others"
    assert ("up.1.1", "attn1") not in reasons
    assert cap.anatomy("up.3.2")["added"].notna().sum() == 3


def test_steps_within_the_block(pipe, paint):
    counts = []

    def look(pipeline, step, timestep, tensors):
        counts.append(cap.measures.sizes["step"])
        return tensors

    with attnscope.capture(pipe, measure=True) as cap:
        paint(callback_on_step_end=look)
    assert counts == [1, 2, 3]


def test_a_hook_that_changes_what_is_given(pipe, paint):
    handle = (
        pipe.unet.mid_block.attentions[0]
        .transformer_blocks[0]
        .attn2.register_forward_hook(lambda module, args, output: torch.zeros_like(output))
    )
    with attnscope.capture(pipe, measure=True) as cap:
        paint()
    handle.remove()
    one = cap.measures["added"].sel(layer="mid.0")
    assert (one.sel(part="attn2") == 0).all()
    assert (one.sel(part="attn1") > 0).all()


def test_a_hook_that_adds_up_what_is_given(pipe, paint):
    with attnscope.capture(pipe, measure=True) as expected:
        paint()
    sums = [torch.tensor(0.0)]
    with attnscope.capture(pipe, measure=True) as cap:
        module = pipe.unet.mid_block.attentions[0].transformer_blocks[0].ff
        handle = module.register_forward_hook(lambda module, args, output: sums.append(sums[-1] + output))
        paint()
    handle.remove()
    assert len(sums) == 4
    assert cap.measures.equals(expected.measures)


def test_two_blocks_in_one_transformer(see):
    unet = models.unet(
        transformer_layers_per_block=(1, 2, 1, 1),
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=1280 + 6 * 8,
        use_linear_projection=True,
    )
    seen = see(unet)
    condition = {"text_embeds": torch.ones(2, 1280), "time_ids": torch.ones(2, 6)}
    with attnscope.capture(unet, labels=["a"], measure=True) as cap:
        unet(torch.ones(2, 4, 16, 24), 5, torch.ones(2, 3, 24), added_cond_kwargs=condition)
    assert cap.measures.sel(layer=["down.1.0.0", "down.1.0.1"])["depth"].values.tolist() == [0, 1]
    for module, one in seen.items():
        np.testing.assert_allclose(found(cap.measures, module), one.norms(slice(0, 2)), rtol=1e-5)
    table = cap.anatomy("down.1.0.1")
    expected = cap.measures.sel(layer="down.1.0.1").mean(["step", "image"])
    measured = table.dropna(subset="added")
    assert measured["part"].tolist() == ["BasicTransformerBlock"] * 3
    assert np.allclose(measured["added"], expected["added"])
    assert np.allclose(measured["stream"], expected["stream"])
    # The transformer has a table of its own, and no sub-layer.
    assert cap.anatomy("down.1.0")["added"].isna().all()
    assert table.query("operation == 'attn2'")["input"].item() == ((1, 8 * 12, 16), (1, 3, 24))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_precisions(see, dtype):
    unet = models.unet().to(dtype)
    seen = see(unet)
    with attnscope.capture(unet, labels=["a"], measure=True) as cap, torch.no_grad():
        unet(torch.ones(1, 4, 8, 8, dtype=dtype), 5, torch.ones(1, 3, 24, dtype=dtype))
    assert cap.measures["added"].dtype == np.float32
    for module, one in seen.items():
        np.testing.assert_allclose(found(cap.measures, module), one.norms(slice(0, 1)), rtol=1e-5)


def test_two_attentions_of_one_kind(see):
    unet = models.unet(only_cross_attention=True)
    see(unet)
    with attnscope.capture(unet, labels=["a"], layers="down.0.0.attn1", measure=True) as cap:
        unet(torch.ones(1, 4, 8, 8), 5, torch.ones(1, 3, 24))
    assert cap.measures["layer"].values.tolist() == ["down.0.0"]
    assert not cap.measures["added"].isnull().any()


def test_attentions_that_stand_in_no_transformer_block():
    unet = models.unet(
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
    )
    with attnscope.capture(unet, labels=["a"], measure=True, layers=["up.*", "mid*"]) as cap:
        unet(torch.ones(1, 4, 8, 8), 5, torch.ones(1, 3, 24))
    assert cap.measures["layer"].values.tolist()[-1] == "up.0.2"
    assert cap.measures["added"].sel(layer="mid.0").isnull().all()
    assert not cap.measures["added"].sel(layer="up.0.0").isnull().any()
    assert cap.measures.attrs["unseen"][0]["reason"] == "it stands in no BasicTransformerBlock"


# --- blocks as other models have them ----------------------------------------------------------------------------


def measure(block, call, batch=2):
    """Measure one call of a block that stands in a model by itself: the norms, and what was not seen."""
    model = nn.ModuleDict({"block": block})
    measures = Measures(model, [Site("one", "self", "mid", -1, 0, 0, "block.attn1", "", 2)])

    def add(module, before, after):
        stack.callback(module.register_forward_pre_hook(before, with_kwargs=True).remove)
        stack.callback(module.register_forward_hook(after, with_kwargs=True, prepend=True, always_call=True).remove)

    with ExitStack() as stack, torch.no_grad():
        measures.attach(stack, add)
        measures.begin([1], batch)
        call()
        measures.keep(Step(0, 1.0))
    assert measures.measured is not None
    return measures.measured.steps[0][:, 0, 0], {one["part"]: one["reason"] for one in measures.measured.unseen}


def a_block(**config):
    torch.manual_seed(0)
    block = BasicTransformerBlock(8, 2, 4, **({"cross_attention_dim": 6} | config)).eval()
    for parameter in block.parameters():
        parameter.data.normal_(std=0.5)
    return block


HIDDEN, TEXT = torch.randn(2, 12, 8), torch.randn(2, 3, 6)
STEPS = {"timestep": torch.tensor([3, 5])}


@pytest.mark.parametrize(
    ("config", "inputs"),
    [
        ({}, {}),
        ({"norm_type": "ada_norm", "num_embeds_ada_norm": 9}, {"timestep": torch.tensor(3)}),
        ({"norm_type": "ada_norm_zero", "num_embeds_ada_norm": 9}, STEPS | {"class_labels": torch.tensor([1, 2])}),
        ({"norm_type": "ada_norm_single"}, {"timestep": torch.randn(2, 6 * 8)}),
        (
            {
                "norm_type": "ada_norm_continuous",
                "ada_norm_continous_conditioning_embedding_dim": 5,
                "ada_norm_bias": 8,
            },
            {"added_cond_kwargs": {"pooled_text_emb": torch.randn(2, 5)}},
        ),
        ({"attention_type": "gated"}, {"cross_attention_kwargs": {"gligen": {"objs": torch.randn(2, 4, 6)}}}),
        (
            {
                "dropout": 0.3,
                "final_dropout": True,
                "positional_embeddings": "sinusoidal",
                "num_positional_embeddings": 12,
            },
            {},
        ),
        ({"double_self_attention": True}, {"encoder_hidden_states": None}),
    ],
    ids=lambda config: stable(config.get("norm_type", config)) if config else "plain",
)
def test_what_is_really_added_in_every_kind_of_block(config, inputs):
    block, streams = a_block(**config), []

    def keep(module, args, *more):
        streams.append(args[0].clone())

    single = config.get("norm_type") == "ada_norm_single"
    middle = [block.fuser] if "attention_type" in config else []
    middle += [block.attn2, block.norm2] if single else [block.norm2, block.norm3]
    handles = [module.register_forward_pre_hook(keep) for module in (block, *middle)]
    inputs = {"encoder_hidden_states": TEXT} | inputs
    norms, unseen = measure(block, lambda: streams.append(block(HIDDEN, **inputs)))
    for handle in handles:
        handle.remove()
    assert unseen == {}
    # Before and behind each sub-layer; a fuser has changed the stream between the first two.
    behind = streams[1:]
    before = [streams[0], *streams[-3:-1]]
    added = [mean_norm(after - stream)[1] for stream, after in zip(before, [behind[0], *behind[-2:]], strict=True)]
    np.testing.assert_allclose(norms[0], added, rtol=1e-4)
    np.testing.assert_allclose(norms[1], [mean_norm(stream)[1] for stream in before], rtol=1e-5)


def test_a_feed_forward_in_chunks():
    block = a_block()
    whole, _ = measure(block, lambda: block(HIDDEN, encoder_hidden_states=TEXT))
    block.set_chunk_feed_forward(4, dim=1)
    chunks, unseen = measure(block, lambda: block(HIDDEN, encoder_hidden_states=TEXT))
    assert unseen == {}
    np.testing.assert_allclose(chunks, whole, rtol=1e-5)


def test_a_block_without_cross_attention():
    block = a_block(cross_attention_dim=None)
    norms, unseen = measure(block, lambda: block(HIDDEN))
    assert np.isnan(norms).tolist() == [[False, True, False]] * 2
    assert unseen == {"attn2": "this block has none"}


class Multiplying(BasicTransformerBlock):
    def forward(self, hidden_states, **_):
        hidden_states = hidden_states * self.attn1(self.norm1(hidden_states))
        hidden_states += self.ff(self.norm3(hidden_states))
        return hidden_states


def test_a_block_that_does_not_add():
    torch.manual_seed(0)
    block = Multiplying(8, 2, 4, cross_attention_dim=6).eval()
    norms, unseen = measure(block, lambda: block(HIDDEN))
    assert np.isnan(norms).tolist() == [[True, True, False]] * 2
    assert unseen["attn1"] == "no sum of what it gives and a residual was seen in Multiplying"
    assert unseen["attn2"] == "the model did not reach it"


def test_rows_that_are_not_those_of_the_batch():
    block = a_block()
    norms, unseen = measure(block, lambda: block(HIDDEN, encoder_hidden_states=TEXT), batch=4)
    assert np.isnan(norms).all()
    assert set(unseen.values()) == {"it ran on 2 rows, and the model on 4"}
