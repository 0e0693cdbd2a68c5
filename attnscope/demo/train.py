"""Train the demo model: `python -m attnscope.demo.train`.

Three stages, each resumed from its checkpoint when the command is given again: the decoder of
the autoencoder; the denoiser with its text encoder on small pictures (64 pixels, 16x16 latents),
where steps are cheap; and the same on full pictures (128 pixels, 32x32 latents). The weights
folder is written as the stages go on.
"""

# diffusers exports lazily and types its modules loosely; pyright cannot follow it there.
# pyright: reportArgumentType=false
# pyright: reportAttributeAccessIssue=false
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from attnscope.demo.codec import latents_of, set_codec
from attnscope.demo.data import Book, autoencoder_batch, load_book, to_tensor
from attnscope.demo.loop import Recipe, train
from attnscope.demo.model import (
    PICTURE_SIDE,
    build_scheduler,
    build_text_encoder,
    build_tokenizer,
    build_unet,
    build_vae,
)
from attnscope.demo.weights import read_weights, save_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from diffusers import AutoencoderKL

STAGES = ("vae", "low", "high")
MINUTES = {"vae": 10.0, "low": 75.0, "high": 120.0}
BATCH = {"vae": 32, "low": 32, "high": 8}
SCENES = {"low": 20_000, "high": 12_000}
RATE = {"vae": 3e-3, "low": 2e-3, "high": 1e-3}
PARTS = 2
CAPTION_DROPOUT = 0.1
_SEED = 1


def start_vae() -> AutoencoderKL:
    """Return the autoencoder that codes mean colours; its decoder is yet to be trained."""
    import torch

    torch.manual_seed(_SEED)
    vae = build_vae()
    set_codec(vae)
    vae.requires_grad_(False)
    # What carries the large constants of the codec stays as it is set.
    for name, parameter in vae.decoder.named_parameters():
        parameter.requires_grad_("upsamplers" not in name and "shortcut" not in name)
    return vae


def train_vae(vae: AutoencoderKL, work: Path, recipe: Recipe, device: str, batch: int) -> AutoencoderKL:
    """Train the decoder of the autoencoder to find the edges.

    The loss joins the absolute error of pixels in -1 to 1, which makes edges crisp, and the
    squared error. The latents are made worse first, as the denoiser does not hit them exactly:
    with noise up to a fifth of their deviation, and stretched by up to a fifth, as guidance does.
    """
    import torch

    vae = vae.to(device, memory_format=torch.channels_last)

    def loss_of_part(number: int) -> torch.Tensor:
        pictures = autoencoder_batch(number, batch)
        latents = torch.from_numpy(latents_of(pictures))
        generator = torch.Generator().manual_seed(number)
        stretch, strength = 0.2 * torch.rand(2, len(latents), 1, 1, 1, generator=generator)
        latents *= 1 + stretch
        latents += strength * torch.randn(latents.shape, generator=generator)
        error = vae.decode(latents.to(device)).sample - to_tensor(pictures).to(device)
        return error.abs().mean() + 4 * error.square().mean()

    vae.decoder = train(vae.decoder, loss_of_part, recipe, work / "vae.pt")
    return vae


def build_denoiser() -> torch.nn.ModuleDict:
    """Return the text encoder and the denoiser, which are trained together."""
    import torch

    torch.manual_seed(_SEED)
    return torch.nn.ModuleDict({"text_encoder": build_text_encoder(), "unet": build_unet()})


