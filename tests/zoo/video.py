"""Films: frames are rows of the spatial attention, and pixels are rows of the temporal one."""

import torch
from diffusers import (
    AnimateDiffPipeline,
    AutoencoderKLTemporalDecoder,
    EulerDiscreteScheduler,
    MotionAdapter,
    StableVideoDiffusionPipeline,
    TextToVideoSDPipeline,
    UNet3DConditionModel,
    UNetSpatioTemporalConditionModel,
)

from zoo import parts, stable
from zoo.adapters import image_embeds, load_image_adapters, noisy
from zoo.case import NEGATIVE, OTHER, PROMPT, Case, call, painting, quiet
from zoo.stable import encoded

FRAMES = 5


def animated(guided=True):
    adapter = parts.seeded(
        60,
        MotionAdapter,
        block_out_channels=(8, 16),
        motion_layers_per_block=1,
        motion_norm_num_groups=4,
        motion_num_attention_heads=2,
    )
    pipe = quiet(
        AnimateDiffPipeline(
            vae=parts.vae(),
            text_encoder=parts.text(),
            tokenizer=parts.tokenizer(),
            unet=parts.small(),
            motion_adapter=noisy(adapter, 61),
            scheduler=parts.ddim(beta_schedule="linear"),
        )
    )
    make = call(negative_prompt=NEGATIVE, num_frames=FRAMES, guidance_scale=7.5 if guided else 1.0)
    rows = [("neg",) * FRAMES + ("pos",) * FRAMES] if guided else [("pos",) * FRAMES]
    note = "One row a frame; motion_modules: self-attention of FRAMES keys, a row for each pixel of each branch."
    return Case(pipe, make, rows, lambda: encoded(pipe, PROMPT, NEGATIVE), note)


def animated_twice():
    case = animated()
    case.make = call(prompt=[PROMPT, OTHER], negative_prompt=[NEGATIVE, ""], num_frames=FRAMES)

    def texts():
        one, two = encoded(case.pipe, PROMPT, NEGATIVE), encoded(case.pipe, OTHER, "")
        return one | {"pos1": two["pos"], "neg1": two["neg"]}

    rows = [tuple(name for name in ("neg", "neg1", "pos", "pos1") for _ in range(FRAMES))]
    return Case(case.pipe, case.make, rows, texts, "Branch, then prompt, then frame.")


def animated_by_image():
    case = animated()
    load_image_adapters(case.pipe, "plain")
    more = {"negative_prompt": NEGATIVE, "num_frames": FRAMES}
    case.make = call(ip_adapter_image_embeds=lambda: image_embeds("plain"), **more)
    case.note += " The image's tokens are [neg, pos]; the UNet repeats them for the frames."
    return case


def text_to_video():
    unet = parts.seeded(
        62,
        UNet3DConditionModel,
        sample_size=16,
        block_out_channels=(8, 16),
        down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
        up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
        layers_per_block=1,
        cross_attention_dim=parts.TEXT,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    pipe = stable.stable(
        TextToVideoSDPipeline, unet=unet, safety_checker=..., feature_extractor=..., requires_safety_checker=...
    )
    make = call(negative_prompt=NEGATIVE, num_frames=FRAMES)
    note = "The UNet repeats each row for its frames; transformer_in and temp_attentions have FRAMES queries and keys."
    return Case(pipe, make, [("neg", "pos")], lambda: encoded(pipe, PROMPT, NEGATIVE), note)


def image_to_video():
    """Stable Video Diffusion."""
    unet = parts.seeded(
        63,
        UNetSpatioTemporalConditionModel,
        sample_size=16,
        in_channels=8,
        out_channels=4,
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        layers_per_block=1,
        cross_attention_dim=16,
        num_attention_heads=(2, 4),
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=24,
    )
    vae = parts.seeded(
        64,
        AutoencoderKLTemporalDecoder,
        block_out_channels=(32, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        latent_channels=4,
        layers_per_block=1,
    )
    scheduler = EulerDiscreteScheduler(
        prediction_type="v_prediction", use_karras_sigmas=True, sigma_max=700, sigma_min=0.002
    )
    pipe = quiet(
        StableVideoDiffusionPipeline(
            vae=vae,
            image_encoder=parts.vision(size=224),
            unet=unet,
            scheduler=scheduler,
            feature_extractor=parts.looks(224),
        )
    )
    make = call(prompt=..., image=painting, num_frames=FRAMES, decode_chunk_size=FRAMES)
    note = "No text: the one key of attn2 is of the picture, for neg zeros, so all its weights are 1."

    def texts():
        embeds = pipe._encode_image(painting(), "cpu", 1, False)[0]
        return {"pos": embeds, "neg": torch.zeros_like(embeds)}

    return Case(pipe, make, [("neg", "pos")], texts, note)


CASES = {
    "animatediff": animated,
    "animatediff two prompts": animated_twice,
    "animatediff unguided": lambda: animated(False),
    "animatediff ip adapter": animated_by_image,
    "text to video": text_to_video,
    "image to video": image_to_video,
}
