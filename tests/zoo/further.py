"""Pipelines whose UNet is built unlike Stable Diffusion's, or gets something other than a prompt."""

import torch
from diffusers import (
    ControlNetXSAdapter,
    DDPMScheduler,
    EulerDiscreteScheduler,
    Kandinsky3Pipeline,
    Kandinsky3UNet,
    StableDiffusionControlNetXSPipeline,
    StableDiffusionImageVariationPipeline,
    StableDiffusionLatentUpscalePipeline,
    StableDiffusionPipelineSafe,
    StableDiffusionUpscalePipeline,
    StableUnCLIPImg2ImgPipeline,
)
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer

from zoo import parts, stable
from zoo.adapters import noisy
from zoo.added import movq, t5, whole_words
from zoo.case import NEGATIVE, PROMPT, Case, call, painting, picture, quiet
from zoo.stable import GUIDED, encoded, words


def larger():
    """Stable Diffusion's x4 upscaler, which looks at no pixels on all levels but one."""
    unet = parts.unet(in_channels=7, num_class_embeds=1000, only_cross_attention=(True, True, False, False))
    pipe = stable.stable(
        StableDiffusionUpscalePipeline,
        unet=unet,
        low_res_scheduler=DDPMScheduler(),
        max_noise_level=350,
        requires_safety_checker=...,
    )
    make = call(image=lambda: picture(height=16, width=24), negative_prompt=NEGATIVE, height=..., width=...)
    note = "only_cross_attention: attn1 of the outer levels looks at the text, as attn2 does."
    return Case(pipe, make, GUIDED, lambda: encoded(pipe, PROMPT, NEGATIVE), note)


def larger_latents():
    width = 32
    unet = parts.unet(
        act_fn="gelu",
        attention_head_dim=8,
        norm_num_groups=None,
        block_out_channels=(32, 32, 64, 64),
        time_cond_proj_dim=128 + width,
        conv_in_kernel=1,
        conv_out_kernel=1,
        cross_attention_dim=width,
        down_block_types=("KDownBlock2D",) + ("KCrossAttnDownBlock2D",) * 3,
        up_block_types=("KCrossAttnUpBlock2D",) * 3 + ("KUpBlock2D",),
        mid_block_type=None,
        in_channels=8,
        out_channels=5,
        resnet_time_scale_shift="scale_shift",
        time_embedding_type="fourier",
        timestep_post_act="gelu",
    )
    pipe = quiet(
        StableDiffusionLatentUpscalePipeline(
            vae=parts.vae(),
            text_encoder=parts.text(width),
            tokenizer=parts.tokenizer(),
            unet=unet,
            scheduler=EulerDiscreteScheduler(prediction_type="sample"),
        )
    )
    make = call(image=picture, negative_prompt=NEGATIVE, height=..., width=...)

    def texts():
        # Of the last layer too, but before the norm that comes after it.
        given = pipe.text_encoder(words(pipe, [NEGATIVE, PROMPT]), output_hidden_states=True).hidden_states[-1]
        return dict(zip(("neg", "pos"), given.detach(), strict=True))

    note = "K-blocks and no mid block: attn1 in few of them, attn2 in all. The encoder's states are not normed."
    return Case(pipe, make, GUIDED, texts, note)


def variation():
    unet = parts.unet(cross_attention_dim=16)
    more = {"text_encoder": ..., "tokenizer": ..., "image_encoder": parts.vision(), "feature_extractor": parts.looks()}
    pipe = stable.stable(StableDiffusionImageVariationPipeline, unet=unet, **more)
    make = call(prompt=..., image=painting)

    def texts():
        pixels = pipe.feature_extractor(images=painting(), return_tensors="pt").pixel_values
        embeds = pipe.image_encoder(pixels).image_embeds.detach()
        return {"pos": embeds, "neg": torch.zeros_like(embeds)}

    note = "No text: the one key is the picture's embedding, for neg zeros, so all weights of attn2 are 1."
    return Case(pipe, make, GUIDED, texts, note)


def unclip_variation():
    unet = parts.unet(class_embed_type="projection", projection_class_embeddings_input_dim=2 * 16)
    pipe = quiet(
        StableUnCLIPImg2ImgPipeline(
            feature_extractor=parts.looks(),
            image_encoder=parts.vision(),
            image_normalizer=StableUnCLIPImageNormalizer(embedding_dim=16),
            image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
            tokenizer=parts.tokenizer(),
            text_encoder=parts.text(),
            unet=unet,
            scheduler=parts.ddim(),
            vae=parts.vae(),
        )
    )
    make = call(image=painting, negative_prompt=NEGATIVE)
    note = "The picture enters as class_labels, not by attention."
    return Case(pipe, make, GUIDED, lambda: encoded(pipe, PROMPT, NEGATIVE), note)


def safe():
    pipe = stable.stable(StableDiffusionPipelineSafe)
    pipe.safety_concept = "a blue triangle"
    make = call(negative_prompt=NEGATIVE, sld_warmup_steps=0)

    def texts():
        return encoded(pipe, PROMPT, NEGATIVE) | {"safety": encoded(pipe, "a blue triangle")["pos"]}

    return Case(pipe, make, [("neg", "pos", "safety")], texts)


def controlled_inside():
    """ControlNet-XS: one model of both, whose parts look at the text by turns."""
    unet = parts.unet(layers_per_block=2)
    control = parts.seeded(
        70, ControlNetXSAdapter.from_unet, unet, size_ratio=1.0, conditioning_embedding_out_channels=(8, 16)
    )
    pipe = stable.stable(StableDiffusionControlNetXSPipeline, unet=unet, controlnet=noisy(control, 71))
    make = call(image=picture, negative_prompt=NEGATIVE)
    note = "pipe.unet is a UNetControlNetXSModel: the paths of the control lie beside those of the base."
    return Case(pipe, make, GUIDED, lambda: encoded(pipe, PROMPT, NEGATIVE), note)


def kandinsky3():
    unet = parts.seeded(
        72,
        Kandinsky3UNet,
        in_channels=4,
        time_embedding_dim=4,
        groups=4,
        attention_head_dim=4,
        layers_per_block=2,
        block_out_channels=(32, 64),
        cross_attention_dim=4,
        encoder_hid_dim=16,
    )
    pipe = quiet(
        Kandinsky3Pipeline(
            tokenizer=whole_words(("</s>",), 128),
            text_encoder=t5(),
            unet=unet,
            scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
            movq=movq(),
        )
    )
    make = call(negative_prompt=NEGATIVE, height=64, width=128)

    def texts():
        given = pipe.encode_prompt(PROMPT, True, 1, "cpu", NEGATIVE, _cut_context=True)
        return {"pos": given[0][0], "neg": given[1][0]}

    note = (
        "A UNet class of its own: keys of T5, cut off after the longer prompt, with encoder_attention_mask; "
        "attentions.i.j.attention, no attn1 and attn2; and one attention with a single query, the mean of the text."
    )
    return Case(pipe, make, GUIDED, texts, note)


CASES = {
    "upscale": larger,
    "upscale latents": larger_latents,
    "image variation": variation,
    "stable unclip": unclip_variation,
    "safe": safe,
    "controlnet xs": controlled_inside,
    "kandinsky 3": kandinsky3,
}
