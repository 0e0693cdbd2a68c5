"""What is added to a pipeline's UNet: ControlNet, T2I-Adapter, IP-Adapter, LoRA."""

import torch
from diffusers import (
    ControlNetModel,
    StableDiffusionAdapterPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionPAGPipeline,
    StableDiffusionXLControlNetPipeline,
    T2IAdapter,
)
from peft import LoraConfig

from zoo import parts, sdxl, stable
from zoo.case import NEGATIVE, PROMPT, Case, call, generator, picture
from zoo.stable import GUIDED

IMAGE = 16  # width of an image's embedding


def noisy(model, seed: int):
    """What starts at zero gets random weights, so that it matters."""
    random = generator(seed)
    for weights in model.parameters():
        if not weights.any():
            weights.data.normal_(0, 0.1, generator=random)
    return model


def controlling(unet, seed=9):
    torch.manual_seed(seed)
    return noisy(ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16)), seed).eval()


def controlnet(**more):
    unet = parts.unet()
    pipe = stable.stable(StableDiffusionControlNetPipeline, unet=unet, controlnet=controlling(unet))
    make = call(image=picture, negative_prompt=NEGATIVE, **more)
    note, control = "The ControlNet gets the same rows.", GUIDED
    if more:
        note, control = "guess_mode: the ControlNet gets the pos rows alone.", [("pos",)]
    return Case(
        pipe, make, GUIDED, lambda: stable.encoded(pipe, PROMPT, NEGATIVE), note, others={"controlnet": control}
    )


def two_controlnets():
    unet = parts.unet()
    controls = [controlling(unet, seed) for seed in (9, 15)]
    pipe = stable.stable(StableDiffusionControlNetPipeline, unet=unet, controlnet=controls)
    make = call(image=lambda: [picture(), picture(1)], negative_prompt=NEGATIVE)
    note = "pipe.controlnet is a MultiControlNetModel, which has no attn_processors; its parts, in `nets`, have."
    return Case(pipe, make, GUIDED, lambda: stable.encoded(pipe, PROMPT, NEGATIVE), note)


def wide_controlnet():
    unet = parts.wide()
    pipe = sdxl.wide(StableDiffusionXLControlNetPipeline, unet=unet, controlnet=controlling(unet))
    make = call(image=picture, negative_prompt=NEGATIVE)
    return Case(pipe, make, GUIDED, lambda: sdxl.encoded(pipe, negative=NEGATIVE), others={"controlnet": GUIDED})


def t2i():
    torch.manual_seed(10)
    adapter = T2IAdapter(channels=[8, 16, 24, 24], num_res_blocks=1, downscale_factor=2)
    pipe = stable.stable(StableDiffusionAdapterPipeline, adapter=adapter)
    make = call(image=picture, negative_prompt=NEGATIVE)
    return Case(pipe, make, GUIDED, lambda: stable.encoded(pipe, PROMPT, NEGATIVE), "The adapter has no attention.")


def image_adapter(unet, full: bool = False, seed: int = 11) -> dict:
    """The state dict of an IP-Adapter: a projection to tokens, and keys and values for each cross-attention.

    The plain projection makes four tokens (diffusers takes them for granted) of one vector; the ``full`` one a token
    of each vector that it gets.
    """
    random = generator(seed)
    width = unet.config.cross_attention_dim

    def linear(name, *shape):
        return {f"{name}.weight": some(*shape), f"{name}.bias": some(shape[0])}

    def some(*shape):
        return 0.5 * torch.randn(*shape, generator=random)

    if full:
        projection = linear("proj.0", IMAGE, IMAGE) | linear("proj.2", width, IMAGE) | linear("proj.3", width)
    else:
        projection = linear("proj", 4 * width, IMAGE) | linear("norm", width)
    layers = {}
    sites = [name for name in unet.attn_processors if name.endswith("attn2.processor") and "motion" not in name]
    for number, name in enumerate(sites):
        query = unet.get_submodule(name.removesuffix(".processor")).to_q
        for kind in ("k", "v"):
            layers[f"{2 * number + 1}.to_{kind}_ip.weight"] = some(query.out_features, width)
    return {"image_proj": projection, "ip_adapter": layers}


