"""Pipelines that invert or edit a picture, and such that paint in parts."""

import torch
from diffusers import (
    DDIMInverseScheduler,
    DPMSolverMultistepScheduler,
    LEditsPPPipelineStableDiffusion,
    LEditsPPPipelineStableDiffusionXL,
    StableDiffusionDiffEditPipeline,
    StableDiffusionPanoramaPipeline,
)

from zoo import parts, sdxl, stable
from zoo.case import NEGATIVE, OTHER, PROMPT, Case, call, generator, picture
from zoo.stable import GUIDED, encoded


def solver():
    return DPMSolverMultistepScheduler(
        beta_schedule="scaled_linear", algorithm_type="sde-dpmsolver++", solver_order=2, steps_offset=1
    )


EDITS = {"prompt": ..., "num_inference_steps": ..., "editing_prompt": [PROMPT, OTHER], "edit_warmup_steps": 0}


def edited(masked=True):
    pipe = stable.stable(LEditsPPPipelineStableDiffusion, scheduler=solver())
    more = {} if masked else {"use_intersect_mask": False}
    make = call(**EDITS, edit_threshold=[0.7, 0.7], height=..., width=..., **more)

    def prepare():
        pipe.invert(image=picture(height=32, width=64), num_inversion_steps=3, skip=0.4, generator=generator())

    def texts():
        found = encoded(pipe, PROMPT, "", OTHER)
        return {"empty": found["neg"], "edit0": found["pos"], "edit1": found["pos1"]}

    note = "There is no prompt of the run. invert() before it calls with [empty] alone, three times."
    if masked:
        note += " Own processors, which stay after the run: down and up attn2 store maps, the others are AttnProcessor."
    rows = [("empty",)] * 3 + [("empty", "edit0", "edit1")] * 3
    return Case(pipe, make, rows, texts, note, prepare=prepare)


def wide_edited(masked=False):
    pipe = sdxl.wide(LEditsPPPipelineStableDiffusionXL, scheduler=solver())
    make = call(**EDITS, edit_threshold=[0.7, 0.7], height=..., width=..., use_cross_attn_mask=masked)

    def prepare():
        pipe.invert(image=picture(height=32, width=64), num_inversion_steps=3, skip=0.4, generator=generator())

    rows = [("empty",)] * 3 + [("empty", "edit0", "edit1")] * 3

    def texts():
        found = {f"edit{i}": sdxl.encoded(pipe, prompt)["pos"] for i, prompt in enumerate((PROMPT, OTHER))}
        return found | {"empty": torch.zeros_like(found["edit0"])}

    note = "As of SD, but no maps by default, and the empty prompt is zeros."
    return Case(pipe, make, rows, texts, note, prepare=prepare)


def inpainted_difference():
    pipe = stable.stable(
        StableDiffusionDiffEditPipeline,
        inverse_scheduler=DDIMInverseScheduler(beta_schedule="scaled_linear", clip_sample=False, steps_offset=1),
    )
    latents = 0.5 * torch.randn(1, 2, 4, 16, 24, generator=generator(30))
    mask = torch.zeros(1, 16, 24)
    mask[:, 4:10, 4:16] = 1
    make = call(
        negative_prompt=NEGATIVE, mask_image=mask, image_latents=latents, inpaint_strength=1.0, height=..., width=...
    )
    note = (
        "invert and the run call with [neg, pos]. generate_mask with [source, source neg, target, target neg]: it has "
        "what encode_prompt gives the wrong way round."
    )
    return Case(pipe, make, GUIDED, lambda: encoded(pipe, PROMPT, NEGATIVE), note)


def panorama(views=1):
    eighth = parts.vae(
        block_out_channels=(4,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    pipe = stable.stable(StableDiffusionPanoramaPipeline, unet=parts.small(), vae=eighth, image_encoder=None)
    make = call(negative_prompt=NEGATIVE, height=64, width=640, view_batch_size=views)
    note = "A view is at most 64 latents high and wide and they are 8 apart; here three of 8 x 64, of 8 x 80."
    if views > 1:
        note += " In one batch views are outside, [neg, pos] inside; the last batch of a step may be smaller."
    rows = [("neg", "pos")] * 3 if views == 1 else [("neg", "pos") * 2, ("neg", "pos")]
    return Case(pipe, make, rows, lambda: encoded(pipe, PROMPT, NEGATIVE), note)


CASES = {
    "ledits": edited,
    "ledits without maps": lambda: edited(False),
    "ledits sdxl": wide_edited,
    "ledits sdxl masked": lambda: wide_edited(True),
    "diffedit": inpainted_difference,
    "panorama": panorama,
    "panorama batched": lambda: panorama(2),
}
