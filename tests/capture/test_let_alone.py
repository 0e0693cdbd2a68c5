"""What a capture must leave alone: results, memory, copies, other watchers; whatever goes wrong beside the run."""

import copy
import os
import pickle
import threading
import weakref

import models
import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion import StableDiffusionPipelineOutput

import attnscope
from attnscope.capture.averaging import StepMean
from attnscope.capture.sites import Site
from attnscope.capture.stores import GridStore
from attnscope.errors import UnknownLayerError


class BestOfSeveral(StableDiffusionPipeline):
    """Paints several pictures, and gives the first."""

    def __call__(self, *args, **kwargs):
        images = super().__call__(*args, **kwargs).images
        return StableDiffusionPipelineOutput(images=images[:1], nsfw_content_detected=None)


def test_a_result_without_previews_comes_through(pipe):
    best = BestOfSeveral(**pipe.components, requires_safety_checker=False)
    best.set_progress_bar_config(disable=True)
    with attnscope.capture(best) as cap:
        images = best("a star", num_images_per_prompt=2, num_inference_steps=1, height=16, width=16).images
    assert len(images) == 1
    assert cap.previews is None
    assert cap.attrs["no_previews"] == "the run gave 1 picture(s) of 2"


def test_the_pipeline_is_let_go_with_its_last_name():
    pipe = models.pipeline()
    unet = weakref.ref(pipe.unet)
    with attnscope.capture(pipe) as cap:
        pipe("a star", num_inference_steps=1, height=16, width=16)
    del pipe
    assert unet() is None
    assert cap.at(8).sizes["step"] == 1


def test_copies_and_pickles_made_halfway_are_of_the_class_as_it_was_found(pipe, paint):
    made = []

    def keep(pipeline, step, timestep, tensors):
        made.append(pickle.loads(pickle.dumps(pipeline.scheduler)))
        made.append(copy.deepcopy(pipeline.scheduler))
        return tensors

    with attnscope.capture(pipe):
        paint(callback_on_step_end=keep)
    assert {type(one) for one in made} == {type(pipe.scheduler)}
    assert len(made) == 6


@pytest.mark.parametrize("scale", [torch.tensor([7.5]), np.float32(7.5)])
def test_odd_settings_are_written_down_and_end_nothing(pipe, paint, tmp_path, scale):
    with attnscope.capture(pipe, store=tmp_path / "run.zarr") as cap:
        paint(guidance_scale=scale)
    assert attnscope.open(tmp_path / "run.zarr").attrs["guidance_scale"] in (7.5, [7.5])
    assert cap.attrs["finished"]


def test_a_capture_that_does_not_begin_takes_no_path(pipe, paint, tmp_path):
    path = tmp_path / "run.zarr"
    with pytest.raises(UnknownLayerError), attnscope.capture(pipe, layers="nope", store=path):
        pytest.fail("the block was entered")
    assert not path.exists()
    with attnscope.capture(pipe, layers="mid.*", store=path):
        paint()
    assert path.exists()


def test_a_store_is_found_from_another_folder(pipe, paint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def leave(pipeline, step, timestep, tensors):
        os.chdir("/")
        return tensors

    with attnscope.capture(pipe, store="run.zarr", layers="mid.*") as cap:
        paint(callback_on_step_end=leave)
    assert cap.layer("mid.0").notnull().all()
    assert (tmp_path / "run.zarr").exists()


def test_loading_an_array_changes_nothing_of_what_is_kept(pipe, paint):
    with attnscope.capture(pipe) as cap:
        paint()
    before = cap.nbytes
    cap.at("8x12").load()
    cap.layer("mid.0").load()
    assert cap.nbytes == before


def test_a_mask_that_comes_later_is_not_left_out_in_silence():
    one_grid = {"block_out_channels": (8,), "attention_head_dim": 2}
    one_grid |= {"down_block_types": ("CrossAttnDownBlock2D",), "up_block_types": ("CrossAttnUpBlock2D",)}
    unet = models.unet(**one_grid)
    sample, text = torch.randn(1, 4, 8, 8), torch.randn(1, 3, 24)
    with attnscope.capture(unet, kinds="self", layers="down.0.0", labels=["a"]) as cap:
        unet(sample, 1, text)
        mask = torch.ones(1, 64)
        mask[:, :9] = 0
        unet(sample, 1, text, attention_mask=mask)
    maps = cap.layer("down.0.0", kind="self")
    assert abs(maps.isel(step=0).sum("key") - 1).max() < 1e-5
    assert maps.isel(step=1).isnull().all()
    reason = cap.missing["down_blocks.0.attentions.0.transformer_blocks.0.attn1"]
    assert reason == "seen in 1 of 2 steps: its mask or scale is not that of the first step"


def test_a_mean_is_whole_for_who_reads_it_meanwhile():
    site = Site("mid.0", "cross", "mid", -1, 0, 0, "mid.attn2", "mid", 2)
    mean = StepMean(GridStore("cross", (2, 3), [site], 1, 4, np.dtype(np.float32), 1))
    maps = {"mid.0": np.full((1, 2, 6, 4), 0.25, np.float32)}
    mean.append(maps)
    read, done = [], threading.Event()

    def look():
        while not done.is_set():
            read.append((len(mean.array), float(mean.array.sum(-1).mean())))

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(2000):
        mean.append(maps)
    done.set()
    reader.join()
    assert set(read) <= {(1, 1.0)}


def test_choices_that_can_be_read_once_are_read_once(pipe, paint):
    with attnscope.capture(pipe, layers=(name for name in ["mid.*"]), steps=(step for step in [0, 2])) as cap:
        paint()
    assert cap.layer("mid.0")["step"].values.tolist() == [0, 2]


def test_names_of_the_user_s_layout_are_taken_as_they_are(pipe):
    with attnscope.capture(pipe.unet, layout=("plain", "edited"), branches="edited", labels=["a"]) as cap:
        pipe.unet(torch.zeros(2, 4, 8, 8), 1, torch.zeros(2, 3, 24))
    assert cap.at(8)["branch"].item() == "edited"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_call_that_is_cut_short_is_named(pipe, error):
    def stop(*_):
        raise error

    def call():
        pipe.unet(torch.zeros(1, 4, 8, 8), 1, torch.zeros(1, 3, 24))

    with attnscope.capture(pipe.unet, labels=["a"]) as cap:
        call()
        handle = pipe.unet.mid_block.attentions[0].transformer_blocks[0].attn2.register_forward_pre_hook(stop)
        with pytest.raises(error):
            call()
        handle.remove()
        call()
    assert cap.at(8)["step"].values.tolist() == [0, 1, 2]
    assert cap.layer("mid.0").isnull().any(("head", "pixel", "token")).values.tolist() == [False, True, False]
    assert cap.attrs["unfinished_steps"] == {"1": "was not finished"}
    assert not cap.attrs["finished"]
    assert "step 1 was not finished" in cap.missing["mid_block.attentions.0.transformer_blocks.0.attn2"]


def test_a_branch_that_is_over_is_named(pipe, paint):
    def switch_off(pipeline, step, timestep, tensors):
        if step == 0:
            pipeline._guidance_scale = 0.0
            tensors["prompt_embeds"] = tensors["prompt_embeds"].chunk(2)[-1]
        return tensors

    with attnscope.capture(pipe, branches=("cond", "uncond")) as cap:
        paint(callback_on_step_end=switch_off, callback_on_step_end_tensor_inputs=["latents", "prompt_embeds"])
    assert cap.attrs["absent_branches"] == {"uncond": [1, 2]}
    assert cap.attrs["unfinished_steps"] == {}
