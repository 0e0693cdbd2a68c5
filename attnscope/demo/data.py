"""What the demo model is trained on: pictures drawn on the fly, and latents encoded once."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnscope.demo.book import Scene, training_scene
from attnscope.demo.codec import latents_of
from attnscope.demo.draw import draw
from attnscope.demo.model import build_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from numpy.typing import NDArray


def to_tensor(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Turn pictures (n, height, width, rgb) into a tensor (n, rgb, height, width) in -1 to 1."""
    import torch

    scaled = torch.from_numpy(np.ascontiguousarray(pictures)).float() / 127.5 - 1
    return scaled.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def autoencoder_batch(number: int, count: int) -> NDArray[np.uint8]:
    """Draw one batch of pictures for the autoencoder, (picture, height, width, rgb).

    Most are crops around things, which cost little and show more of the colours than whole
    pictures do. Whole ones are needed too, because the normalisation of the autoencoder runs over
    the picture.

    Parameters
    ----------
    number
        Number of the batch; the same number always gives the same pictures.
    count
        Number of crops of 32 pixels a side; of the larger pictures there are fewer.
    """
    rng = random.Random(f"autoencoder {number}")
    side, share = (128, 0.25) if number % 8 == 0 else (64, 0.25) if number % 4 == 1 else (32, 1.0)
    pictures = []
    for _ in range(max(1, round(count * share))):
        scene = training_scene(rng)
        if side == 32:
            pictures.append(_crop(rng, draw(scene), scene, side))
        else:
            pictures.append(draw(scene, side))
    return np.stack(pictures)


def _crop(rng: random.Random, picture: NDArray[np.uint8], scene: Scene, side: int) -> NDArray[np.uint8]:
    """Cut a square out of a picture, around about the centre of a thing."""
    thing = rng.choice(scene.things)
    top, left = (
        min(max(round(centre * len(picture) + rng.gauss(0, 8)) - side // 2, 0), len(picture) - side)
        for centre in (thing.y, thing.x)
    )
    return picture[top : top + side, left : left + side]


@dataclass(frozen=True)
class Book:
    """Latents (scene, channel, row, column) with the tokens (scene, token) of their captions."""

    latents: torch.Tensor
    tokens: torch.Tensor


def load_book(path: Path, count: int, pixels: int) -> Book:
    """Read the encoded scenes from a file, or draw, encode and write them first.

    Parameters
    ----------
    path
        A numpy archive.
    count
        Number of scenes.
    pixels
        Side of the pictures.
    """
    import torch

    if not path.exists():
        rng = random.Random(pixels)
        scenes = [training_scene(rng) for _ in range(count)]
        latents = encode(scenes, pixels)
        tokens = build_tokenizer()(
            [scene.caption for scene in scenes], padding="max_length", return_tensors="np"
        ).input_ids
        np.savez(path, latents=latents, tokens=tokens.astype(np.int16))
    with np.load(path) as archive:
        return Book(torch.from_numpy(archive["latents"]), torch.from_numpy(archive["tokens"]))


def encode(scenes: list[Scene], pixels: int) -> NDArray[np.float16]:
    """Draw scenes and return their latents, (scene, channel, row, column)."""
    from tqdm.auto import tqdm

    def batch(start: int) -> NDArray[np.float16]:
        pictures = [draw(scene, pixels) for scene in scenes[start : start + 32]]
        return latents_of(np.stack(pictures)).astype(np.float16)

    starts = range(0, len(scenes), 32)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        batches = pool.map(batch, starts)
        done = tqdm(batches, desc=f"encode {pixels}", total=len(starts), mininterval=10)
        return np.concatenate(list(done))
