"""Layers, steps, and the errors of whoever asks for what is not there."""

import numpy as np
import processors
import pytest
import torch

import attnscope
from attnscope.capture.sites import find_sites
from attnscope.errors import CaptureError, NothingCapturedError, UnknownLayerError


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("mid.0", ["mid.0"]),
        ("up.3.*", ["up.3.0", "up.3.1", "up.3.2"]),
        (["down.?.1", "mid.0"], ["down.0.1", "down.1.1", "down.2.1", "mid.0"]),
        (lambda site: site.heads == 2, ["down.0.0", "down.0.1", "up.3.0", "up.3.1", "up.3.2"]),
    ],
)
def test_layers(pipe, paint, cap, layers, expected):
    with attnscope.capture(pipe, layers=layers, dtype="float32") as some:
        paint()
    assert some.layers["layer"].tolist() == expected
    for label in expected:
        assert np.array_equal(some.layer(label).values, cap.layer(label).values)
    missed = some.missing_sites.query("kind == 'cross'")
    assert len(missed) == 16 - len(expected)
    assert set(missed["reason"]) == {"not asked for by layers="}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (1, [1]),
        (-1, [2]),
        (slice(None, None, 2), [0, 2]),
        (slice(-2, None), [1, 2]),
        ([2, 0], [0, 2]),
        (lambda s: s > 0, [1, 2]),
    ],
)
def test_steps(pipe, paint, cap, steps, expected):
    with attnscope.capture(pipe, steps=steps, dtype="float32") as some:
        paint()
    array = some.layer("up.1.2")
    assert array["step"].values.tolist() == expected
    assert np.array_equal(array.values, cap.layer("up.1.2").sel(step=expected).values)
    assert array["timestep"].equals(cap.layer("up.1.2").sel(step=expected)["timestep"])
    assert some.previews.sizes["step"] == len(expected)
    assert some.attrs["steps"] == 3


def test_steps_from_the_end_need_a_known_number(pipe):
    with pytest.raises(CaptureError, match=r"steps=\[-1\] counts from the end"), attnscope.capture(pipe.unet, steps=-1):
        pipe.unet(torch.zeros(1, 4, 8, 8), 1, torch.zeros(1, 3, 24))


def test_self_sites_are_named_as_not_asked_for(cap):
    assert len(cap.missing) == 16
    assert all(path.endswith("attn1") for path in cap.missing)
    assert set(cap.missing.values()) == {"self-attention was not asked for by kinds="}


HIDDEN = "mid_block.attentions.0.transformer_blocks.0.attn"


@pytest.mark.usefixtures("clean")
def test_hidden_weights_that_can_be_proved_are_computed_again(pipe, paint, stored):
    for attention in ("attn1", "attn2"):
        pipe.unet.get_submodule(HIDDEN[:-5]).get_submodule(attention).set_processor(processors.HandmadeProcessor())
    plain = paint()
    with attnscope.capture(pipe, kinds=("cross", "self"), dtype="float32", tokens="all") as cap:
        picture = paint()
    assert torch.equal(picture, plain)
    assert cap.missing == {}
    assert cap.attrs["recomputed"] == [f"{HIDDEN}1", f"{HIDDEN}2"]
    for kind, attention in (("self", "1"), ("cross", "2")):
        expected = processors.conditional(stored[HIDDEN + attention], 3)
        assert abs(cap.layer("mid.0", kind=kind).values - expected).max() <= 2e-5


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(("kind", "attention"), [("self", "attn1"), ("cross", "attn2")])
def test_a_processor_that_hides_something_else_is_named(pipe, paint, kind, attention):
    pipe.unet.get_submodule(HIDDEN[:-5]).get_submodule(attention).set_processor(processors.SharpenedProcessor())
    with attnscope.capture(pipe, kinds=kind) as cap:
        paint()
    assert len(cap.layers) == 15
    reason = cap.missing[HIDDEN[:-4] + attention]
    assert reason.startswith("its processor SharpenedProcessor called neither scaled_dot_product_attention nor")
    assert reason.endswith("computing it again from to_q and to_k does not give what the processor gave")
    assert cap.attrs["recomputed"] == []


