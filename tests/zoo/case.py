"""What one exhibit is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.image_processor import VaeImageProcessor

PROMPT = "a red circle above a blue square"
OTHER = "a green square"
NEGATIVE = "a photo of a triangle"
HEIGHT, WIDTH = 32, 48


@dataclass
class Case:
    """A pipeline and how to call it.

    ``rows`` names the rows of the denoiser's batch, for each call of it, repeated as often as it takes; ``texts`` gives
    what a row of that name is called with (``encoder_hidden_states``). ``note`` says the rest.
    """

    pipe: Any
    make: Callable[[], dict]
    rows: list[tuple[str, ...]]
    texts: Callable[[], dict[str, torch.Tensor]] | None = None
    note: str = ""
    model: str = "unet"
    others: dict[str, list[tuple[str, ...]]] = field(
        default_factory=dict
    )  # further models with attention, and their rows
    square: bool = False  # the pipeline paints nothing else
    prepare: Callable[[], None] | None = None  # before each call

    def __post_init__(self):
        layouts = ", then ".join(f"[{', '.join(rows)}]" for rows in self.rows)
        self.note = f"{layouts}. {self.note}".strip()

    @property
    def denoiser(self):
        return getattr(self.pipe, self.model)

    @property
    def arguments(self) -> dict:
        """Arguments of one call, with a generator of their own."""
        return self.make()

    def run(self):
        """Prepare and call; gives the picture or film."""
        if self.prepare:
            self.prepare()
        return pictures(self.pipe(**self.arguments))


def pictures(output) -> torch.Tensor:
    found = next((getattr(output, name) for name in ("images", "frames") if hasattr(output, name)), None)
    return torch.as_tensor(output[0] if found is None else found)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def call(**more) -> Callable[[], dict]:
    """Arguments that most pipelines share. What is callable is called anew for each run."""

    def make():
        settings = {
            "prompt": PROMPT,
            "height": HEIGHT,
            "width": WIDTH,
            "num_inference_steps": 2,
            "output_type": "pt",
            "generator": generator,
        } | more
        return {k: v() if callable(v) else v for k, v in settings.items() if v is not ...}

    return make


def quiet(pipe):
    pipe.set_progress_bar_config(disable=True)
    return pipe


def picture(seed: int = 0, height: int = HEIGHT, width: int = WIDTH, channels: int = 3) -> torch.Tensor:
    return torch.rand(1, channels, height, width, generator=generator(seed))


def painting(seed: int = 0):
    """A picture of PIL's."""
    return VaeImageProcessor.numpy_to_pil(picture(seed).permute(0, 2, 3, 1).numpy())[0]


def mask(height: int = HEIGHT, width: int = WIDTH) -> torch.Tensor:
    """White on the left half."""
    return (torch.arange(width) < width // 2).float().expand(1, 1, height, width).clone()


def repeated(rows, pictures: int):
    """The rows for several pictures of one prompt, which lie next to each other."""
    return [tuple(name for name in each for _ in range(pictures)) for each in rows]
