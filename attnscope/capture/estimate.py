"""What there is to know of a run before it happens: shapes of its attention, its steps, its words."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from diffusers import UNet2DConditionModel

from attnscope.capture.budget import check_budget
from attnscope.capture.plan import Plan, SiteShape, dtype_name
from attnscope.capture.planner import Planner
from attnscope.capture.prompts import Prompts
from attnscope.capture.recording import Row
from attnscope.capture.shapes import find_unet, latent_size, pixels_of_a_cell, text_length
from attnscope.capture.site_shapes import site_shapes
from attnscope.capture.sizes import show_bytes
from attnscope.capture.tokens import Text, label_positions
from attnscope.errors import CaptureError, TruncatedPromptWarning

if TYPE_CHECKING:
    from attnscope.capture.options import Options
    from attnscope.capture.run import Run

__all__ = ["estimate", "planner_of_call"]


def estimate(
    target: Any,
    options: Options,
    *,
    height: int | None,
    width: int | None,
    num_inference_steps: int,
    prompts: Mapping[str, str | Sequence[str] | None],
    num_images_per_prompt: int,
    model_dtype: Any,
    on_disk: bool = False,
) -> Plan:
    """Plan a capture that has not begun; `attnscope.estimate` documents it."""
    if isinstance(target, Mapping):
        with torch.device("meta"):
            target = UNet2DConditionModel.from_config(dict(target))
    unet = find_unet(target)
    notes: list[str] = []
    given = {name: value for name, value in prompts.items() if value is not None}
    prompt = given.get("prompt", [])
    images = max(1 if isinstance(prompt, str) else len(prompt), 1) * num_images_per_prompt
    branches, images = _groups(target, options, images, notes)
    size = latent_size(target, *_size(target, unet, height, width))
    sites = site_shapes(unet, *size, text_length(target))
    if "image" in options.kinds:
        _without_pictures(options, notes)
    planner = Planner(
        sites=sites,
        options=_by_name(options) | {"branches": branches},
        images=images,
        total=_calls(target, num_inference_steps, notes),
        texts=_texts(target, unet, given, branches, images, sites, options, notes),
        model_dtype=dtype_name(unet.dtype if model_dtype is None else model_dtype),
        notes=tuple(notes),
    )
    if options.budget is not None and not on_disk:
        return check_budget(planner, options.budget)
    plan = planner.plan()
    if not on_disk:
        return plan
    passing = show_bytes(plan.bytes_per_step + plan.working_nbytes)
    note = f"With store= all of it is on disk; in memory is no more than the step under way, {passing}."
    return replace(plan, notes=(*plan.notes, note))


def planner_of_call(
    model: Any,
    call: Mapping[str, Any],
    options: Options,
    run: Run,
    rows: Sequence[Row],
    total: int | None,
    steps: int,
) -> Planner:
    """Tell what is known of a run once its denoiser is called.

    Parameters
    ----------
    model
        The denoiser.
    call
        What it is called with, by name.
    options
        What to keep.
    run
        What the pipeline's call told.
    rows
        Whose attention is kept.
    total
        Number of steps, where that is known.
    steps
        Number of steps that are kept at the least.

    Raises
    ------
    CaptureError
        If the denoiser is none whose shapes can be told.
    """
    if not isinstance(model, UNet2DConditionModel):
        msg = (
            f"budget= plans a run from the shapes of its UNet, and knows only those of a UNet2DConditionModel; this is "
            f"a {type(model).__name__}. Capture it without budget=; steps= and layers= keep less of it, and store= "
            "keeps it on disk."
        )
        raise CaptureError(msg)
    text, sample = call.get("encoder_hidden_states"), call["sample"]
    pictures = _image_tokens(model, call)
    named = ((name, call.get(name)) for name in ("attention_mask", "encoder_attention_mask"))
    masks = tuple((name, tuple(mask.shape[1:])) for name, mask in named if mask is not None)
    height, width = sample.shape[-2:]
    sites = site_shapes(model, height, width, 1 if text is None else text.shape[1], pictures, masks)
    keys = _keys(sites)
    texts: dict[str, list[Text]] = {}
    for row in rows:
        known = run.text(row, keys) if options.labels is None else None
        texts.setdefault(row.branch, []).append(known or label_positions(keys, options.labels))
    planner = Planner(
        sites=sites,
        options=_by_name(options) | {"branches": tuple(texts)},
        images=len(rows) // len(texts),
        total=steps if total is None else total,
        texts=texts,
        model_dtype=dtype_name(_computing_dtype(model, sample.device.type)),
        pictures=pictures,
    )
    if total is not None and len(planner.kept_steps(options.steps)) >= steps:
        return planner
    # How long the run is going to be is not known: take it for as long as it has been until now, all of it kept.
    settled = frozenset() if options.steps is None else frozenset(["steps"])
    return replace(planner, options={**planner.options, "steps": None}, total=steps, settled=settled)


def _keys(sites: Sequence[SiteShape]) -> int:
    """Positions of the text; 0 where no site looks at one."""
    return next((one.keys for one in sites if one.kind == "cross"), 0)


def _by_name(options: Options) -> dict[str, Any]:
    named = {name: getattr(options, name) for name in ("kinds", "layers", "steps", "branches", "tokens", "reduce")}
    return named | {"dtype": options.dtype.name}


# --- of a call --------------------------------------------------------------------------------------------------------


def _computing_dtype(model: UNet2DConditionModel, device: str) -> torch.dtype:
    """In which queries and keys will be; autocast leaves nothing but float64 as it is."""
    if model.dtype != torch.float64 and torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return model.dtype


def _image_tokens(model: UNet2DConditionModel, call: Mapping[str, Any]) -> int:
    """Tokens of image prompts that the model's projections are going to make, of all adapters and pictures."""
    # Loading an adapter sets the configuration's attribute, not its entry.
    if getattr(model.config, "encoder_hid_dim_type", None) != "ip_image_proj":
        return 0
    embeds = (call.get("added_cond_kwargs") or {}).get("image_embeds")
    if embeds is None:
        return 0
    several = embeds if isinstance(embeds, (list, tuple)) else [embeds.unsqueeze(1)]
    layers: Any = getattr(model.encoder_hid_proj, "image_projection_layers", [])
    return sum(one.shape[1] * _tokens_of(layer, one) for layer, one in zip(layers, several, strict=False))