@pytest.mark.usefixtures("clean")
def test_no_processor_can_be_seen(pipe, paint):
    pipe.unet.set_attn_processor(processors.SharpenedProcessor())
    with (
        pytest.raises(NothingCapturedError, match=r"3 step.*SharpenedProcessor called neither"),
        attnscope.capture(pipe),
    ):
        paint()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kinds": ("joint",)}, ValueError, "kinds='joint' is not available. Available: cross, self, image"),
        ({"kinds": ()}, ValueError, "kinds is empty. Available: cross, self, image"),
        ({"branches": "con"}, ValueError, "branches='con' is not available. Available: cond, uncond, .* mean 'cond'"),
        ({"branches": ()}, ValueError, "branches is empty. Available: cond, uncond"),
        ({"tokens": "promt"}, ValueError, "tokens='promt' is not available.*Did you mean 'prompt'"),
        ({"dtype": "float64"}, ValueError, "dtype='float64' is not available. Available: float16, float32"),
        ({"labels": "a red"}, TypeError, "labels='a red' is one string"),
        ({"layers": "up.9.*"}, UnknownLayerError, r"No attention layer is called 'up.9.\*'. Available: down.0.0"),
        ({"layers": ["up.1.0", "top"]}, UnknownLayerError, "is called 'top'"),
    ],
)
def test_what_cannot_be_asked_for(pipe, options, error, message):
    with pytest.raises(error, match=message), attnscope.capture(pipe, **options):
        pytest.fail("the block was entered")


@pytest.mark.parametrize("dtype", [np.float32, torch.float32, "float32", np.dtype("float32")])
def test_dtype_in_any_spelling(pipe, dtype):
    with attnscope.capture(pipe.unet, dtype=dtype, labels=["a"]) as cap:
        pipe.unet(torch.zeros(1, 4, 8, 8), 1, torch.zeros(1, 3, 24))
    assert cap.layer("mid.0").dtype == np.float32


@pytest.mark.parametrize("target", [object(), torch.nn.Linear(2, 2), "stable-diffusion"])
def test_a_target_without_attention(target):
    with pytest.raises(CaptureError, match=r"Give a diffusers pipeline, or its UNet"), attnscope.capture(target):
        pytest.fail("the block was entered")


def test_shapes_may_not_change_within_a_capture(pipe):
    def call(batch, rows, words=3):
        pipe.unet(torch.zeros(batch, 4, rows, 8), 1, torch.zeros(batch, words, 24))

    with attnscope.capture(pipe.unet, labels=["a"]) as cap:
        call(1, 8)
        for other in [(2, 8), (1, 10), (1, 8, 4)]:
            with pytest.raises(CaptureError, match=r"block for each"):
                call(*other)
    assert cap.at(8).sizes["step"] == 1


def test_two_attentions_over_text_in_one_block_have_two_labels():
    import models

    sites = find_sites(models.unet(only_cross_attention=(True, False, False, False)))
    labels = [site.layer for site in sites if site.kind == "cross" and site.place == "down"]
    assert labels[:4] == ["down.0.0.attn1", "down.0.0.attn2", "down.0.1.attn1", "down.0.1.attn2"]
    assert len({(site.layer, site.kind) for site in sites}) == len(sites) == 32


def test_depth_is_a_part_of_the_label_where_there_is_more_than_one():
    import models

    sites = find_sites(models.unet(transformer_layers_per_block=(1, 2, 3, 1)))
    cross = [site.layer for site in sites if site.kind == "cross"]
    assert cross[:8] == [
        "down.0.0",
        "down.0.1",
        "down.1.0.0",
        "down.1.0.1",
        "down.1.1.0",
        "down.1.1.1",
        "down.2.0.0",
        "down.2.0.1",
    ]
    assert len(set(cross)) == len(cross)
