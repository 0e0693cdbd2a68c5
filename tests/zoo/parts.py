"""Tokenizers, encoders, autoencoders and denoisers from their configurations, with random weights of fixed seeds."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from attnscope.demo.model import MAX_TOKENS, build_tokenizer
from attnscope.demo.vocabulary import END, START, build_vocabulary

TEXT = 24  # width of the text encoder
SECOND = 40  # and of SDXL's second


def seeded(seed: int, maker, *args, **config):
    torch.manual_seed(seed)
    return maker(*args, **config).eval()


def tokenizer(seed=None) -> CLIPTokenizer:
    return build_tokenizer()


def exclaiming() -> CLIPTokenizer:
    """CLIP's second tokenizer, of OpenCLIP: it pads with ``!``, which has the id 0 there."""
    vocabulary, merges = build_vocabulary()
    first = next(token for token, number in vocabulary.items() if number == 0)
    vocabulary = vocabulary | {"!": 0, first: vocabulary["!"]}
    merged = "\n".join(["#version: 0.2", *(" ".join(pair) for pair in merges)])
    with TemporaryDirectory() as folder:  # transformers 4 and 5 take a vocabulary in memory in different ways
        Path(folder, "vocab.json").write_text(json.dumps(vocabulary))
        Path(folder, "merges.txt").write_text(merged)
        return CLIPTokenizer.from_pretrained(
            folder, bos_token=START, eos_token=END, unk_token=END, pad_token="!", model_max_length=MAX_TOKENS
        )


def text(width: int = TEXT, projection: int | None = None, seed: int = 1, layers: int = 2):
    words = build_tokenizer()
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=width,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=words.model_max_length,
        projection_dim=projection or width,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
    )
    return seeded(seed, CLIPTextModelWithProjection if projection else CLIPTextModel, config)


def vision(width: int = 16, projection: int = 16, seed: int = 2, size: int = 16) -> CLIPVisionModelWithProjection:
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=32,
        projection_dim=projection,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=size,
        patch_size=size // 2,
    )
    return seeded(seed, CLIPVisionModelWithProjection, config)


def looks(size: int = 16) -> CLIPImageProcessor:
    return CLIPImageProcessor(crop_size=size, size=size)


def vae(seed: int = 3, **config) -> AutoencoderKL:
    """Latents have half the side of a picture."""
    settings = {
        "block_out_channels": (8, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "norm_num_groups": 4,
        "sample_size": 32,
    }
    return seeded(seed, AutoencoderKL, **(settings | config))


def unet(seed: int = 4, **config) -> UNet2DConditionModel:
    """SD1.5's topology, one layer a block."""
    settings = {
        "sample_size": 16,
        "block_out_channels": (8, 16, 24, 24),
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        "layers_per_block": 1,
        "cross_attention_dim": TEXT,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
    }
    return seeded(seed, UNet2DConditionModel, **(settings | config))


def small(seed: int = 4, **config) -> UNet2DConditionModel:
    """Two levels: for what is called often."""
    settings = {
        "block_out_channels": (8, 16),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }
    return unet(seed, **(settings | config))


def wide(seed: int = 4, **config) -> UNet2DConditionModel:
    """SDXL's topology: no attention on the finest level, several blocks a transformer, a vector of its own for text."""
    settings = {
        "block_out_channels": (8, 16, 24),
        "down_block_types": ("DownBlock2D",) + ("CrossAttnDownBlock2D",) * 2,
        "up_block_types": ("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",),
        "transformer_layers_per_block": (1, 2, 3),
        "attention_head_dim": (1, 2, 4),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + SECOND,
        "cross_attention_dim": TEXT + SECOND,
    }
    return unet(seed, **(settings | config))


def ddim(**config) -> DDIMScheduler:
    return DDIMScheduler(
        **(
            {"beta_schedule": "scaled_linear", "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}
            | config
        )
    )
