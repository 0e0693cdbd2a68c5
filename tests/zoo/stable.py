"""Stable Diffusion 1 and 2, and what only changes their scheduler or prompt."""

import torch
from diffusers import (
    HeunDiscreteScheduler,
    KDPM2DiscreteScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
)
from diffusers.models.attention_processor import AttnProcessor

from zoo import parts
from zoo.case import NEGATIVE, OTHER, PROMPT, Case, call, generator, mask, picture, quiet


def stable(kind=StableDiffusionPipeline, unet=None, scheduler=None, **more):
    """A pipeline of SD's components."""
    settings = {
        "vae": parts.vae(),
        "text_encoder": parts.text(),
        "tokenizer": parts.tokenizer(),
        "unet": unet or parts.unet(),
        "scheduler": scheduler or parts.ddim(),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    } | more
    return quiet(kind(**{k: v for k, v in settings.items() if v is not ...}))


def words(pipe, prompts):
    settings = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
    return pipe.tokenizer(prompts, max_length=pipe.tokenizer.model_max_length, **settings).input_ids


def encoded(pipe, *prompts):
    """By name of a row: the text encoder's last states, one row each."""
    with torch.no_grad():
        rows = pipe.text_encoder(words(pipe, list(prompts)))[0]
    return dict(zip(("pos", "neg", "pos1", "neg1"), rows, strict=False))


GUIDED = [("neg", "pos")]


def text_to_image(negative=NEGATIVE, **parts_):
    pipe = stable(**parts_)
    return Case(pipe, call(negative_prompt=negative), GUIDED, lambda: encoded(pipe, PROMPT, negative or ""))


def unguided():
    pipe = stable()
    return Case(pipe, call(guidance_scale=1.0), [("pos",)], lambda: encoded(pipe, PROMPT))


def guided_at_first():
    """A callback that switches guidance off after the first step, as diffusers' documentation shows it."""
    pipe = stable()

    def drop(pipe, step, timestep, tensors):
        if step == 0:
            pipe._guidance_scale = 1.0
            tensors["prompt_embeds"] = tensors["prompt_embeds"].chunk(2)[-1]
        return tensors

    make = call(
        negative_prompt=NEGATIVE,
        num_inference_steps=3,
        callback_on_step_end=lambda: drop,
        callback_on_step_end_tensor_inputs=["prompt_embeds"],
    )
    rows = [("neg", "pos"), ("pos",), ("pos",)]
    return Case(pipe, make, rows, lambda: encoded(pipe, PROMPT, NEGATIVE), "A callback drops the neg row.")


def several():
    pipe = stable()

    def texts():
        found = encoded(pipe, PROMPT, NEGATIVE)
        return found | dict(zip(("pos1", "neg1"), encoded(pipe, OTHER, "").values(), strict=True))

    rows = [("neg", "neg", "neg1", "neg1", "pos", "pos", "pos1", "pos1")]
    make = call(prompt=[PROMPT, OTHER], negative_prompt=[NEGATIVE, ""], num_images_per_prompt=2)
    return Case(pipe, make, rows, texts, "Prompts outside, pictures of one prompt inside.")


def image_to_image():
    pipe = stable(StableDiffusionImg2ImgPipeline)
    make = call(image=picture, strength=0.7, num_inference_steps=4, height=..., width=..., negative_prompt=NEGATIVE)
    return Case(pipe, make, GUIDED, lambda: encoded(pipe, PROMPT, NEGATIVE), "2 of 4 steps.")


def inpaint(channels=9):
    pipe = stable(StableDiffusionInpaintPipeline, unet=parts.unet(in_channels=channels))
    make = call(image=picture, mask_image=mask, negative_prompt=NEGATIVE)
    return Case(pipe, make, GUIDED, lambda: encoded(pipe, PROMPT, NEGATIVE), f"{channels} channels.")


def second():
    """SD2: heads of one width, so their number grows with depth."""
    unet = parts.unet(attention_head_dim=[2, 4, 6, 6], use_linear_projection=True, upcast_attention=True)
    return text_to_image(unet=unet, scheduler=parts.ddim(prediction_type="v_prediction", rescale_betas_zero_snr=True))


def consistency():
    pipe = stable(
        LatentConsistencyModelPipeline,
        unet=parts.unet(time_cond_proj_dim=16),
        scheduler=LCMScheduler(beta_schedule="scaled_linear"),
        image_encoder=None,
    )
    note = "LCM: the guidance scale enters as timestep_cond, so there is never a negative row."
    return Case(pipe, call(guidance_scale=8.5), [("pos",)], lambda: encoded(pipe, PROMPT), note)


def consistency_in_stable():
    pipe = stable(unet=parts.unet(time_cond_proj_dim=16), scheduler=LCMScheduler(beta_schedule="scaled_linear"))
    note = "A UNet with timestep_cond in StableDiffusionPipeline: do_classifier_free_guidance is False at any scale."
    return Case(pipe, call(guidance_scale=8.5), [("pos",)], lambda: encoded(pipe, PROMPT), note)


def second_order(scheduler):
    case = text_to_image(scheduler=scheduler(beta_schedule="scaled_linear"))
    case.note += " The UNet is called 2 n - 1 times; timesteps may repeat."
    return case


def heun():
    return second_order(HeunDiscreteScheduler)


def kdpm2():
    return second_order(KDPM2DiscreteScheduler)


def long_prompt():
    """Embeddings given by hand, of twice the tokenizer's length."""
    pipe = stable()
    names = ("prompt_embeds", "negative_prompt_embeds")
    embeds = [torch.randn(1, 2 * pipe.tokenizer.model_max_length, parts.TEXT, generator=generator(i)) for i in (5, 6)]
    make = call(prompt=None, **dict(zip(names, embeds, strict=True)))
    note = "Keys are twice the tokenizer's length, and no prompt is known."
    return Case(pipe, make, GUIDED, lambda: {"pos": embeds[0][0], "neg": embeds[1][0]}, note)


def textual_inversion():
    pipe = stable()
    vectors = torch.randn(3, parts.TEXT, generator=generator(7))
    pipe.load_textual_inversion(vectors, token="<thing>")
    prompt = "a red <thing> above a square"
    spelled = prompt.replace("<thing>", "<thing> <thing>_1 <thing>_2")
    note = "One placeholder in the prompt is three tokens: <thing> <thing>_1 <thing>_2."
    return Case(
        pipe, call(prompt=prompt, negative_prompt=NEGATIVE), GUIDED, lambda: encoded(pipe, spelled, NEGATIVE), note
    )


def processed(change):
    case = text_to_image()
    change(case.pipe.unet)
    case.note += f" Processors: {type(next(iter(case.pipe.unet.attn_processors.values()))).__name__}."
    return case


CASES = {
    "sd": text_to_image,
    "sd empty negative": lambda: text_to_image(None),
    "sd unguided": unguided,
    "sd several": several,
    "sd guided at first": guided_at_first,
    "sd img2img": image_to_image,
    "sd inpaint 9": inpaint,
    "sd inpaint 4": lambda: inpaint(4),
    "sd2": second,
    "lcm": consistency,
    "lcm in sd": consistency_in_stable,
    "heun": heun,
    "kdpm2": kdpm2,
    "long prompt": long_prompt,
    "textual inversion": textual_inversion,
    "sd classic": lambda: processed(lambda unet: unet.set_attn_processor(AttnProcessor())),
    "sd sliced": lambda: processed(lambda unet: unet.set_attention_slice(1)),
    "sd fused": lambda: processed(lambda unet: unet.fuse_qkv_projections()),
}
