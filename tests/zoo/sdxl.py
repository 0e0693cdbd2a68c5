"""SDXL: two text encoders side by side, a pooled vector, and a refiner with the second encoder alone."""

import torch
from diffusers import (
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
)

from zoo import parts
from zoo.case import NEGATIVE, OTHER, PROMPT, Case, call, mask, picture, quiet, repeated

GUIDED = [("neg", "pos")]


def euler(kind=EulerDiscreteScheduler, **config):
    settings = {"beta_schedule": "scaled_linear", "timestep_spacing": "leading", "steps_offset": 1}
    return kind(**(settings | config))


def wide(kind=StableDiffusionXLPipeline, unet=None, scheduler=None, **more):
    """A pipeline of SDXL's components; what is ``...`` is left out."""
    settings = {
        "vae": parts.vae(),
        "text_encoder": parts.text(),
        "text_encoder_2": parts.text(parts.SECOND, projection=parts.SECOND, seed=8),
        "tokenizer": parts.tokenizer(),
        "tokenizer_2": parts.exclaiming(),
        "unet": unet or parts.wide(),
        "scheduler": scheduler or euler(),
        "add_watermarker": False,
    } | more
    return quiet(kind(**{k: v for k, v in settings.items() if v is not ...}))


def penultimate(words, encoder, prompt):
    ids = words(
        prompt, padding="max_length", max_length=words.model_max_length, truncation=True, return_tensors="pt"
    ).input_ids
    with torch.no_grad():
        return encoder(ids, output_hidden_states=True).hidden_states[-2][0]


def encoded(pipe, prompt=PROMPT, second=None, negative=None, negative_second=None):
    """Rows of both encoders, next to each other in width; zeros for a negative prompt that is missing."""

    def joined(*prompts):
        both = zip((pipe.tokenizer, pipe.tokenizer_2), (pipe.text_encoder, pipe.text_encoder_2), prompts, strict=True)
        return torch.cat([penultimate(*each) for each in both if each[1] is not None], -1)

    found = {"pos": joined(prompt, second or prompt)}
    if negative is None:
        return found | {"neg": torch.zeros_like(found["pos"])}
    return found | {"neg": joined(negative, negative_second or negative)}


def base(pictures=1):
    pipe = wide()
    make = call(negative_prompt=NEGATIVE, num_images_per_prompt=pictures)
    return Case(pipe, make, repeated(GUIDED, pictures), lambda: encoded(pipe, negative=NEGATIVE))


def without_negative():
    pipe = wide()
    note = "force_zeros_for_empty_prompt: the negative row is zeros, not the encoding of an empty prompt."
    return Case(pipe, call(), GUIDED, lambda: encoded(pipe), note)


def empty_negative():
    pipe = wide(force_zeros_for_empty_prompt=False)
    return Case(pipe, call(), GUIDED, lambda: encoded(pipe, negative=""), "No zeros: the empty prompt is encoded.")


def two_prompts():
    pipe = wide()
    make = call(prompt_2=OTHER, negative_prompt=NEGATIVE, negative_prompt_2="a cube", original_size=(64, 64))
    note = "Each key is of two texts at once: the first 24 channels of prompt, the other 40 of prompt_2."
    return Case(pipe, make, GUIDED, lambda: encoded(pipe, PROMPT, OTHER, NEGATIVE, "a cube"), note)


def turbo():
    pipe = wide(scheduler=euler(EulerAncestralDiscreteScheduler, timestep_spacing="trailing"))
    note = "Turbo: one step, no guidance."
    return Case(pipe, call(guidance_scale=0.0, num_inference_steps=1), [("pos",)], lambda: encoded(pipe), note)


def again(strength=0.7, **more):
    return {"image": picture, "strength": strength, "num_inference_steps": 4, "height": ..., "width": ...} | more


def image_to_image():
    pipe = wide(StableDiffusionXLImg2ImgPipeline)
    make = call(**again(negative_prompt=NEGATIVE))
    return Case(pipe, make, GUIDED, lambda: encoded(pipe, negative=NEGATIVE))


def inpaint(channels=9):
    unet = parts.wide(in_channels=channels)
    pipe = wide(StableDiffusionXLInpaintPipeline, unet=unet)
    make = call(mask_image=mask, **again(negative_prompt=NEGATIVE, height=32, width=48))
    return Case(pipe, make, GUIDED, lambda: encoded(pipe, negative=NEGATIVE), f"{channels} channels.")


def refining_unet():
    return parts.wide(
        block_out_channels=(8, 16, 16, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=2,
        attention_head_dim=(2, 2, 4, 4),
        projection_class_embeddings_input_dim=5 * 8 + parts.SECOND,
        cross_attention_dim=parts.SECOND,
    )


def refiner():
    pipe = wide(
        StableDiffusionXLImg2ImgPipeline,
        unet=refining_unet(),
        text_encoder=None,
        tokenizer=None,
        requires_aesthetics_score=True,
    )
    make = call(**again(denoising_start=0.5, negative_prompt=NEGATIVE))
    note = "Refiner: the second encoder and tokenizer only; the first are None. denoising_start=0.5."
    return Case(pipe, make, GUIDED, lambda: encoded(pipe, negative=NEGATIVE), note)


CASES = {
    "sdxl": base,
    "sdxl several": lambda: base(2),
    "sdxl without negative": without_negative,
    "sdxl empty negative": empty_negative,
    "sdxl two prompts": two_prompts,
    "sdxl turbo": turbo,
    "sdxl img2img": image_to_image,
    "sdxl inpaint 9": inpaint,
    "sdxl inpaint 4": lambda: inpaint(4),
    "sdxl refiner": refiner,
}
