"""The parts of the demo model, built from their configurations with random weights.

The topology is that of Stable Diffusion 1.5, in small: the same blocks, the same module names,
16 cross-attention and 16 self-attention sites. Pictures have 128 pixels a side and latents 32.
"""

# diffusers exports lazily and types its modules loosely; pyright cannot follow it there.
# pyright: reportArgumentType=false
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from attnscope.demo.vocabulary import END, START, build_vocabulary, write_vocabulary

if TYPE_CHECKING:
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextModel, CLIPTokenizer

PICTURE_SIDE = 128
LATENT_SIDE = 32
# Captions of the book need 17 tokens at most. CLIP's 77 would more than double the keys of each
# cross-attention, nearly all of them padding.
MAX_TOKENS = 32
TEXT_WIDTH = 64


def build_tokenizer() -> CLIPTokenizer:
    """Return CLIP's tokenizer with the small vocabulary of the book.

    From files, since transformers 4 and 5 take a vocabulary in memory in different ways.
    """
    from transformers import CLIPTokenizer

    with TemporaryDirectory() as folder:
        write_vocabulary(Path(folder))
        return CLIPTokenizer.from_pretrained(
            folder,
            bos_token=START,
            eos_token=END,
            unk_token=END,
            pad_token=END,
            model_max_length=MAX_TOKENS,
        )


def build_text_encoder() -> CLIPTextModel:
    """Return CLIP's text model with two layers."""
    from transformers import CLIPTextConfig, CLIPTextModel

    vocabulary, _ = build_vocabulary()
    config = CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        bos_token_id=vocabulary[START],
        eos_token_id=vocabulary[END],
        pad_token_id=vocabulary[END],
    )
    return CLIPTextModel(config)


def build_unet() -> UNet2DConditionModel:
    """Return the denoiser.

    `attention_head_dim` is, despite its name, the number of heads of each block.
    """
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=LATENT_SIDE,
        in_channels=4,
        out_channels=4,
        down_block_types=(*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn",
        up_block_types=("UpBlock2D", *["CrossAttnUpBlock2D"] * 3),
        block_out_channels=(32, 64, 96, 96),
        attention_head_dim=(2, 4, 4, 4),
        layers_per_block=2,
        norm_num_groups=8,
        cross_attention_dim=TEXT_WIDTH,
    )


def build_vae() -> AutoencoderKL:
    """Return the autoencoder between pictures and latents of a quarter of their side."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"] * 3,
        up_block_types=["UpDecoderBlock2D"] * 3,
        block_out_channels=(16, 32, 48),
        layers_per_block=1,
        latent_channels=4,
        # The code of `attnscope.demo.codec` has unit variance by itself.
        scaling_factor=1.0,
        # Each group loses its mean over the picture; with many groups flat colours are hard.
        norm_num_groups=1,
        sample_size=PICTURE_SIDE,
        mid_block_add_attention=False,
    )


def build_scheduler() -> DDIMScheduler:
    """Return the noise schedule: velocity as target, and nothing left of the picture at its end.

    Without a signal-to-noise ratio of zero at the last timestep, sampling starts from noise the
    model never saw (Lin et al. 2024, arXiv:2305.08891), and a small model leaves some in.
    """
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
    )


def assemble(
    vae: AutoencoderKL,
    text_encoder: CLIPTextModel,
    unet: UNet2DConditionModel,
    tokenizer: CLIPTokenizer | None = None,
    scheduler: DDIMScheduler | None = None,
) -> StableDiffusionPipeline:
    """Put the parts together to a pipeline."""
    from transformers.utils import logging

    # Without torchvision, the import reports a substitute for an image processor not used here.
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        from diffusers import StableDiffusionPipeline
    finally:
        logging.set_verbosity(verbosity)

    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer or build_tokenizer(),
        unet=unet,
        scheduler=scheduler or build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
