"""What is captured is what the model used, and the model does not notice."""

import numpy as np
import processors
import pytest
import torch
from processors import conditional, install

import attnscope

WORST = 2e-6


@pytest.mark.parametrize("name", ["sdpa", "classic", "sliced by 1", "sliced by 5", "fused", "storing", "mixed"])
@pytest.mark.usefixtures("clean")
def test_every_processor_gives_the_stored_softmax(pipe, paint, stored, name):
    install(pipe.unet, name)
    untouched = paint()
    before = pipe.unet.attn_processors
    with attnscope.capture(pipe, dtype="float32", tokens="all") as cap:
        captured = paint()
    assert torch.equal(captured, untouched)
    after = pipe.unet.attn_processors
    assert list(after) == list(before)
    assert all(after[key] is before[key] for key in before)
    assert len(cap.layers) == 16
    for row in cap.layers.itertuples():
        array = cap.layer(row.layer)
        assert array.dims == ("step", "head", "pixel", "token")
        assert array.dtype == np.float32
        expected = conditional(stored[row.module], row.heads)
        assert array.shape == expected.shape
        assert abs(array.values - expected).max() <= WORST, row.layer


def test_prompt_tokens_and_the_padding_sum_make_rows_of_one(cap, stored):
    for row in cap.layers.itertuples():
        array = cap.layer(row.layer)
        expected = conditional(stored[row.module], row.heads)
        content = array.sizes["token"] - 1
        assert abs(array.values[..., :content] - expected[..., :content]).max() <= WORST
        assert abs(array.values[..., content] - expected[..., content:].sum(-1)).max() <= WORST
        assert abs(array.sum("token") - 1).max() <= WORST


def test_float16_is_the_default_and_is_the_rounded_softmax(pipe, paint, cap):
    with attnscope.capture(pipe) as half:
        paint()
    for label in cap.layers["layer"]:
        array = half.layer(label)
        assert array.dtype == np.float32  # in use; kept in half of that
        assert np.array_equal(array.values, cap.layer(label).values.astype(np.float16))
    assert half.nbytes == cap.nbytes // 2


@pytest.mark.parametrize("dims", [("step", "layer", "head", "pixel"), ("step", "pixel"), ("layer", "head"), "token"])
def test_means_and_sums_are_not_taken_in_half_precision(pipe, paint, cap, dims):
    with attnscope.capture(pipe) as half:
        paint()
    for reduce in ("mean", "sum"):
        ours, exact = (getattr(one.at("16x24"), reduce)(dims) for one in (half, cap))
        np.testing.assert_allclose(ours.values, exact.values, rtol=5e-4)


def test_guidance_off_keeps_the_whole_batch(pipe, paint):
    store_before = pipe.unet.attn_processors
    with attnscope.capture(pipe, dtype="float32", tokens="all") as cap:
        plain = paint(guidance_scale=1.0)
    store = processors.store_everywhere(pipe.unet)
    paint(guidance_scale=1.0)
    pipe.unet.set_attn_processor(store_before)
    assert torch.equal(plain, paint(guidance_scale=1.0))
    for row in cap.layers.itertuples():
        expected = torch.stack(store[row.module]).numpy()
        assert cap.layer(row.layer).shape == expected.shape
        assert abs(cap.layer(row.layer).values - expected).max() <= WORST


def test_several_pictures_are_an_axis_of_their_own(pipe, paint):
    before = pipe.unet.attn_processors
    with attnscope.capture(pipe, dtype="float32", tokens="all") as cap:
        paint(num_images_per_prompt=3)
    store = processors.store_everywhere(pipe.unet)
    paint(num_images_per_prompt=3)
    pipe.unet.set_attn_processor(before)
    array = cap.layer("up.2.1")
    assert array.dims == ("image", "step", "head", "pixel", "token")
    assert array.sizes["image"] == 3
    assert len(cap.images) == 3
    maps = torch.stack(store[str(array.coords["module"].values)]).numpy()
    steps, _, pixels, keys = maps.shape
    expected = maps.reshape(steps, 2, 3, 4, pixels, keys)[:, 1].swapaxes(0, 1)
    assert abs(array.values - expected).max() <= WORST


def test_guidance_switched_off_halfway_is_followed(pipe, paint):
    def stop_guiding(pipeline, step, timestep, tensors):
        if step == 0:
            pipeline._guidance_scale = 0.0
            tensors["prompt_embeds"] = tensors["prompt_embeds"].chunk(2)[-1]
        return tensors

    arguments = {"callback_on_step_end": stop_guiding, "callback_on_step_end_tensor_inputs": ["prompt_embeds"]}
    before = pipe.unet.attn_processors
    with attnscope.capture(pipe, dtype="float32", tokens="all") as cap:
        paint(**arguments)
    store = processors.store_everywhere(pipe.unet)
    paint(**arguments)
    pipe.unet.set_attn_processor(before)
    for row in cap.layers.itertuples():
        first, *rest = (maps.numpy() for maps in store[row.module])
        expected = [first[row.heads :], *rest]
        assert abs(cap.layer(row.layer).values - np.stack(expected)).max() <= WORST


@pytest.mark.parametrize(("height", "width"), [(40, 56), (24, 8), (64, 32)])
def test_odd_and_non_square_sizes(pipe, paint, height, width):
    untouched = paint(height=height, width=width)
    with attnscope.capture(pipe) as cap:
        assert torch.equal(paint(height=height, width=width), untouched)
    assert len(cap.layers) == 16
    rows, columns = height // 2, width // 2
    finest = cap.at(f"{rows}x{columns}").sel(place="down").unstack("pixel")
    assert (finest.sizes["y"], finest.sizes["x"]) == (rows, columns)
    assert finest["y"].values[0] == 1.0
    assert finest["x"].values[-1] == width - 1.0
    halves = [(-(-rows // 2**level), -(-columns // 2**level)) for level in range(4)]
    assert list(cap.layers["grid"].unique()) == [f"{a}x{b}" for a, b in halves]


def test_the_demo_pipeline_is_seen_exactly():
    pipe = attnscope.demo.pipeline()
    settings = {"num_inference_steps": 2, "output_type": "pt"}

    def run():
        return pipe("a green star below a pink heart", generator=torch.Generator().manual_seed(5), **settings).images

    untouched = run()
    with attnscope.capture(pipe, dtype="float32", tokens="all") as cap:
        assert torch.equal(run(), untouched)
    store = processors.store_everywhere(pipe.unet)
    run()
    assert len(cap.layers) == 16
    for row in cap.layers.itertuples():
        expected = conditional(torch.stack(store[row.module]).numpy(), row.heads)
        # Trained weights are sharper than random ones, and the processors' own roundings add up over two steps.
        assert abs(cap.layer(row.layer).values - expected).max() <= 2e-5
