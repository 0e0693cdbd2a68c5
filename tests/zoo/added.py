"""Kandinsky, DeepFloyd IF, unCLIP: text enters by added keys, so text and pixels are one row of keys."""

import sys

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    IFPipeline,
    IFSuperResolutionPipeline,
    KandinskyPipeline,
    KandinskyV22Pipeline,
    PriorTransformer,
    UnCLIPPipeline,
    UnCLIPScheduler,
    UNet2DModel,
    VQModel,
)
from diffusers.pipelines.kandinsky.text_encoder import MCLIPConfig, MultilingualCLIP
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

from zoo import parts
from zoo.case import NEGATIVE, PROMPT, Case, call, generator, picture, quiet, repeated
from zoo.stable import GUIDED

# diffusers has moved its module, and exports it nowhere.
UnCLIPTextProjModel = sys.modules[UnCLIPPipeline.__module__].UnCLIPTextProjModel
WORDS = ["a", "red", "green", "blue", "circle", "square", "triangle", "above", "below", "photo", "of"]


def whole_words(ends: tuple[str, ...], length: int = 77) -> PreTrainedTokenizerFast:
    """A word is a token; ``ends`` are put around them, as T5 (one at the end) or XLM-R (both) do."""
    vocabulary = {word: i for i, word in enumerate(["<pad>", "</s>", "<unk>", "<s>", *WORDS])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    start = "<s> " if "<s>" in ends else ""
    made.post_processor = processors.TemplateProcessing(
        single=f"{start}$A </s>", special_tokens=[(end, vocabulary[end]) for end in ends]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        model_max_length=length,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        bos_token="<s>",
    )


def t5(width: int = 16) -> T5EncoderModel:
    config = T5Config(
        vocab_size=32, d_model=width, d_kv=8, d_ff=32, num_layers=1, num_heads=2, tie_word_embeddings=False
    )
    return parts.seeded(40, T5EncoderModel, config)


def multilingual(width: int, image: int) -> MultilingualCLIP:
    config = MCLIPConfig(
        transformerDimSize=width,
        imageDimSize=image,
        vocab_size=32,
        hidden_size=width,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=96,
        pad_token_id=0,
    )
    return parts.seeded(41, MultilingualCLIP, config)


def simple(**config):
    """Two levels, the attention of the kind that adds keys."""
    settings = {
        "block_out_channels": (8, 16),
        "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        "attention_head_dim": 4,
        "resnet_time_scale_shift": "scale_shift",
        "cross_attention_dim": 16,
    }
    return parts.unet(**(settings | config))


def movq() -> VQModel:
    return parts.seeded(
        42,
        VQModel,
        block_out_channels=[32, 32],  # its spatial norm has 32 groups
        down_block_types=["DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
        up_block_types=["AttnUpDecoderBlock2D", "UpDecoderBlock2D"],
        latent_channels=4,
        norm_num_groups=4,
        norm_type="spatial",
        num_vq_embeddings=12,
        vq_embed_dim=4,
    )


def plain_ddim():
    return DDIMScheduler(beta_schedule="linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1)


def vectors(seed: int, width: int = 16):
    return lambda: torch.randn(1, width, generator=generator(seed))


JOINED = "Every attention module: one softmax over [text keys, pixel keys] together."


def kandinsky(slices=None):
    unet = simple(
        in_channels=4,
        out_channels=8,
        addition_embed_type="text_image",
        encoder_hid_dim=24,
        encoder_hid_dim_type="text_image_proj",
    )
    parts_ = {"text_encoder": multilingual(24, 16), "tokenizer": whole_words(("<s>", "</s>"))}
    pipe = quiet(KandinskyPipeline(**parts_, unet=unet, scheduler=plain_ddim(), movq=movq()))
    images = {"image_embeds": vectors(43), "negative_image_embeds": vectors(44)}
    # The sides are rounded to multiples of the square of the codec's factor.
    make = call(negative_prompt=NEGATIVE, **images)

    def texts():
        found = pipe._encode_prompt(PROMPT, "cpu", 1, True, NEGATIVE)[1]
        return {"neg": found[0], "pos": found[1]}

    note = f"{JOINED} The UNet puts 10 tokens of the image's embedding in front of the 77 of the text."
    if slices:
        pipe.unet.set_attention_slice(slices)
    return Case(pipe, make, GUIDED, texts, note)


def kandinsky22():
    unet = simple(
        in_channels=4,
        out_channels=8,
        addition_embed_type="image",
        encoder_hid_dim=16,
        encoder_hid_dim_type="image_proj",
    )
    pipe = quiet(KandinskyV22Pipeline(unet=unet, scheduler=plain_ddim(), movq=movq()))
    make = call(prompt=..., image_embeds=vectors(43), negative_image_embeds=vectors(44))
    note = f"{JOINED} encoder_hidden_states is None; the UNet makes 32 tokens of the image's embedding. No text at all."
    return Case(pipe, make, GUIDED, note=note)


def floyd(kind, **config):
    settings = {
        "in_channels": 3,
        "out_channels": 6,
        "cross_attention_dim": 32,  # group_norm of the text has 32 groups
        "encoder_hid_dim": 16,
        "encoder_hid_dim_type": "text_proj",
        "addition_embed_type": "text",
        "addition_embed_type_num_heads": 2,
        "cross_attention_norm": "group_norm",
        "norm_num_groups": 4,
        "act_fn": "gelu",
    }
    components = {
        "unet": simple(**(settings | config)),
        "text_encoder": t5(),
        "tokenizer": whole_words(("</s>",)),
        "scheduler": DDPMScheduler(variance_type="learned_range", thresholding=True),
        "safety_checker": None,
        "feature_extractor": None,
        "watermarker": None,
        "requires_safety_checker": False,
    }
    if kind is IFSuperResolutionPipeline:
        components["image_noising_scheduler"] = DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    return quiet(kind(**components))


def floyd_texts(pipe):
    given = pipe.encode_prompt(PROMPT, True, 1, "cpu", NEGATIVE)
    return {"pos": given[0][0], "neg": given[1][0]}


TEXT_FIRST = f"{JOINED} 77 tokens of T5, projected by the UNet (encoder_hid_proj)."


def floyd_base(pictures=1):
    pipe = floyd(IFPipeline)
    make = call(negative_prompt=NEGATIVE, clean_caption=False, num_images_per_prompt=pictures)
    return Case(pipe, make, repeated(GUIDED, pictures), lambda: floyd_texts(pipe), TEXT_FIRST)


def floyd_larger():
    pipe = floyd(IFSuperResolutionPipeline, in_channels=6, class_embed_type="timestep")
    make = call(
        negative_prompt=NEGATIVE, clean_caption=False, image=lambda: picture(height=16, width=24), noise_level=100
    )
    return Case(pipe, make, GUIDED, lambda: floyd_texts(pipe), TEXT_FIRST)


def unclip():
    width, time = 16, 8 * 4
    text = parts.text(width, projection=width, seed=45)
    prior = parts.seeded(
        46, PriorTransformer, num_attention_heads=2, attention_head_dim=8, embedding_dim=width, num_layers=1,
        num_embeddings=parts.tokenizer().model_max_length,
    )  # fmt: skip
    projection = parts.seeded(
        47, UnCLIPTextProjModel, clip_embeddings_dim=width, time_embed_dim=time, cross_attention_dim=16
    )
    larger = {
        "sample_size": 16,
        "layers_per_block": 1,
        "block_out_channels": (8, 8),
        "down_block_types": ("ResnetDownsampleBlock2D",) * 2,
        "up_block_types": ("ResnetUpsampleBlock2D",) * 2,
        "norm_num_groups": 4,
        "in_channels": 6,
        "out_channels": 3,
    }
    pipe = quiet(
        UnCLIPPipeline(
            prior=prior,
            decoder=simple(in_channels=3, out_channels=6, class_embed_type="identity", sample_size=8),
            text_encoder=text,
            tokenizer=parts.tokenizer(),
            text_proj=projection,
            super_res_first=parts.seeded(48, UNet2DModel, **larger),
            super_res_last=parts.seeded(49, UNet2DModel, **larger),
            prior_scheduler=UnCLIPScheduler(
                variance_type="fixed_small_log",
                prediction_type="sample",
                num_train_timesteps=1000,
                clip_sample_range=5.0,
            ),
            decoder_scheduler=UnCLIPScheduler(variance_type="learned_range", num_train_timesteps=1000),
            super_res_scheduler=UnCLIPScheduler(variance_type="fixed_small_log", num_train_timesteps=1000),
        )
    )
    make = call(
        height=...,
        width=...,
        num_inference_steps=...,
        prior_num_inference_steps=2,
        decoder_num_inference_steps=2,
        super_res_num_inference_steps=2,
    )
    note = (
        f"{JOINED} Of the text keys the first four are of the image's embedding, then the text's; attention_mask "
        "leaves out the padding. The model is `decoder`; the prior is a transformer of its own. Always square."
    )
    return Case(pipe, make, GUIDED, note=note, model="decoder", square=True)


CASES = {
    "kandinsky 2.1": kandinsky,
    "kandinsky 2.1 sliced": lambda: kandinsky(1),
    "kandinsky 2.2": kandinsky22,
    "deepfloyd if": floyd_base,
    "deepfloyd if several": lambda: floyd_base(2),
    "deepfloyd if larger": floyd_larger,
    "unclip": unclip,
}
