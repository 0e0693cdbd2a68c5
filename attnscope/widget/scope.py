"""``Scope``: a capture on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import anywidget
import traitlets as t

from attnscope.errors import FrontEndError, ViewError
from attnscope.figures.layout import clip
from attnscope.figures.view import View, code, selected
from attnscope.maps.capture import Capture
from attnscope.widget.comm import answer_beside_cells
from attnscope.widget.encode import pack
from attnscope.widget.manifest import manifest
from attnscope.widget.messages import answer
from attnscope.widget.packets import Packets
from attnscope.widget.protocol import make_item
from attnscope.widget.state import NAMES, ScopeState, check, complete

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from attnscope.figures.spec import FigureSpec

__all__ = ["STATIC", "Scope"]

#: Where the built front-end lies.
STATIC = Path(__file__).parent.parent / "static"


def _static(name: str) -> Path | str:
    # anywidget refuses a missing file when the class is made; ours is made at import, and an import must not fail.
    path = STATIC / name
    return path if path.is_file() else ""


def _state(default: Any = None) -> t.Any:
    # No echo: the browser is ahead of the kernel while one scrubs, and an echo would pull it back.
    trait = t.Any(default).tag(sync=True, echo_update=False)
    # traitlets lets None past every check where it is allowed; whether it is, is for our own check to say.
    trait.allow_none = False
    return trait


class Scope(anywidget.AnyWidget):
    """Look at a capture: from the whole UNet down to one pixel of one head.

    Parameters
    ----------
    cap
        The capture, as it is now.
    **state
        Where to look first; each is an attribute too, that moves the view and follows it:

        - ``level``: ``"unet"``, ``"layer"`` or ``"head"``; as deep as the other arguments go, where it is not given.
        - ``layer``: a label of ``cap.layers``.
        - ``head``: a number or ``"mean"``.
        - ``step``: a captured step.
        - ``token``: a word (its first occurrence), a position, or several, which are summed; None for the strongest
          token of each pixel.
        - ``uv``: the pinned point, ``(u, v)`` in [0, 1], ``u`` from the left.
        - ``image``, ``branch``: which one, where there are several.
        - ``scale``: ``"auto"``, ``"own"``, ``"shared"`` or ``"run"``: whose maximum ends the colours.
        - ``transform``: ``"linear"``, ``"sqrt"`` or ``"log"``; ``cmap``: ``"viridis"``, ``"cividis"``, ``"magma"`` or
          ``"gray"``; ``overlay``: opacity of the map over the picture.
        - ``show_preview``: under the map the picture as predicted at this step, not the final one.
        - ``theme``: ``"auto"``, ``"light"`` or ``"dark"``.

    Raises
    ------
    TypeError
        If an argument is unknown, or `cap` is no capture.
    UnknownLayerError, UnknownWordError, ViewError
        If the capture does not hold what is asked for.
    FrontEndError
        If the package was not built.

    Examples
    --------
    >>> import attnscope
    >>> pipe = attnscope.demo.pipeline()  # doctest: +SKIP
    >>> with attnscope.capture(pipe) as cap:  # doctest: +SKIP
    ...     image = pipe("a red circle above a blue square").images[0]
    >>> scope = attnscope.Scope(cap, layer="up.1.0", token="red")  # doctest: +SKIP
    """

    _esm = _static("widget.js")
    _css = _static("widget.css")

    _manifest = t.Dict().tag(sync=True, echo_update=False)
    _picture = t.Bytes().tag(sync=True, echo_update=False)
    _first = t.Dict().tag(sync=True, echo_update=False)
    _first_buffer = t.Bytes().tag(sync=True, echo_update=False)

    level = _state("unet")
    kind = _state("cross")
    layer = _state()
    head = _state("mean")
    step = _state()
    token = _state()
    uv = _state()
    image = _state(0)
    branch = _state("cond")
    scale = _state("auto")
    transform = _state("linear")
    cmap = _state("viridis")
    overlay = _state(0.7)
    show_preview = _state(False)
    theme = _state("auto")

    def __init__(self, cap: Capture, **state: Unpack[ScopeState]) -> None:
        if not self._esm:
            msg = (
                f"The front-end is not built: {STATIC / 'widget.js'} does not exist. In a checkout run `make` "
                "(or `npm ci && npm run build` in js/), then restart the kernel."
            )
            raise FrontEndError(msg)
        if not isinstance(cap, Capture):
            msg = (
                f"Scope shows a Capture, not {type(cap).__name__}: {str(cap)[:60]!r}. "
                "A saved one is opened by attnscope.open(path)."
            )
            raise TypeError(msg)
        if "cross" not in cap.kinds:
            msg = (
                f"A scope shows cross-attention, and this capture holds {' and '.join(cap.kinds)}-attention only. "
                "Capture kinds=('cross', 'self')."
            )
            raise ViewError(msg)
        self._cap = cap
        self._packets = Packets(cap)
        described, pictures = manifest(cap, self._packets)
        self._facts = described
        full = complete(state, described)
        first = make_item("atlas", full["step"], full["image"], full["branch"])
        sections, buffer = pack(self._packets.parts(first))
        put = {"type": "put", "gen": 0, "items": [{"id": first["id"], "sections": sections}]}
        super().__init__(_manifest=described, _picture=pictures, _first=put, _first_buffer=buffer, **full)
        self.on_msg(self._answer)
        answer_beside_cells(self.comm)

    # --- state ------------------------------------------------------------------------------------------------

    @t.validate(*NAMES)
    def _check(self, proposal: Any) -> Any:
        return check(proposal.trait.name, proposal.value, self._facts, layer=self.layer)

    @t.observe("layer")
    def _keep_head(self, _: Any) -> None:
        # Layers differ in heads; a head that the new layer lacks would leave the view pointing at nothing.
        heads = {entry["layer"]: entry["single_heads"] for entry in self._facts["layers"]}
        if self.layer in heads and isinstance(self.head, int) and self.head >= heads[self.layer]:
            self.head = "mean"

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take a state from the browser; what it cannot be is set right there, and not raised here."""
        layer, wrong = self.layer, []
        # The layer first: whether a head exists depends on it.
        for name in sorted(sync_data.keys() & set(NAMES), key=lambda name: name != "layer"):
            try:
                right = check(name, sync_data[name], self._facts, layer=layer)
                layer = right if name == "layer" else layer
            except Exception:
                self.log.debug("refused from the browser: %s=%r", name, sync_data[name], exc_info=True)
                wrong.append(name)
        super().set_state({name: value for name, value in sync_data.items() if name not in wrong})
        if wrong:
            self.send_state(wrong)

    @property
    def view(self) -> View:
        """Where the scope looks, as one value."""
        token = self.token if isinstance(self.token, list) else [] if self.token is None else [self.token]
        names = (
            "level",
            "kind",
            "head",
            "step",
            "image",
            "branch",
            "scale",
            "transform",
            "cmap",
            "overlay",
            "show_preview",
        )
        return View(
            **{name: getattr(self, name) for name in names},
            layer=self.layer if self.layer is not None else self._facts["layers"][0]["layer"],
            token=tuple(token),
            uv=None if self.uv is None else tuple(self.uv),
        )

    # --- what is on screen ------------------------------------------------------------------------------------

    @property
    def selected(self) -> xr.DataArray:
        """The labelled data on screen.

        Returns
        -------
        xarray.DataArray
            ``(pixel)``, with ``token`` where none is chosen; several chosen tokens are summed. At level ``unet`` the
            mean over layers (each on the finest grid) and heads, at level ``layer`` the mean over heads. NaN where
            nothing was seen.
        """
        return selected(self._cap, self.view)[0]

    def code(self) -> str:
        """Write the xarray expression, from ``cap`` on, that gives `selected`."""
        return code(selected(self._cap, self.view)[1])

    def spec(self) -> FigureSpec:
        """Describe a figure of what is on screen; every way of drawing starts from it."""
        from attnscope.figures.compose import compose

        # The words' colours are those of the screen, which go by the whole run.
        mass: dict[int, float] = {}
        for rows in self._facts["mass"].values():
            for row in rows:
                for entry, value in zip(self._facts["tokens"], row, strict=True):
                    mass[entry["token"]] = mass.get(entry["token"], 0.0) + (value or 0.0)
        return compose(self._cap, self.view, mass or None)

    def figure(self) -> go.Figure:
        """Draw what is on screen with plotly."""
        from attnscope.figures.plotly import draw

        return draw(self.spec())

    def save(self, path: str | Path, *, scale: float = 2) -> Path:
        """Write a figure of what is on screen, with its caption; needs no browser.

        Parameters
        ----------
        path
            File ending in ``.png``, ``.svg`` or ``.pdf``; text in the latter two stays text.
        scale
            Pixels of a ``.png`` for each of 1/100 inch.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ExportError
            If the suffix is another one.
        """
        from attnscope.figures.matplotlib import save, suffix

        suffix(path)  # before the work, not after
        return save(self.spec(), path, scale=scale)

    def to_html(
        self,
        path: str | Path,
        *,
        layers: Sequence[str] | str | None = None,
        steps: Sequence[int] | int | None = None,
        force: bool = False,
    ) -> Path:
        """Write one file that shows the scope offline, in any browser.

        Prints an estimate of its size first.

        Parameters
        ----------
        path
            The file.
        layers
            Layers whose single heads are included; all where it is not given. The overview always has every layer.
        steps
            Steps that are included; all captured ones where it is not given.
        force
            Write more than 50 MB too.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ExportError
            If the file would be larger than 50 MB.
        """
        from attnscope.widget.html import write_html

        state = {name: getattr(self, name) for name in NAMES}
        return write_html(
            path, self._packets, self._facts, self._picture, state, layers=layers, steps=steps, force=force
        )

    # --- messages and display ---------------------------------------------------------------------------------

    def _answer(self, _: Any, content: Any, buffers: Any) -> None:
        for message, binary in answer(self._packets, content):
            self.send(message, buffers=binary)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        from attnscope.widget.display import still

        live = super()._repr_mimebundle_(**kwargs)
        if live is None:
            return still(self._cap, self.view, self._packets)
        data, metadata = live if isinstance(live, tuple) else (live, {})
        return {**still(self._cap, self.view, self._packets), **data}, metadata

    def __repr__(self) -> str:
        where = {"unet": "", "layer": f", {self.layer}", "head": f", {self.layer}, head {self.head}"}[self.level]
        prompt = self._facts["prompt"]
        of = "a bare model" if prompt is None else repr(clip(prompt, 1, 40))
        return f"<attnscope.Scope of {of}{where}, step {self.step}>"
