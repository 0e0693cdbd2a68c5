"""The attention sites of a model: what they are called and where they sit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeAlias

from attnscope.errors import CaptureError, UnknownLayerError, choices

if TYPE_CHECKING:
    from torch import nn

__all__ = ["LayerSelection", "Site", "distinct", "find_sites", "select_sites"]

_PATH = re.compile(
    r"(?P<place>down|up|mid)_block(?:s\.(?P<block>\d+))?"
    r"\.(?P<family>attentions|motion_modules|temp_attentions)\.(?P<attention>\d+)"
    r"(?:\.(?:temporal_)?transformer_blocks\.(?P<depth>\d+))?(?:\.(?P<part>attn\d))?"
)
#: Modules of video models that attend from frame to frame, at one pixel.
_ALONG_FRAMES = ("motion_modules", "temp_attentions", "transformer_in", "temporal_transformer_blocks")


@dataclass(frozen=True)
class Site:
    """One attention module of a model.

    Parameters
    ----------
    layer
        Short label in the model's own numbering, such as ``up.1.0``; the transformer block's index follows as a
        fourth part where there is more than one (SDXL: ``down.1.0.3``).
    kind
        ``"cross"``, ``"self"`` or ``"temporal"`` (from frame to frame), as the module was built; a probe goes by what
        a call really does.
    place, block, attention, depth
        Where it sits; ``block`` is -1 in the middle, which has only one.
    module
        Dotted path of the attention module, as in ``unet.attn_processors`` without ``.processor``.
    container
        Dotted path of the module whose input is still an image, and so gives the grid (where the attention's own is
        not one).
    heads
        Number of heads.
    """

    layer: str
    kind: str
    place: str
    block: int
    attention: int
    depth: int
    module: str
    container: str
    heads: int


LayerSelection: TypeAlias = str | Sequence[str] | Callable[[Site], bool] | None


def find_sites(model: nn.Module) -> list[Site]:
    """List the attention sites of ``model`` in network order (down, mid, up).

    Parameters
    ----------
    model
        A diffusers model with ``attn_processors``, such as ``UNet2DConditionModel``.

    Raises
    ------
    CaptureError
        If the model has no ``attn_processors``.
    """
    processors: dict[str, Any] | None = getattr(model, "attn_processors", None)
    if not processors:
        msg = (
            f"{type(model).__name__} has no attn_processors, so attnscope cannot find its attention. "
            "Give a diffusers pipeline, or its UNet (pipe.unet)."
        )
        raise CaptureError(msg)
    paths = [name.removesuffix(".processor") for name in processors]
    depths: dict[str, int] = {}
    for path in paths:
        container = _container(path)
        depths[container] = max(depths.get(container, 0), _depth(path))
    sites = [_site(path, model.get_submodule(path), several=depths[_container(path)] > 0) for path in paths]
    sites = distinct(sites)
    order = {"down": 0, "mid": 1, "up": 2}
    return sorted(sites, key=lambda site: (order.get(site.place, 3), site.block, site.attention, site.depth))


def distinct(sites: list[Site]) -> list[Site]:
    """Tell apart two attentions of one block that are of one kind (``only_cross_attention``)."""
    twice = {key for key, count in Counter((site.layer, site.kind) for site in sites).items() if count > 1}
    return [
        replace(site, layer=f"{site.layer}.{site.module.rpartition('.')[2]}")
        if (site.layer, site.kind) in twice
        else site
        for site in sites
    ]


def _container(path: str) -> str:
    before, found, _ = path.partition(".transformer_blocks.")
    parent, _, name = path.rpartition(".")
    # One of a list stands alone, and gets the image itself.
    return before if found else path if name.isdigit() else parent


def _depth(path: str) -> int:
    found = _PATH.fullmatch(path)
    return int(found["depth"] or 0) if found else 0


def _site(path: str, module: Any, *, several: bool) -> Site:
    kind = "cross" if getattr(module, "is_cross_attention", False) else "self"
    if any(part in _ALONG_FRAMES for part in path.split(".")):
        kind = "temporal"
    found = _PATH.fullmatch(path)
    if found is None:
        # Not a block that we know by name: the whole path is a label that is unique and says where it is.
        return Site(path, kind, path.split(".")[0], -1, 0, 0, path, _container(path), module.heads)
    parts = [found["place"], found["block"], found["attention"], found["depth"] if several else None]
    if kind == "temporal":
        parts.insert(-2, "frames")
    return Site(
        layer=".".join(part for part in parts if part is not None),
        kind=kind,
        place=found["place"],
        block=int(found["block"] or -1),
        attention=int(found["attention"]),
        depth=int(found["depth"] or 0),
        module=path,
        container=_container(path),
        heads=module.heads,
    )


def select_sites(sites: Iterable[Site], layers: LayerSelection) -> list[Site]:
    """Keep the sites that ``layers`` names: a label, a glob over labels, a list of those, or a predicate.

    Raises
    ------
    UnknownLayerError
        If a label or a glob matches no site.

    Examples
    --------
    >>> sites = [Site(f"up.1.{i}", "cross", "up", 1, i, 0, f"m{i}", "m", 8) for i in range(3)]
    >>> [site.layer for site in select_sites(sites, ["up.1.0", "*.2"])]
    ['up.1.0', 'up.1.2']
    """
    sites = list(sites)
    if layers is None:
        return sites
    if callable(layers):
        return [site for site in sites if layers(site)]
    patterns = [layers] if isinstance(layers, str) else list(layers)
    for pattern in patterns:
        if not any(fnmatchcase(site.layer, pattern) for site in sites):
            labels = [site.layer for site in sites]
            msg = f"No attention layer is called {pattern!r}. {choices(pattern, labels)}"
            raise UnknownLayerError(msg)
    return [site for site in sites if any(fnmatchcase(site.layer, pattern) for pattern in patterns)]
