"""How a pipeline guides: which branches it puts into one batch, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["count_images", "expected_branches", "guided", "learns_from_text"]


def guided(pipe: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether classifier-free guidance is on now; a callback may switch it off halfway."""
    flag = getattr(pipe, "do_classifier_free_guidance", None)
    if flag is not None:
        return bool(flag)
    scale = arguments.get("guidance_scale", arguments.get("decoder_guidance_scale"))  # the second is unCLIP's
    return scale is not None and float(scale) > 1


def expected_branches(pipe: Any, arguments: Mapping[str, Any], groups: int) -> list[str] | None:
    """Name the groups of a batch in the order in which the pipeline joins them.

    Parameters
    ----------
    pipe
        A diffusers pipeline, in the middle of its call.
    arguments
        Of that call, by name.
    groups
        Rows of the batch for each picture.

    Returns
    -------
    list of str or None
        None where the pipeline's settings do not explain so many groups.
    """
    on = guided(pipe, arguments)
    if "image_guidance_scale" in arguments:  # InstructPix2Pix (Brooks et al. 2023): text and image, image, neither
        known = ["cond", "image", "uncond"] if on else ["cond"]
    elif "edit_guidance_scale" in arguments:  # LEDITS++; semantic guidance has a prompt besides
        known = (["uncond"] if on else []) + ["cond"] if "prompt" in arguments else ["uncond"]
        known += [f"edit {index}" for index in range(groups - len(known))]
    elif "sld_guidance_scale" in arguments:  # safe latent diffusion
        known = ["uncond", "cond", "safety"] if on and groups == 3 else ["uncond", "cond"] if on else ["cond"]
    elif getattr(pipe, "do_perturbed_attention_guidance", False):
        known = ["uncond", "cond", "perturbed"] if on else ["cond", "perturbed"]
    else:
        known = ["uncond", "cond"] if on else ["cond"]
    return known if len(known) == groups else None


def learns_from_text(arguments: Mapping[str, Any]) -> bool:
    """Whether what the pipeline's ``encode_prompt`` gives is a prompt and a negative prompt."""
    return "edit_guidance_scale" not in arguments


def count_images(pipe: Any, arguments: Mapping[str, Any], prompts: int) -> int:
    """Count the pictures (or videos) that a call makes at once."""
    if "edit_guidance_scale" in arguments and "prompt" not in arguments:
        prompts = int(getattr(pipe, "batch_size", None) or 1)  # LEDITS++ edits what it has inverted
    count = prompts
    for name in ("prompt_embeds", "image_embeds", *(() if "prompt" in arguments else ("image",))):
        embeds = arguments.get(name)
        if count or embeds is None:
            continue
        if isinstance(embeds, (list, tuple)):
            count = sum(len(one) if hasattr(one, "shape") else 1 for one in embeds)
        else:
            count = len(embeds) if hasattr(embeds, "shape") else 1
    several = arguments.get("num_images_per_prompt") or arguments.get("num_videos_per_prompt") or 1
    return max(count, 1) * int(several)
