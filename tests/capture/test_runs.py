"""What counts as a step, whose call it is, and what a run says of itself."""

import sys

import diffusers
import numpy as np
import pytest
import torch

import attnscope
from attnscope.errors import CaptureError, ExtraCallsWarning, UnknownTokensWarning


@pytest.fixture
def scheduler(pipe):
    """Set another scheduler, for one test."""
    before = pipe.scheduler

    def set_scheduler(name, **config):
        pipe.scheduler = getattr(diffusers, name)(**config)
        return pipe.scheduler

    yield set_scheduler
    pipe.scheduler = before


@pytest.mark.parametrize(
    ("name", "calls"), [("HeunDiscreteScheduler", 5), ("KDPM2DiscreteScheduler", 5), ("PNDMScheduler", 4)]
)
def test_a_step_is_a_call_of_the_model(pipe, paint, scheduler, name, calls):
    scheduler(name, **({"skip_prk_steps": True} if name == "PNDMScheduler" else {}))
    with attnscope.capture(pipe) as cap:
        paint()
    assert cap.at("8x12")["step"].values.tolist() == list(range(calls))
    assert (cap.attrs["steps"], cap.attrs["num_inference_steps"]) == (calls, 3)
    with attnscope.capture(pipe, steps=-1) as last:
        paint()
    assert last.at("8x12")["step"].values.tolist() == [calls - 1]


def test_the_noise_level_is_that_of_the_timestep(pipe, paint, scheduler):
    """img2img begins in the middle of the schedule."""
    euler = scheduler("EulerDiscreteScheduler")
    pipeline = diffusers.StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
    picture = paint()
    with attnscope.capture(pipeline, steps=slice(-3, None)) as cap:
        pipeline("a star", image=picture, strength=0.5, num_inference_steps=6)
    array = cap.at("8x12")
    assert array["step"].values.tolist() == [0, 1, 2]
    assert array["timestep"].values.tolist() == euler.timesteps[3:].tolist()
    np.testing.assert_allclose(array["sigma"], euler.sigmas[3:6])
    assert cap.previews.sizes["step"] == 3
    assert cap.attrs["steps"] == 3


def test_another_pipeline_with_the_same_model(pipe, paint):
    other = diffusers.StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
    picture = paint()
    said = "ran outside of the call of the StableDiffusionPipeline"
    with pytest.raises(CaptureError, match=said), attnscope.capture(pipe):
        other("a star", image=picture, num_inference_steps=2)
    with attnscope.capture(pipe) as cap:
        paint()
        with pytest.raises(CaptureError, match=said):
            other("a star", image=picture, num_inference_steps=2)
    assert cap.at("8x12").sizes["step"] == 3


def test_a_bare_model_does_not_say_which_rows_are_conditional(pipe):
    with pytest.warns(UnknownTokensWarning), attnscope.capture(pipe.unet) as cap:
        pipe.unet(torch.zeros(2, 4, 8, 8), 1, torch.zeros(2, 3, 24))
    assert cap.at(8)["branch"].item() == "unknown"
    assert cap.at(8).sizes["image"] == 2
    assert "branch unknown" in attnscope.Scope(cap).spec().caption


@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "DDIMScheduler"])
def test_calls_beside_the_scheduler_s_steps_are_said_and_harm_nothing(pipe, paint, scheduler, name):
    scheduler(name)

    def call_again(pipeline, step, timestep, tensors):
        pipeline.unet(torch.zeros(2, 4, 16, 24), timestep, torch.zeros(2, 32, 24))
        return tensors

    with pytest.warns(ExtraCallsWarning, match="called 6 times in 3 steps"), attnscope.capture(pipe) as cap:
        paint(callback_on_step_end=call_again)
    assert cap.at("8x12").sizes["step"] == 6
    assert cap.previews is None
    assert cap.attrs["no_previews"] == "some calls of the UNet were no steps of the scheduler"


def test_previews_never_end_a_run(pipe, paint, monkeypatch):
    plain = paint()

    def fail(*_):
        msg = "an odd scheduler"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr(sys.modules["attnscope.capture.pipeline"], "predicted_latents", fail)
    with attnscope.capture(pipe) as cap:
        picture = paint()
    assert torch.equal(picture, plain)
    assert cap.previews is None
    assert cap.attrs["no_previews"].endswith("ZeroDivisionError: an odd scheduler")


def test_numbers_of_numpy_and_torch_can_be_saved(pipe, paint, tmp_path):
    with attnscope.capture(pipe) as cap:
        paint(guidance_scale=torch.tensor(7.5), num_inference_steps=np.int64(2))
    opened = attnscope.open(cap.save(tmp_path / "run.zarr"))
    assert (opened.attrs["guidance_scale"], opened.attrs["num_inference_steps"]) == (7.5, 2)


def test_a_refused_call_leaves_the_block_free(pipe, paint):
    with attnscope.capture(pipe) as cap:
        with pytest.raises(ValueError, match="divisible by"):
            paint(height=33)
        paint()
    assert cap.at("8x12").sizes["step"] == 3


def test_pixels_are_those_of_the_picture_from_the_first_step_on(pipe, paint):
    seen = []

    def look(pipeline, step, timestep, tensors):
        seen.append((cap.at("8x12")["x"].values.tolist(), cap.attrs["steps"]))
        return tensors

    with attnscope.capture(pipe) as cap:
        paint(callback_on_step_end=look)
    assert seen == [(cap.at("8x12")["x"].values.tolist(), 3)] * 3


def test_compiled_code_is_refused_before_the_first_step(pipe):
    import copy

    compiled = torch.compile(pipe.unet, backend="eager")
    with pytest.raises(CaptureError, match=r"is compiled \(torch.compile\)"), attnscope.capture(compiled):
        pass
    inner = copy.deepcopy(pipe.unet)
    inner.mid_block.compile(backend="eager")
    with pytest.raises(CaptureError, match=r"is compiled \(torch.compile\)"), attnscope.capture(inner):
        pass


@pytest.mark.parametrize("steps", ["all", 1.0, [0.5], True, {"a": 1}, []])
def test_what_is_no_choice_of_steps(pipe, steps):
    with pytest.raises(TypeError, match="is no choice of steps"), attnscope.capture(pipe, steps=steps):
        pass


@pytest.mark.parametrize("layers", [5, ["up.1.0", 3], []])
def test_what_is_no_choice_of_layers(pipe, layers):
    with pytest.raises(TypeError, match="is no choice of layers"), attnscope.capture(pipe, layers=layers):
        pass


def test_numpy_numbers_choose_steps(pipe, paint):
    with attnscope.capture(pipe, steps=np.int64(1)) as cap:
        paint()
    assert cap.at("8x12")["step"].values.tolist() == [1]
    with attnscope.capture(pipe, steps=range(2)) as cap:
        paint()
    assert cap.at("2x3")["step"].values.tolist() == [0, 1]
