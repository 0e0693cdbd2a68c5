"""Writing and reading the weights folder, which has the layout of diffusers.

Weights are stored as float16 and read as float32. Reading goes part by part instead of through
`from_pretrained`, which takes longer and shows progress bars; both read the same folder.
"""

# diffusers exports lazily and types its modules loosely; pyright cannot follow it there.
# pyright: reportArgumentType=false
# pyright: reportPrivateImportUsage=false
from __future__ import annotations

import json
from typing import TYPE_CHECKING

from attnscope.demo.vocabulary import write_vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from diffusers import AutoencoderKL, StableDiffusionPipeline

_FILES = {
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
    "unet": "diffusion_pytorch_model.safetensors",
}
# What the names of the text encoder's weights begin with in every published Stable Diffusion.
_TEXT_MODEL = "text_model."


def save_weights(folder: Path, vae: AutoencoderKL, model: torch.nn.ModuleDict) -> None:
    """Write the pipeline to a folder.

    Parameters
    ----------
    folder
        Written file by file; other files in it stay.
    vae
        The autoencoder.
    model
        With entries `text_encoder` and `unet`.
    """
    import torch
    from safetensors.torch import save_file

    from attnscope.demo.model import assemble

    pipe = assemble(vae=vae, text_encoder=model["text_encoder"], unet=model["unet"])
    pipe.save_config(folder)
    pipe.scheduler.save_pretrained(folder / "scheduler")
    pipe.tokenizer.save_pretrained(folder / "tokenizer")
    write_vocabulary(folder / "tokenizer")
    pipe.vae.save_config(folder / "vae")
    pipe.unet.save_config(folder / "unet")
    # transformers takes the type of the weights from the configuration: run in float32.
    pipe.text_encoder.config.dtype = "float32"
    pipe.text_encoder.config.save_pretrained(folder / "text_encoder")
    for part, file in _FILES.items():
        halves = {
            _stored_name(part, name): value.detach().to("cpu", torch.float16).contiguous()
            for name, value in getattr(pipe, part).state_dict().items()
        }
        save_file(halves, folder / part / file, metadata={"format": "pt"})
        # safetensors makes files that only their owner may read; a wheel would keep that.
        (folder / part / file).chmod(0o644)


def _stored_name(part: str, name: str) -> str:
    """Name of a weight in its file, whether or not it has the prefix now: a module of transformers 5.6 has not."""
    return _TEXT_MODEL + name.removeprefix(_TEXT_MODEL) if part == "text_encoder" else name


def read_weights(folder: Path) -> StableDiffusionPipeline:
    """Read the pipeline from a folder, in float32."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from safetensors.torch import load_file
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    from attnscope.demo.model import assemble

    def filled(module: torch.nn.Module, part: str) -> torch.nn.Module:
        file = load_file(folder / part / _FILES[part])
        stored = {_stored_name(part, name): value for name, value in file.items()}
        module.load_state_dict({name: stored[_stored_name(part, name)] for name in module.state_dict()})
        return module.eval()

    def config(part: str) -> dict[str, object]:
        return json.loads((folder / part / "config.json").read_text())

    vae = AutoencoderKL.from_config(config("vae"))
    unet = UNet2DConditionModel.from_config(config("unet"))
    text_encoder = CLIPTextModel(CLIPTextConfig.from_dict(config("text_encoder")))
    return assemble(
        vae=filled(vae, "vae"),
        text_encoder=filled(text_encoder, "text_encoder"),
        unet=filled(unet, "unet"),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
    )
