import random

import numpy as np
import pytest

from attnscope.demo.book import training_scene
from attnscope.demo.codec import latents_of, set_codec
from attnscope.demo.draw import draw

torch = pytest.importorskip("torch")

from attnscope import demo  # noqa: E402
from attnscope.demo.data import to_tensor  # noqa: E402
from attnscope.demo.model import build_vae  # noqa: E402


@pytest.fixture(scope="module")
def pictures():
    rng = random.Random(0)
    return np.stack([draw(training_scene(rng), 64) for _ in range(12)])


def test_latents_have_about_unit_variance(pictures):
    latents = latents_of(pictures)
    assert latents.shape == (12, 4, 16, 16)
    assert abs(latents.mean()) < 0.3
    assert 0.7 < latents.std() < 1.3


def test_the_encoder_computes_the_latents(pictures):
    vae = build_vae()
    set_codec(vae)
    with torch.inference_mode():
        posterior = vae.encode(to_tensor(pictures)).latent_dist
    np.testing.assert_allclose(posterior.mean, latents_of(pictures), atol=0.01)
    np.testing.assert_allclose(posterior.std, 0.05, atol=1e-3)


def test_the_decoder_starts_by_repeating_the_colour_of_each_block(pictures):
    torch.manual_seed(0)
    vae = build_vae()
    set_codec(vae)
    with torch.inference_mode():
        decoded = vae.decode(torch.from_numpy(latents_of(pictures))).sample.numpy()
    means = pictures.reshape(12, 16, 4, 16, 4, 3).mean(axis=(2, 4)) / 127.5 - 1
    blocks = means.repeat(4, axis=1).repeat(4, axis=2).transpose(0, 3, 1, 2)
    # The constants fix the contrast but for a few hundredths.
    np.testing.assert_allclose(decoded, blocks, atol=0.08)


def test_the_shipped_autoencoder_reads_its_code_back_with_crisp_edges(pictures):
    vae = demo.pipeline().vae
    assert vae.config.scaling_factor == 1
    with torch.inference_mode():
        posterior = vae.encode(to_tensor(pictures)).latent_dist
        decoded = vae.decode(posterior.mean).sample
    np.testing.assert_allclose(posterior.mean, latents_of(pictures), atol=0.03)
    error = (decoded - to_tensor(pictures)).abs().mean() * 127.5
    # Repeating the colours of the blocks would be wrong by about 7 grey levels.
    assert error < 4
