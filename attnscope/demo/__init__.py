"""A small trained text-to-image pipeline that ships with attnscope and needs no network.

It is a real `diffusers.StableDiffusionPipeline` with the blocks of Stable Diffusion 1.5, trained
on a picture book of coloured things: see `weights/README.md` for what it can and cannot do.
"""

# diffusers exports lazily and types its modules loosely; pyright cannot follow it there.
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from attnscope.demo.book import PROMPTS

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

__all__ = ["PROMPTS", "pipeline", "weights_folder"]


def weights_folder() -> Path:
    """Return the folder with the weights, in the layout that `from_pretrained` reads."""
    return Path(__file__).parent / "weights"


def pipeline() -> StableDiffusionPipeline:
    """Load the demo pipeline, on the CPU in float32.

    Returns
    -------
    diffusers.StableDiffusionPipeline
        Paints pictures of 128 pixels a side; 20 steps with the default guidance suit it. Captions
        are plain English with the words of the book, such as those in `PROMPTS`.

    Examples
    --------
    >>> from attnscope import demo
    >>> pipe = demo.pipeline()
    >>> pipe.unet.config.sample_size
    32
    """
    from attnscope.demo.weights import read_weights

    return read_weights(weights_folder())
