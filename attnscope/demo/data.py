"""What the demo model is trained on: pictures drawn on the fly, and latents encoded once."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attnscope.demo.book import Scene, training_scene
from attnscope.demo.draw import draw

if TYPE_CHECKING:
    import torch
    from diffusers import AutoencoderKL
    from numpy.typing import NDArray
    from transformers import CLIPTokenizer


def to_tensor(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Turn pictures (n, height, width, rgb) into a tensor (n, rgb, height, width) in -1 to 1."""
    import torch

    scaled = torch.from_numpy(np.ascontiguousarray(pictures)).float() / 127.5 - 1
    return scaled.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def crops(rng: random.Random, count: int, side: int = 64) -> torch.Tensor:
    """Draw pictures for the autoencoder: crops of full pictures, and one small picture in four."""
    pictures = []
    for number in range(count):
        scene = training_scene(rng)
        if number % 4 == 0:
            pictures.append(draw(scene, side))
            continue
        picture = draw(scene)
        top, left = (rng.randint(0, picture.shape[0] - side) for _ in "yx")
        pictures.append(picture[top : top + side, left : left + side])
    return to_tensor(np.stack(pictures))


@dataclass(frozen=True)
class Book:
    """Latents (scene, channel, row, column) with the tokens (scene, token) of their captions."""

    latents: torch.Tensor
    tokens: torch.Tensor


def load_book(
    path: Path, vae: AutoencoderKL, tokenizer: CLIPTokenizer, count: int, pixels: int
) -> Book:
    """Read the encoded scenes from a file, or draw, encode and write them first.

    Parameters
    ----------
    path
        A numpy archive.
    vae, tokenizer
        Encode the pictures and the captions.
    count
        Number of scenes.
    pixels
        Side of the pictures.
    """
    import torch

    if not path.exists():
        rng = random.Random(pixels)
        scenes = [training_scene(rng) for _ in range(count)]
        latents = encode(vae, scenes, pixels)
        tokens = tokenizer(
            [scene.caption for scene in scenes], padding="max_length", return_tensors="np"
        ).input_ids
        np.savez(path, latents=latents, tokens=tokens.astype(np.int16))
    with np.load(path) as archive:
        return Book(torch.from_numpy(archive["latents"]), torch.from_numpy(archive["tokens"]))


def encode(vae: AutoencoderKL, scenes: list[Scene], pixels: int) -> NDArray[np.float16]:
    """Return the scaled latents of scenes, (scene, channel, row, column).

    The mean of the encoder's distribution is taken, not a sample: its noise is nothing a
    denoiser could learn.
    """
    import torch
    from tqdm.auto import tqdm

    batches = []
    with torch.inference_mode():
        for start in tqdm(range(0, len(scenes), 32), desc=f"encode {pixels}", mininterval=10):
            pictures = np.stack([draw(scene, pixels) for scene in scenes[start : start + 32]])
            mean = vae.encode(to_tensor(pictures).to(vae.device)).latent_dist.mean
            batches.append((mean * vae.config.scaling_factor).cpu().numpy().astype(np.float16))
    return np.concatenate(batches)