def load_image_adapters(pipe, *kinds: str):
    states = [image_adapter(pipe.unet, kind == "full", 11 + i) for i, kind in enumerate(kinds)]
    pipe.unet._load_ip_adapter_weights(states)


def unload_image_adapters(pipe):
    pipe.unload_ip_adapter()


def image_embeds(*kinds: str, guided: bool = True, pictures: int = 1):
    """One tensor for each adapter, [neg, pos] with guidance; for a full one, of six vectors a picture."""
    shapes = [(2 if guided else 1, pictures, *((6,) if kind == "full" else ()), IMAGE) for kind in kinds]
    return [torch.randn(*shape, generator=generator(20 + i)) for i, shape in enumerate(shapes)]


def halves(adapters: int, pictures: int):
    """Masks of each adapter: the left half and the right half of the picture, by turns."""
    left = (torch.arange(48) < 24).float().expand(32, 48)
    sides = [torch.stack([(left, 1 - left)[(i + j) % 2] for j in range(pictures)]) for i in range(adapters)]
    return [side[None] for side in sides]


def image_prompted(*kinds, masks=False, wide=False, guided=True, pictures=1):
    pipe = sdxl.wide() if wide else stable.stable()
    load_image_adapters(pipe, *kinds)
    more = {}
    if masks:
        more = {"cross_attention_kwargs": lambda: {"ip_adapter_masks": halves(len(kinds), pictures)}}
    make = call(
        ip_adapter_image_embeds=lambda: image_embeds(*kinds, guided=guided, pictures=pictures),
        negative_prompt=NEGATIVE,
        guidance_scale=7.5 if guided else 1.0,
        **more,
    )

    def texts():
        return sdxl.encoded(pipe, negative=NEGATIVE) if wide else stable.encoded(pipe, PROMPT, NEGATIVE)

    tokens = [pictures * (6 if kind == "full" else 4) for kind in kinds]
    each = "for each adapter and picture" if masks else "for each adapter, over its pictures' tokens in one row"
    note = f"attn2: a softmax over the text, then one {each} ({tokens} image tokens an adapter)."
    return Case(pipe, make, GUIDED if guided else [("pos",)], texts, note)


def perturbed():
    pipe = stable.stable(StableDiffusionPAGPipeline, pag_applied_layers=["mid"])
    load_image_adapters(pipe, "plain")
    make = call(negative_prompt=NEGATIVE, pag_scale=3.0, ip_adapter_image_embeds=lambda: image_embeds("plain"))
    rows = [("neg", "pos", "pos")]
    note = "An image adapter with PAG: the image's tokens are [neg, pos, pos] too."
    return Case(pipe, make, rows, lambda: stable.encoded(pipe, PROMPT, NEGATIVE), note)


def lora(**more):
    case = stable.text_to_image()
    config = LoraConfig(
        r=4,
        lora_alpha=8,
        init_lora_weights=False,
        target_modules=["to_q", "to_k", "to_v", "to_out.0"],
    )
    torch.manual_seed(12)
    case.pipe.unet.add_adapter(config)
    case.make = call(negative_prompt=NEGATIVE, **more)
    case.note += " PEFT: to_q, to_k, to_v, to_out.0 are lora.Linear; paths of attention modules are unchanged."
    return case


CASES = {
    "controlnet": controlnet,
    "controlnet guess mode": lambda: controlnet(guess_mode=True),
    "controlnet two": two_controlnets,
    "controlnet sdxl": wide_controlnet,
    "t2i adapter": t2i,
    "ip adapter": lambda: image_prompted("plain"),
    "ip adapter unguided": lambda: image_prompted("plain", guided=False),
    "ip adapter masked": lambda: image_prompted("plain", masks=True),
    "ip adapter two": lambda: image_prompted("plain", "full"),
    "ip adapter two masked": lambda: image_prompted("plain", "full", masks=True),
    "ip adapter two pictures": lambda: image_prompted("plain", pictures=2),
    "ip adapter two pictures masked": lambda: image_prompted("plain", masks=True, pictures=2),
    "ip adapter sdxl": lambda: image_prompted("plain", wide=True),
    "ip adapter pag": perturbed,
    "lora": lora,
    "lora scaled": lambda: lora(cross_attention_kwargs={"scale": 0.5}),
}
