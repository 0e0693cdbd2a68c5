"""The shapes of every attention of a UNet, seen in a run of its configuration on the meta device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import nn

from attnscope.capture.looking import kinds_of_call
from attnscope.capture.plan import SiteShape
from attnscope.capture.shapes import inputs, shape_model
from attnscope.capture.sites import Site, find_sites
from attnscope.errors import CaptureError

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

__all__ = ["site_shapes"]

#: Shapes that were found, by class, configuration and sizes: who plans one capture tries several options.
_FOUND: dict[tuple[Any, ...], tuple[SiteShape, ...]] = {}
_REMEMBERED = 16

Masks: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]


def site_shapes(
    unet: UNet2DConditionModel, height: int, width: int, text: int, images: int = 0, masks: Masks = ()
) -> tuple[SiteShape, ...]:
    """Find the shapes of every attention of a UNet, from a run of its configuration on the meta device.

    Parameters
    ----------
    unet
        Of which only the configuration is read.
    height, width
        Of the latents.
    text
        Positions of the text.
    images
        Tokens of image prompts, which adapters put beside the text; the configuration does not say.
    masks
        Names of the call's masks, with their shapes for one picture; a bias is kept where one reaches self-attention.

    Returns
    -------
    tuple of SiteShape
        In network order, one for each kind of attention in a site's call; sites that the model does not call are not in
        it.

    Raises
    ------
    CaptureError
        If the configuration cannot be run at this size.
    """
    key = (type(unet), repr(sorted(unet.config.items())), height, width, text, images, masks)
    if key not in _FOUND:
        if len(_FOUND) >= _REMEMBERED:
            _FOUND.clear()
        _FOUND[key] = _run_shapes(unet, height, width, text, images, masks)
    return _FOUND[key]


def _run_shapes(
    unet: UNet2DConditionModel, height: int, width: int, text: int, images: int, masks: Masks
) -> tuple[SiteShape, ...]:
    model = shape_model(unet.config, type(unet))
    sites = find_sites(model)
    seen: dict[str, list[SiteShape]] = {}
    grids: dict[str, tuple[int, int]] = {}
    for site in sites:
        _watch_grid(model.get_submodule(site.container), site.container, grids)
        _watch_site(model.get_submodule(site.module), site, images, grids, seen)
    try:
        with torch.no_grad():
            given = {name: torch.ones(1, *shape, device="meta") for name, shape in masks}
            model(**inputs(model, height, width, text), **given)
    except Exception as error:
        msg = (
            f"What a capture of this {type(unet).__name__} takes cannot be told: a model of its configuration does "
            f"not run on latents of {height}x{width}: {error}. Capture it without budget=, or at another size."
        )
        raise CaptureError(msg) from error
    return tuple(shape for site in sites for shape in seen.get(site.module, []))


def _watch_grid(container: nn.Module, path: str, grids: dict[str, tuple[int, int]]) -> None:
    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        hidden = args[0] if args else kwargs["hidden_states"]
        if hidden.ndim == 4:
            grids[path] = (hidden.shape[-2], hidden.shape[-1])

    container.register_forward_pre_hook(before, with_kwargs=True)


def _watch_site(
    attention: Any, site: Site, images: int, grids: dict[str, tuple[int, int]], seen: dict[str, list[SiteShape]]
) -> None:
    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        text = kwargs.get("encoder_hidden_states", args[1] if len(args) > 1 else None)
        if site.container not in grids:  # not seen by a capture either
            return
        grid = grids[site.container]
        width = attention.inner_dim // site.heads
        keys = {"cross": 0 if text is None else text.shape[1], "self": grid[0] * grid[1], "image": images}
        kinds = kinds_of_call(module, text, images > 0)
        joint = "cross" in kinds and "self" in kinds
        mask = kwargs.get("attention_mask", args[2] if len(args) > 2 else None)
        seen[site.module] = [
            SiteShape(site, kind, grid, width, keys[kind], joint and kind == "cross", mask is not None)
            for kind in kinds
        ]

    attention.register_forward_pre_hook(before, with_kwargs=True)
