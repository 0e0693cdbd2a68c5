"""Pipelines of random weights, built from configurations: what the figures about capturing are measured on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

#: Twelve tokens; with BOS, EOS and the padding's sum a capture keeps 15 columns of 77.
PROMPT = "a red circle above a blue square in a meadow at night"
TOKENS = 77
#: Stable Diffusion 1.5's (diffusers' own defaults but for these).
_SD15 = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
#: The same topology, narrow and on 16x16 latents: to try the benchmark, not to judge anything.
_NARROW = {
    "sample_size": 16,
    "cross_attention_dim": 64,
    "attention_head_dim": (2, 4, 4, 4),
    "block_out_channels": (32, 64, 96, 96),
    "norm_num_groups": 8,
}


def build(*, quick: bool) -> Any:
    """A real ``StableDiffusionPipeline`` in float32: UNet in full, text encoder and autoencoder tiny."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from attnscope.demo.model import assemble, build_tokenizer

    config = _NARROW if quick else _SD15
    tokenizer = build_tokenizer()
    tokenizer.model_max_length = TOKENS
    with torch.device("meta"):  # and filled once: building it the plain way initialises 860 M weights with care
        unet = UNet2DConditionModel(**config)
    unet = _fill(unet.to_empty(device="cpu"))
    torch.manual_seed(0)
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=config["cross_attention_dim"],
            intermediate_size=config["cross_attention_dim"],
            num_hidden_layers=1,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
    )
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
    )
    pipe = assemble(vae.eval(), text.eval(), unet.eval(), tokenizer, scheduler)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def describe(*, quick: bool) -> str:
    """What `build` builds, in words."""
    config = _NARROW if quick else _SD15
    width = "narrow, 6 M parameters" if quick else "SD1.5's own, 860 M parameters"
    return (
        f"StableDiffusionPipeline of random weights, UNet {width}, {config['sample_size']}x{config['sample_size']} "
        f"latents, text width {config['cross_attention_dim']}, {TOKENS} text tokens, 12 of them the prompt's, "
        "guidance (batch of two), DDIM, fp32, CPU"
    )


def _fill(model: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                bound = weight[0].numel() ** -0.5
                weight.uniform_(-bound, bound, generator=generator)
            else:  # norms' weights and all biases
                weight.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
    return model


def paint(pipe: Any, steps: int, prompt: str = PROMPT) -> list[Tensor]:
    """Run with guidance from a fixed seed; gives the latents after every step and, last, the picture."""
    seen: list[Tensor] = []

    def look(pipe: Any, step: int, timestep: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append(tensors["latents"])
        return tensors

    picture = pipe(
        prompt,
        num_inference_steps=steps,
        guidance_scale=7.5,
        output_type="pt",
        generator=torch.Generator().manual_seed(0),
        callback_on_step_end=look,
    ).images
    return [*seen, picture]
