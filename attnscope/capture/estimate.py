"""What there is to know of a run before it happens: shapes of its attention, its steps, its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from attnscope.capture.budget import check_budget
from attnscope.capture.plan import Plan, SiteShape, dtype_name
from attnscope.capture.planner import Planner
from attnscope.capture.shapes import find_unet, inputs, latent_size, pixels_of_a_cell, shape_model, text_length
from attnscope.capture.sites import Site, find_sites
from attnscope.capture.tokens import Text, choose_columns, label_positions, read_prompt
from attnscope.errors import CaptureError

if TYPE_CHECKING:
    from attnscope.capture.options import Options
    from attnscope.capture.recording import Row
    from attnscope.capture.run import Run

__all__ = ["estimate", "planner_of_call", "site_shapes"]

#: Shapes that were found, by class, configuration and sizes: who plans one capture tries several options.
_FOUND: dict[tuple[Any, ...], tuple[SiteShape, ...]] = {}
_REMEMBERED = 16


def estimate(
    target: Any,
    options: Options,
    *,
    height: int | None,
    width: int | None,
    num_inference_steps: int,
    prompt: str | Sequence[str] | None,
    num_images_per_prompt: int,
    model_dtype: Any,
) -> Plan:
    """Plan a capture that has not begun; `attnscope.estimate` documents it."""
    if isinstance(target, Mapping):
        with torch.device("meta"):
            target = UNet2DConditionModel.from_config(dict(target))
    unet = find_unet(target)
    notes: list[str] = []
    prompts = [prompt] if isinstance(prompt, str) else list(prompt or [])
    size = latent_size(target, *_size(target, unet, height, width))
    sites = site_shapes(unet, *size, text_length(target))
    texts = _texts(target, prompts, _keys(sites), options, notes)
    planner = Planner(
        sites=sites,
        options=_by_name(options),
        images=max(len(prompts), 1) * num_images_per_prompt,
        total=_calls(target, num_inference_steps, notes),
        columns=_columns(texts),
        model_dtype=dtype_name(unet.dtype if model_dtype is None else model_dtype),
        notes=tuple(notes),
    )
    return planner.plan() if options.budget is None else check_budget(planner, options.budget)


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
    """
    text = call.get("encoder_hidden_states")
    height, width = call["sample"].shape[-2:]
    sites = site_shapes(model, height, width, 1 if text is None else text.shape[1])
    keys = _keys(sites)
    texts = [
        (run.text(row, keys) if options.labels is None else None) or label_positions(keys, options.labels)
        for row in rows
    ]
    branches = tuple(dict.fromkeys(row.branch for row in rows))
    planner = Planner(
        sites=sites,
        options=_by_name(options) | {"branches": branches},
        images=len(rows) // len(branches),
        total=steps if total is None else total,
        columns=_columns(texts),
        model_dtype=dtype_name(model.dtype),
    )
    if total is not None and len(planner.kept_steps(options.steps)) >= steps:
        return planner
    # How long the run is going to be is not known: take it for as long as it has been until now, all of it kept.
    settled = frozenset() if options.steps is None else frozenset(["steps"])
    return replace(planner, options={**planner.options, "steps": None}, total=steps, settled=settled)


def _keys(sites: Sequence[SiteShape]) -> int:
    """Positions of the text; 0 where no site looks at one."""
    return next((one.keys for one in sites if one.kind == "cross"), 0)


def _columns(texts: Sequence[Text]) -> dict[str, int]:
    return {choice: len(choose_columns(texts, choice)[0][0]) for choice in ("prompt", "all")}


def _by_name(options: Options) -> dict[str, Any]:
    named = {name: getattr(options, name) for name in ("kinds", "layers", "steps", "branches", "tokens", "reduce")}
    return named | {"dtype": options.dtype.name}


def site_shapes(unet: UNet2DConditionModel, height: int, width: int, text: int) -> tuple[SiteShape, ...]:
    """Find the shapes of every attention of a UNet, from a run of its configuration on the meta device.

    Parameters
    ----------
    unet
        Of which only the configuration is read.
    height, width
        Of the latents.
    text
        Positions of the text.

    Returns
    -------
    tuple of SiteShape
        In network order; sites that the model does not call are not in it.

    Raises
    ------
    CaptureError
        If the configuration cannot be run at this size.
    """
    key = (type(unet), repr(sorted(unet.config.items())), height, width, text)
    if key not in _FOUND:
        if len(_FOUND) >= _REMEMBERED:
            _FOUND.clear()
        _FOUND[key] = _run_shapes(unet, height, width, text)
    return _FOUND[key]


def _run_shapes(unet: UNet2DConditionModel, height: int, width: int, text: int) -> tuple[SiteShape, ...]:
    model = shape_model(unet.config, type(unet))
    sites, seen = find_sites(model), {}
    grids: dict[str, tuple[int, int]] = {}
    for site in sites:
        _watch_grid(model.get_submodule(site.container), site.container, grids)
        _watch_site(model.get_submodule(site.module), site, grids, seen)
    try:
        with torch.no_grad():
            model(**inputs(model, height, width, text))
    except Exception as error:
        msg = (
            f"What a capture of this {type(unet).__name__} takes cannot be told: a model of its configuration does "
            f"not run on latents of {height}x{width}: {error}. Capture it without budget=, or at another size."
        )
        raise CaptureError(msg) from error
    return tuple(seen[site.module] for site in sites if site.module in seen)


def _watch_grid(container: nn.Module, path: str, grids: dict[str, tuple[int, int]]) -> None:
    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        hidden = args[0] if args else kwargs["hidden_states"]
        if hidden.ndim == 4:
            grids[path] = (hidden.shape[-2], hidden.shape[-1])

    container.register_forward_pre_hook(before, with_kwargs=True)


def _watch_site(attention: Any, site: Site, grids: dict[str, tuple[int, int]], seen: dict[str, SiteShape]) -> None:
    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        text = kwargs.get("encoder_hidden_states", args[1] if len(args) > 1 else None)
        hidden = args[0] if args else kwargs["hidden_states"]
        if site.container not in grids:  # not seen by a capture either
            return
        keys = (hidden if text is None else text).shape[1]
        width = attention.inner_dim // site.heads
        seen[site.module] = SiteShape(site, "self" if text is None else "cross", grids[site.container], width, keys)

    attention.register_forward_pre_hook(before, with_kwargs=True)


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


def _texts(target: Any, prompts: Sequence[str], keys: int, options: Options, notes: list[str]) -> list[Text]:
    tokenizer = getattr(target, "tokenizer", None)
    if options.labels is not None:
        return [label_positions(keys, options.labels)]
    if prompts and tokenizer is not None:
        convert = getattr(target, "maybe_convert_prompt", lambda prompt, _: prompt)
        texts = [read_prompt(tokenizer, convert(prompt, tokenizer)) for prompt in prompts]
        if all(len(text.tokens) == keys for text in texts):
            return texts
        notes.append("Assumed: every position of the text is kept; the tokenizer's are not those of the keys.")
    elif options.tokens != "all" and "cross" in options.kinds:
        why = "there is no tokenizer" if tokenizer is None else "no prompt was given"
        notes.append(f"Assumed: all {keys} positions of the text are kept; {why}.")
    return [label_positions(keys)]
