import subprocess
import sys
import time

import numpy as np
import pytest

from attnscope import demo

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")


@pytest.fixture(scope="module")
def pipe():
    pipe = demo.pipeline()
    pipe.set_progress_bar_config(disable=True)
    return pipe


def paint(pipe, **options):
    return np.asarray(
        pipe(
            "a red house left of a green tree",
            num_inference_steps=2,
            generator=torch.Generator().manual_seed(0),
            **options,
        ).images[0]
    )


def test_importing_the_demo_loads_neither_torch_nor_diffusers():
    code = "import sys, attnscope.demo; assert not {'torch', 'diffusers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_loading_and_running_prints_nothing():
    code = (
        "from attnscope import demo; pipe = demo.pipeline(); "
        "pipe.set_progress_bar_config(disable=True); "
        "pipe('a red house', num_inference_steps=1)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


def test_it_is_a_stable_diffusion_pipeline_in_float32(pipe):
    assert type(pipe) is diffusers.StableDiffusionPipeline
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        assert {parameter.dtype for parameter in part.parameters()} == {torch.float32}
        assert not part.training


def test_it_has_the_attention_sites_of_stable_diffusion(pipe):
    names = pipe.unet.attn_processors
    assert sum("attn1" in name for name in names) == 16
    assert sum("attn2" in name for name in names) == 16
    assert "up_blocks.1.attentions.0.transformer_blocks.0.attn2.processor" in names


def test_loading_is_quick(pipe):
    started = time.perf_counter()
    demo.pipeline()
    # Far above what it takes on an idle machine, so that the test holds on a busy one.
    assert time.perf_counter() - started < 5


def test_the_folder_is_small():
    size = sum(file.stat().st_size for file in demo.weights_folder().rglob("*"))
    assert size < 16e6


def test_from_pretrained_reads_the_same_folder(pipe):
    other = diffusers.StableDiffusionPipeline.from_pretrained(demo.weights_folder())
    other.set_progress_bar_config(disable=True)
    np.testing.assert_array_equal(paint(pipe), paint(other))


def test_pictures_come_in_the_size_that_is_asked_for(pipe):
    assert paint(pipe).shape == (128, 128, 3)
    assert paint(pipe, height=64, width=96).shape == (64, 96, 3)


def test_the_same_seed_gives_the_same_picture(pipe):
    np.testing.assert_array_equal(paint(pipe), paint(pipe))
