"""What a notebook shows: the scope, and a still picture for where widgets cannot run."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from attnscope.errors import FrontEndError
from attnscope.figures.poster import poster, poster_of_pixels, poster_png
from attnscope.figures.view import View
from attnscope.widget.choosing import one_text
from attnscope.widget.first import quick_layers
from attnscope.widget.packets import Packets

if TYPE_CHECKING:
    from attnscope.maps.capture import Capture

__all__ = ["mimebundle", "still"]

_SCOPES: WeakKeyDictionary[Capture, tuple[int, Any]] = WeakKeyDictionary()


def mimebundle(cap: Capture) -> Any:
    """Show a capture: as a scope, or as a still picture where the front-end is not built.

    Returns
    -------
    dict, or tuple of dict and dict
        Data by MIME type, and metadata. Notebooks that run widgets prefer the widget; all others (GitHub, nbviewer,
        nbconvert) take the picture.
    """
    try:
        scope = _scope_of(cap)
    except FrontEndError:
        shown, _ = one_text(cap, {}, stacklevel=2)
        packets = Packets(shown)
        axes, layer = packets.axes, packets.layers(packets.kinds[0])[0]
        view = View(level="unet", layer=layer, step=axes.steps[-1], branch=axes.branches[0])
        return {**still(shown, view, packets), "text/plain": repr(cap)}
    data, metadata = scope._repr_mimebundle_()
    return {**data, "text/plain": repr(cap)}, metadata


def _scope_of(cap: Capture) -> Any:
    """Give the scope of a capture: one that is displayed twice is one scope with two views, and not two that stay."""
    from attnscope.widget.scope import Scope

    known = _SCOPES.get(cap)
    if known is None or known[0] != cap.version or known[1].comm is None:
        known = _SCOPES[cap] = (cap.version, Scope(cap))
    return known[1]


def still(cap: Capture, view: View, packets: Packets) -> dict[str, str]:
    """Make a still picture: PNG, the same in HTML with its caption, and text; text alone where it would take long."""
    at = view.step, view.image, view.branch
    if "cross" in packets.kinds:
        spec = poster(cap, view.at(kind="cross"), packets.cross.atlas_mean(*at))
    elif quick := quick_layers(packets):
        spec = poster_of_pixels(cap, view, {layer: packets.pixels.received(layer, *at).mean(0) for layer in quick})
    else:
        return {"text/plain": repr(cap)}
    png = base64.b64encode(poster_png(spec)).decode()
    caption = html.escape(spec.caption)
    figure = (
        '<figure style="margin:0;max-width:760px">'
        f'<img alt="{caption}" style="max-width:100%;height:auto" src="data:image/png;base64,{png}">'
        f'<figcaption style="font-size:0.8em;opacity:0.8">{caption}</figcaption></figure>'
    )
    return {"image/png": png, "text/html": figure, "text/plain": repr(cap)}
