"""Pipelines that guide by more than a negative prompt, or that look at attention themselves."""

from diffusers import (
    SemanticStableDiffusionPipeline,
    StableDiffusionAttendAndExcitePipeline,
    StableDiffusionGLIGENPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPAGPipeline,
    StableDiffusionSAGPipeline,
    StableDiffusionXLInstructPix2PixPipeline,
    StableDiffusionXLPAGPipeline,
)

from zoo import parts, sdxl, stable
from zoo.adapters import noisy
from zoo.case import NEGATIVE, OTHER, PROMPT, Case, call, picture, repeated
from zoo.stable import GUIDED, encoded


def instructed(pictures=1):
    pipe = stable.stable(StableDiffusionInstructPix2PixPipeline, unet=parts.unet(in_channels=8))
    make = call(image=picture, negative_prompt=NEGATIVE, num_images_per_prompt=pictures, height=..., width=...)
    note = "The second row has the picture and no prompt, the third neither."
    rows = repeated([("pos", "neg", "neg")], pictures)
    return Case(pipe, make, rows, lambda: encoded(pipe, PROMPT, NEGATIVE), note)


def wide_instructed():
    pipe = sdxl.wide(StableDiffusionXLInstructPix2PixPipeline, unet=parts.wide(in_channels=8))
    make = call(image=picture, negative_prompt=NEGATIVE)
    rows = [("pos", "neg", "neg")]
    return Case(pipe, make, rows, lambda: sdxl.encoded(pipe, negative=NEGATIVE))


LAYERS = ["mid", "up_blocks.1"]


def perturbed(guided=True, scale=3.0, pictures=1):
    pipe = stable.stable(StableDiffusionPAGPipeline, pag_applied_layers=LAYERS)
    make = call(
        negative_prompt=NEGATIVE, guidance_scale=7.5 if guided else 1.0, pag_scale=scale, num_images_per_prompt=pictures
    )
    rows = ("neg", "pos") if guided else ("pos",)
    rows += ("pos",) if scale else ()
    note = "The last row is perturbed: attn1 of the layers of PAG has no softmax for it, so one row less."
    return Case(
        pipe,
        make,
        repeated([rows], pictures),
        lambda: encoded(pipe, PROMPT, NEGATIVE),
        note if scale else "PAG is off.",
    )


def wide_perturbed(guided=True):
    pipe = sdxl.wide(StableDiffusionXLPAGPipeline, pag_applied_layers=["mid"])
    make = call(negative_prompt=NEGATIVE, guidance_scale=5.0 if guided else 1.0, pag_scale=3.0)
    rows = ("neg", "pos", "pos") if guided else ("pos", "pos")
    return Case(pipe, make, [rows], lambda: sdxl.encoded(pipe, negative=NEGATIVE), "The last row is perturbed.")


def self_guided(guided=True, pictures=1):
    pipe = stable.stable(StableDiffusionSAGPipeline)
    make = call(
        negative_prompt=NEGATIVE, guidance_scale=7.5 if guided else 1.0, sag_scale=0.75, num_images_per_prompt=pictures
    )
    rows = [("neg", "pos"), ("neg",)] if guided else [("pos",), ("pos",)]
    note = "Each step calls the UNet twice, the second time for latents that were blurred where it had looked."
    return Case(pipe, make, repeated(rows, pictures), lambda: encoded(pipe, PROMPT, NEGATIVE), note)


def semantic(pictures=1):
    pipe = stable.stable(SemanticStableDiffusionPipeline)
    make = call(
        negative_prompt=NEGATIVE, editing_prompt=[OTHER, "a cube"], edit_warmup_steps=0, num_images_per_prompt=pictures
    )

    def texts():
        found = encoded(pipe, PROMPT, NEGATIVE, OTHER)
        return found | {"edit0": found["pos1"], "edit1": encoded(pipe, "a cube")["pos"]}

    return Case(pipe, make, repeated([("neg", "pos", "edit0", "edit1")], pictures), texts)


def excited(pictures=1):
    pipe = stable.stable(StableDiffusionAttendAndExcitePipeline)
    make = call(
        prompt=PROMPT,
        token_indices=[2, 5],
        negative_prompt=NEGATIVE,
        max_iter_to_alter=1,
        thresholds={},
        attn_res=(8, 12),
        num_images_per_prompt=pictures,
    )
    note = "A call with gradients before that of each step; own processors (get_attention_scores) during the run."
    rows = [("pos",)] * pictures + repeated(GUIDED, pictures)
    return Case(pipe, make, rows, lambda: encoded(pipe, PROMPT, NEGATIVE), note)


def grounded():
    unet = noisy(parts.unet(attention_type="gated"), 13)
    pipe = stable.stable(StableDiffusionGLIGENPipeline, unet=unet)
    make = call(
        negative_prompt=NEGATIVE,
        num_inference_steps=4,
        gligen_phrases=["a red circle"],
        gligen_boxes=[[0.1, 0.1, 0.5, 0.6]],
        gligen_scheduled_sampling_beta=0.5,
    )
    note = "fuser.attn: self-attention over pixels and 30 objects together; it runs in the first steps only."
    return Case(pipe, make, GUIDED, lambda: encoded(pipe, PROMPT, NEGATIVE), note)


CASES = {
    "instruct pix2pix": instructed,
    "instruct pix2pix several": lambda: instructed(pictures=2),
    "instruct pix2pix sdxl": wide_instructed,
    "pag": perturbed,
    "pag several": lambda: perturbed(pictures=2),
    "pag unguided": lambda: perturbed(False),
    "pag off": lambda: perturbed(scale=0.0),
    "pag sdxl": wide_perturbed,
    "pag sdxl unguided": lambda: wide_perturbed(False),
    "sag": self_guided,
    "sag several": lambda: self_guided(pictures=2),
    "sag unguided": lambda: self_guided(False),
    "semantic": semantic,
    "semantic several": lambda: semantic(pictures=2),
    "attend and excite": excited,
    "attend and excite several": lambda: excited(pictures=2),
    "gligen": grounded,
}
