"""A model of shapes alone: the UNet of a configuration on the meta device, and what it is called with."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from operator import index
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from attnscope.errors import CaptureError

__all__ = [
    "config_of",
    "find_unet",
    "inputs",
    "latent_size",
    "pixels_of_a_cell",
    "shape_model",
    "sizes_of_call",
    "text_length",
]

#: Pixels of the picture for one cell of the latents, in every Stable Diffusion.
_PIXELS = 8
#: Positions of CLIP's text encoder, and the width of what SDXL's second one pools.
_TEXT_LENGTH, _POOLED_WIDTH = 77, 1280


def find_unet(target: Any) -> UNet2DConditionModel:
    """Take the UNet of a pipeline, or the UNet itself.

    Raises
    ------
    CaptureError
        If there is no ``UNet2DConditionModel``.
    """
    model = getattr(target, "unet", None)
    model = target if model is None else model
    model = getattr(model, "_orig_mod", model)  # torch.compile wraps the module
    if isinstance(model, UNet2DConditionModel):
        return model
    has = "" if model is target else f" has a {type(model).__name__} for its unet, which"
    msg = (
        f"{type(target).__name__}{has} is no UNet2DConditionModel, whose anatomy is known. "
        "Give a diffusers pipeline that has one (StableDiffusionPipeline, StableDiffusionXLPipeline, ...), "
        "or the UNet itself (pipe.unet)."
    )
    raise CaptureError(msg)


def latent_size(target: Any, height: int, width: int) -> tuple[int, int]:
    """Height and width of the latents of a picture of ``height`` by ``width`` pixels.

    Raises
    ------
    ValueError
        If a side is no positive multiple of the pixels that a cell of the latents stands for.
    """
    pixels = pixels_of_a_cell(target)
    for name, value in (("height", height), ("width", width)):
        try:
            size = 0 if isinstance(value, bool) else index(value)
        except TypeError:
            size = 0
        if size <= 0 or size % pixels:
            below = max(size // pixels, 1) * pixels
            near = f"Nearest: {below} and {below + pixels}." if size > 0 else f"The smallest is {pixels}."
            msg = (
                f"{name}={value!r} is no positive multiple of {pixels}, the pixels of the picture that one cell of "
                f"the latents stands for. {near}"
            )
            raise ValueError(msg)
    return index(height) // pixels, index(width) // pixels


def pixels_of_a_cell(target: Any) -> int:
    """Pixels of the picture, along a side, for one cell of the latents."""
    if not hasattr(target, "unet"):
        return _PIXELS
    # A pipeline without an autoencoder (DeepFloyd IF) denoises the picture itself.
    return getattr(target, "vae_scale_factor", None) or getattr(target, "movq_scale_factor", None) or 1


def text_length(target: Any) -> int:
    """Positions of the text: the tokenizer's where there is a pipeline, else CLIP's 77."""
    # SDXL's refiner has only the second.
    tokenizer = getattr(target, "tokenizer", None) or getattr(target, "tokenizer_2", None)
    length = getattr(tokenizer, "model_max_length", _TEXT_LENGTH)
    # Tokenizers without a limit say 1e30.
    return length if length < 10_000 else _TEXT_LENGTH


def config_of(model: Any) -> dict[str, Any] | None:
    """Give the configuration of a diffusers model as JSON has it, with its ``_class_name``; None of other models."""
    return json.loads(model.to_json_string()) if hasattr(model, "to_json_string") else None


def shape_model(
    config: Mapping[str, Any], cls: type[UNet2DConditionModel] = UNet2DConditionModel
) -> UNet2DConditionModel:
    """Build a model of a configuration on the meta device, with the processors that form their scores.

    Adapters and changed processors, which are in no configuration, are no part of it.
    """
    known = set(inspect.signature(cls.__init__).parameters)
    config = {name: value for name, value in config.items() if name in known}
    # Loading an IP-Adapter writes its kind into the configuration, from which it cannot be built.
    if config.get("encoder_hid_dim_type") == "ip_image_proj":
        config["encoder_hid_dim_type"] = None
    with torch.device("meta"):
        copy = cls(**config)
    copy.set_default_attn_processor()
    return copy.eval()


def inputs(model: UNet2DConditionModel, height: int, width: int, text: int) -> dict[str, Any]:
    """Give the arguments of one call, on the meta device, with one picture in the batch.

    Parameters
    ----------
    model
        Whose configuration says which conditions it takes.
    height, width
        Of the latents.
    text
        Positions of the text.
    """
    config = model.config
    cross = config["cross_attention_dim"]
    cross = cross if isinstance(cross, int) else cross[0]
    call: dict[str, Any] = {
        "sample": _empty(config["in_channels"], height, width),
        "timestep": 1,
        "encoder_hidden_states": _empty(text, config["encoder_hid_dim"] or cross),
        "return_dict": False,
    }
    added = _added(config, cross)
    if added:
        call["added_cond_kwargs"] = added
    labels = _labels(model)
    if labels is not None:
        call["class_labels"] = labels
    return call


def sizes_of_call(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, int]:
    """Read off a call of a UNet the sizes that `inputs` takes; the text is CLIP's where there is none."""
    sample = args[0] if args else kwargs["sample"]
    text = args[2] if len(args) > 2 else kwargs.get("encoder_hidden_states")
    length = _TEXT_LENGTH if text is None else text.shape[1]
    return {"height": sample.shape[-2], "width": sample.shape[-1], "text": length}


def _added(config: Any, cross: int) -> dict[str, Tensor]:
    added: dict[str, Tensor] = {}
    kinds = (config["addition_embed_type"], config["encoder_hid_dim_type"])
    if "text_time" in kinds:  # SDXL
        total, each = config["projection_class_embeddings_input_dim"], config["addition_time_embed_dim"]
        # The base takes six numbers (sizes and crop), the refiner five (a score for two of them).
        rest, odd = divmod(total - _POOLED_WIDTH, each)
        numbers = rest if not odd and 0 < rest <= 6 else 6
        added |= {"text_embeds": _empty(total - numbers * each), "time_ids": _empty(numbers)}
    if "text_image" in kinds or "text_image_proj" in kinds:  # Kandinsky 2.1
        added |= {"text_embeds": _empty(cross), "image_embeds": _empty(cross)}
    if "image" in kinds or "image_proj" in kinds:  # Kandinsky 2.2
        added |= {"image_embeds": _empty(config["encoder_hid_dim"])}
    return added


def _labels(model: UNet2DConditionModel) -> Tensor | None:
    config, kind = model.config, model.config["class_embed_type"]
    if kind is None and config["num_class_embeds"] is None:
        return None
    if kind in ("projection", "simple_projection"):
        return _empty(config["projection_class_embeddings_input_dim"])
    if kind == "identity":
        return _empty(model.time_embedding.linear_2.out_features)
    return torch.empty(1, device="meta", dtype=torch.float32 if kind == "timestep" else torch.long)


def _empty(*shape: int) -> Tensor:
    return torch.empty(1, *shape, device="meta")