def _tokens_of(layer: Any, embeds: torch.Tensor) -> int:
    """Tokens of one picture: so many as the projection is made for, else one for each vector that it gets."""
    for name in ("num_image_text_embeds", "num_tokens"):
        if hasattr(layer, name):
            return int(getattr(layer, name))
    if hasattr(layer, "latents"):  # a resampler's queries
        return int(layer.latents.shape[1])
    return int(embeds.shape[2]) if embeds.ndim == 4 else 1


# --- before there is a call -------------------------------------------------------------------------------------------


def _without_pictures(options: Options, notes: list[str]) -> None:
    """Say that image prompts are not counted; refuse where there is nothing else to count."""
    if set(options.kinds) == {"image"}:
        msg = (
            "kinds='image' cannot be estimated: how many tokens image prompts have is known when the pipeline is "
            "called. attnscope.capture(pipe, kinds='image', budget=...) plans it then, before the first step."
        )
        raise ValueError(msg)
    notes.append("Not counted: attention to image prompts, whose tokens are known when the pipeline is called.")


def _groups(target: Any, options: Options, images: int, notes: list[str]) -> tuple[tuple[str, ...], int]:
    """Branches that are kept, and the rows of each."""
    layout, wanted = options.layout, options.branches
    if "edit" in wanted:
        notes.append("Assumed: one editing prompt; each further one is another branch.")
    if layout is None:
        return wanted, images
    if callable(layout):
        notes.append("Assumed: layout= names every branch that is kept, each once for every picture.")
        return wanted, images
    names = list(layout)
    kept = tuple(name for name in wanted if name in names)
    often = max((names.count(name) for name in kept), default=0)
    # Of a UNet alone the batch is known, and the layout's parts are parts of it.
    each = images if hasattr(target, "unet") else max(images // max(len(names), 1), 1)
    return kept, each * often


def _size(target: Any, unet: UNet2DConditionModel, height: int | None, width: int | None) -> tuple[int, int]:
    """Height and width of the picture; the pipeline's own where they are not given."""
    if height is not None and width is not None:
        return height, width
    cells = unet.config["sample_size"]
    if cells is None:
        msg = "The configuration of this model names no size. Give height= and width= of the picture, in pixels."
        raise ValueError(msg)
    rows, columns = (cells, cells) if isinstance(cells, int) else cells
    pixels = pixels_of_a_cell(target)
    return (rows * pixels if height is None else height), (columns * pixels if width is None else width)


def _calls(target: Any, steps: int, notes: list[str]) -> int:
    """Count the calls of the denoiser: a solver of second order calls it twice in nearly every step."""
    scheduler = getattr(target, "scheduler", None)
    if scheduler is None:
        return steps
    try:
        copy = type(scheduler).from_config(scheduler.config)
        copy.set_timesteps(steps)
        return len(copy.timesteps)
    except Exception as error:
        notes.append(f"Assumed: {steps} calls of the model; {type(scheduler).__name__} could not be asked: {error}.")
        return steps


def _texts(
    target: Any,
    unet: UNet2DConditionModel,
    given: Mapping[str, Any],
    branches: Sequence[str],
    images: int,
    sites: Sequence[SiteShape],
    options: Options,
    notes: list[str],
) -> dict[str, list[Text]]:
    """Read the text of every picture of a branch; every position counts where that is not known."""
    keys = _keys(sites)
    if options.labels is not None:
        return {branch: [label_positions(keys, options.labels)] for branch in branches}
    has_tokenizer = any(getattr(target, name, None) is not None for name in ("tokenizer", "tokenizer_2"))
    only_pictures = hasattr(target, "unet") and not hasattr(target, "tokenizer")
    prompts = Prompts(target, unet, given)
    prompts.images = images
    texts: dict[str, list[Text]] = {}
    for branch in branches:
        known: list[Text | None] = [None]
        # A negative prompt that is not given is empty, but only of a call whose prompt is given.
        if only_pictures or (
            has_tokenizer and ("prompt" in given or (branch != "cond" and "negative_prompt" in given))
        ):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", TruncatedPromptWarning)  # the capture says so
                known = [prompts.text(Row(branch, image), keys) for image in range(images)]
        texts[branch] = [label_positions(keys) if one is None else one for one in known]
        if None in known and options.tokens != "all" and "cross" in options.kinds:
            why = _why_unknown(branch, given, has_tokenizer=has_tokenizer)
            of = "" if branch == "cond" else f" of the branch {branch!r}"
            notes.append(f"Assumed: all {keys} positions of the text{of} are kept; {why}.")
    return texts


def _why_unknown(branch: str, given: Mapping[str, Any], *, has_tokenizer: bool) -> str:
    if not has_tokenizer:
        return "there is no tokenizer"
    if "prompt" not in given:
        return "no prompt was given"
    if branch in ("edit", "safety"):
        return "its text is none that is given here"
    return "the tokenizer's are not those of the keys"
