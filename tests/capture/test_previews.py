"""The predicted picture at each step."""

import diffusers
import numpy as np
import pytest
import torch

import attnscope
from attnscope.capture.previews import fit_previews, predicted_latents, to_uint8


@pytest.mark.parametrize(
    ("name", "prediction"),
    [
        (name, prediction)
        for name in ("DDIMScheduler", "DDPMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler")
        for prediction in ("epsilon", "v_prediction", "sample")
        if (name, prediction) != ("EulerAncestralDiscreteScheduler", "sample")  # not in diffusers
    ],
)
def test_predicted_latents_are_the_scheduler_s_own(name, prediction):
    settings = {} if name.startswith("Euler") else {"clip_sample": False}
    scheduler = getattr(diffusers, name)(prediction_type=prediction, **settings)
    scheduler.set_timesteps(5)
    generator = torch.Generator().manual_seed(0)
    sample = torch.randn(1, 4, 3, 5, generator=generator) * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        scheduler.scale_model_input(sample, timestep)
        output = torch.randn(sample.shape, generator=generator)
        arguments = {"model_output": output, "timestep": timestep, "sample": sample}
        ours = predicted_latents(scheduler, arguments)
        result = scheduler.step(output, timestep, sample, generator=generator)
        torch.testing.assert_close(ours, result.pred_original_sample, rtol=1e-4, atol=1e-3)
        sample = result.prev_sample


@pytest.mark.parametrize("name", ["DPMSolverMultistepScheduler", "UniPCMultistepScheduler"])
def test_predicted_latents_of_multistep_solvers(name):
    scheduler = getattr(diffusers, name)()
    scheduler.set_timesteps(4)
    sample = torch.randn(1, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    for index, timestep in enumerate(scheduler.timesteps):
        arguments = {"model_output": sample * 0.3, "timestep": timestep, "sample": sample}
        if index:  # before its first step a solver has not counted yet
            scheduler._step_index = index
        ours = predicted_latents(scheduler, arguments)
        scheduler._step_index = index
        theirs = scheduler.convert_model_output(sample * 0.3, sample=sample)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_an_unknown_scheduler_has_no_preview():
    arguments = {"model_output": torch.zeros(1), "timestep": 1.0, "sample": torch.zeros(1)}
    assert predicted_latents(diffusers.FlowMatchEulerDiscreteScheduler(), arguments) is None


def test_the_fit_recovers_a_linear_decoder():
    generator = np.random.default_rng(0)
    latents = generator.normal(size=(3, 2, 4, 5, 7)).astype(np.float32)
    matrix = generator.normal(size=(4, 3)) * 20
    pictures = np.clip(np.moveaxis(latents, 2, -1) @ matrix + 128, 0, 255).astype(np.uint8)
    previews = fit_previews(latents, pictures[-1])
    assert previews.shape == (3, 2, 5, 7, 3)
    assert abs(previews.astype(int) - pictures).mean() < 2


def test_the_last_preview_looks_like_the_picture(cap):
    assert cap.previews.dims == ("step", "row", "column", "rgb")
    assert cap.previews.sizes == {"step": 3, "row": 16, "column": 24, "rgb": 3}
    assert cap.previews.dtype == np.uint8
    small = np.asarray(cap.image.resize((24, 16), resample=4), dtype=float)
    error = abs(cap.previews.sel(step=2) - small).mean().item()
    one_colour = abs(small - small.mean((0, 1))).mean()
    assert error < one_colour


@pytest.mark.parametrize("output_type", ["pil", "np", "pt"])
def test_the_picture_in_every_form(pipe, paint, cap, output_type):
    with attnscope.capture(pipe, steps=[0]) as other:
        paint(output_type=output_type)
    assert other.image.size == (48, 32)
    assert abs(np.asarray(other.image).astype(int) - np.asarray(cap.image)).max() <= 1


def test_no_picture_was_decoded(pipe, paint):
    with attnscope.capture(pipe) as cap:
        paint(output_type="latent")
    assert cap.image is None
    assert cap.previews is None
    assert cap.at("16x24").unstack("pixel")["y"].values[-1] == 31.0


def test_what_is_no_picture():
    assert to_uint8(None) is None
    assert to_uint8(torch.zeros(1, 4, 2, 2)) is None
    assert to_uint8(np.zeros((1, 2, 2, 4))) is None


def test_a_changed_scheduler_and_a_tuple_result(pipe, paint):
    before = pipe.scheduler
    with attnscope.capture(pipe) as cap:
        pipe.scheduler = diffusers.EulerDiscreteScheduler()
        paint(return_dict=True)
    euler, pipe.scheduler = pipe.scheduler, before
    assert type(euler) is diffusers.EulerDiscreteScheduler
    assert cap.attrs["scheduler"] == "EulerDiscreteScheduler"
    assert np.allclose(cap.at("8x12")["sigma"], euler.sigmas[:3])
    assert cap.previews is not None


def test_provenance(cap):
    wanted = {"prompt": "a red circle and a red sailboat", "negative_prompt": None, "guidance_scale": 7.5, "seed": 3}
    wanted |= {"steps": 3, "height": 32, "width": 48, "scheduler": "DDIMScheduler", "attnscope_version": "0.1.0"}
    for place in (cap.attrs, cap.at("8x12").attrs):
        assert {name: place[name] for name in wanted} == wanted
    assert cap.attrs["diffusers_version"] == diffusers.__version__
    assert cap.attrs["torch_version"] == torch.__version__