def denoising_loss(model: torch.nn.ModuleDict, book: Book, device: str, batch: int) -> Callable[[int], torch.Tensor]:
    """Return the loss of a part of a step: the squared error of the predicted velocity.

    Velocity as in Salimans and Ho 2022 (arXiv:2202.00512). A tenth of the captions is left out,
    for classifier-free guidance. Timesteps lean a little toward the noisy end, where the scene
    is laid out.
    """
    import torch

    scheduler = build_scheduler()
    last = scheduler.config.num_train_timesteps - 1
    empty = torch.tensor(build_tokenizer()("", padding="max_length").input_ids)

    def loss_of_part(number: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(number)
        chosen = torch.randint(len(book.latents), (batch,), generator=generator)
        latents = book.latents[chosen].float()
        tokens = book.tokens[chosen].long()
        # Evenly spread over the batch: the loss is less noisy than with independent timesteps.
        spread = (torch.arange(batch) + torch.rand(batch, generator=generator)) / batch
        timesteps = (spread**0.8 * last).round().long()
        tokens[torch.rand(batch, generator=generator) < CAPTION_DROPOUT] = empty
        noise = torch.randn(latents.shape, generator=generator)
        noisy = scheduler.add_noise(latents, noise, timesteps).to(device)
        target = scheduler.get_velocity(latents, noise, timesteps).to(device)
        text = model["text_encoder"](tokens.to(device)).last_hidden_state
        predicted = model["unet"](noisy, timesteps.to(device), text).sample
        return (predicted - target).square().mean()

    return loss_of_part


def run(
    work: Path,
    weights: Path,
    *,
    stages: tuple[str, ...] = STAGES,
    minutes: dict[str, float] = MINUTES,
    batches: dict[str, int] = BATCH,
    scenes: dict[str, int] = SCENES,
    start: Path | None = None,
    max_steps: int | None = None,
) -> None:
    """Train stage by stage and write the weights folder.

    Parameters
    ----------
    work
        Folder of the checkpoints and of the encoded scenes.
    weights
        Folder the pipeline is written to, in the layout of diffusers.
    stages
        Which stages to train; earlier ones are read from their checkpoints.
    minutes, batches
        Length and batch size of each stage; a batch is computed in two parts.
    scenes
        Number of scenes encoded for each of the two denoising stages.
    start
        Weights folder from which stages without a checkpoint start, instead of from nothing.
    max_steps
        Ends each stage early, for smoke tests.
    """
    import torch

    device, workers = "cpu", os.cpu_count() or 1
    if torch.cuda.is_available():
        device, workers = "cuda", 1
    work.mkdir(parents=True, exist_ok=True)

    def recipe(stage: str) -> Recipe:
        # A stage that is not asked for is only read from its checkpoint.
        length = minutes[stage] if stage in stages else 1e-9
        return Recipe(length, RATE[stage], max_steps, parts=PARTS, workers=workers)

    vae, model = start_vae(), build_denoiser()
    if start is not None:
        trained = read_weights(start)
        vae.load_state_dict(trained.vae.state_dict())
        for part in model:
            model[part].load_state_dict(getattr(trained, part).state_dict())
    if "vae" in stages or (work / "vae.pt").exists():
        vae = train_vae(vae, work, recipe("vae"), device, batches["vae"] // PARTS)
    model = model.to(device)
    for stage, pixels in (("low", PICTURE_SIDE // 2), ("high", PICTURE_SIDE)):
        path = work / f"{stage}.pt"
        if stage not in stages and not path.exists():
            continue
        book = load_book(work / f"book-{pixels}.npz", scenes[stage], pixels)
        model.train()
        model = train(
            model,
            denoising_loss(model, book, device, batches[stage] // PARTS),
            recipe(stage),
            path,
            lambda averaged: save_weights(weights, vae, averaged),
        ).requires_grad_(True)
    save_weights(weights, vae, model)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/demo"), help="checkpoints")
    parser.add_argument("--weights", type=Path, default=Path(__file__).parent / "weights", help="written folder")
    parser.add_argument("--start", type=Path, help="weights folder to start from")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    for stage in STAGES:
        parser.add_argument(f"--{stage}-minutes", type=float, default=MINUTES[stage])
        parser.add_argument(f"--{stage}-batch", type=int, default=BATCH[stage])
    for stage in SCENES:
        parser.add_argument(f"--{stage}-scenes", type=int, default=SCENES[stage])
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run(
        options.work,
        options.weights,
        stages=tuple(options.stages),
        minutes={stage: getattr(options, f"{stage}_minutes") for stage in STAGES},
        batches={stage: getattr(options, f"{stage}_batch") for stage in STAGES},
        scenes={stage: getattr(options, f"{stage}_scenes") for stage in SCENES},
        start=options.start,
    )


if __name__ == "__main__":
    main()
