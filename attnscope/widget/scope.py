"""``Scope``: a capture on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import anywidget
import traitlets as t

from attnscope.errors import FrontEndError, ViewError
from attnscope.figures.layout import clip
from attnscope.maps.capture import Capture
from attnscope.widget.choosing import one_text
from attnscope.widget.comm import answer_beside_cells
from attnscope.widget.encode import pack
from attnscope.widget.manifest import manifest, nothing
from attnscope.widget.messages import answer
from attnscope.widget.packets import Packets
from attnscope.widget.protocol import make_item
from attnscope.widget.screen import Screen
from attnscope.widget.state import NAMES, ScopeState, check, complete

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnscope.widget.protocol import Manifest

__all__ = ["STATIC", "WAITING", "Scope", "first_look"]

#: What a scope says that has nothing to show.
WAITING = "waiting for the first step"
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


class Scope(Screen, anywidget.AnyWidget):
    """Look at a capture: from the whole UNet down to one pixel of one head.

    Parameters
    ----------
    cap
        The capture, as it is now. Without one the scope waits for a run: ``attnscope.capture(pipe, scope=scope)``.
    **state
        Where to look first; each is an attribute too, that moves the view and follows it:

        - ``level``: ``"unet"``, ``"layer"`` or ``"head"``; as deep as the other arguments go, where it is not given.
        - ``layer``: a label of ``cap.layers``.
        - ``head``: a number or ``"mean"``.
        - ``step``: a captured step.
        - ``token``: a word (its first occurrence), a position, or several, which are summed; None for the strongest
          token of each pixel.
        - ``uv``: the pinned point, ``(u, v)`` in [0, 1], ``u`` from the left.
        - ``image``, ``branch``: which one, where there are several. Where their texts differ the scope shows one of
          them, the conditional branch of the first image if nothing is said, and has no others to switch to; likewise
          the first frame of a video. ``Scope(cap.sel(branch="uncond", image=1))`` shows another.
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

    One that is displayed first and fills while the run goes on:

    >>> scope = attnscope.Scope(token="red")  # doctest: +SKIP
    >>> with attnscope.capture(pipe, scope=scope) as cap:  # doctest: +SKIP
    ...     image = pipe("a red circle above a blue square").images[0]
    """

    _esm = _static("widget.js")
    _css = _static("widget.css")

    _manifest = t.Dict().tag(sync=True, echo_update=False)
    _picture = t.Bytes().tag(sync=True, echo_update=False)
    _first = t.Dict().tag(sync=True, echo_update=False)
    _first_buffer = t.Bytes().tag(sync=True, echo_update=False)
    #: Who fills it while a run goes on.
    _following: Any = None

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

    def __init__(self, cap: Capture | None = None, **state: Unpack[ScopeState]) -> None:
        if not self._esm:
            msg = (
                f"The front-end is not built: {STATIC / 'widget.js'} does not exist. In a checkout run `make` "
                "(or `npm ci && npm run build` in js/), then restart the kernel."
            )
            raise FrontEndError(msg)
        if cap is None:
            self._shown = None
            self._facts = nothing(WAITING, "with attnscope.capture(pipe, scope=scope):\n    pipe(...)", live=True)
            super().__init__(_manifest=self._facts, **complete(state, self._facts))
        else:
            _can_show(cap)
            cap, self._part = one_text(cap, state)
            # What is shown has one of them.
            state = {name: value for name, value in state.items() if name not in self._part}  # type: ignore[assignment]
            packets = Packets(cap)
            self._shown = cap, packets
            self._facts, pictures = manifest(cap, packets)
            full = complete(state, self._facts)
            first, buffer = first_look(packets, full)
            super().__init__(_manifest=self._facts, _picture=pictures, _first=first, _first_buffer=buffer, **full)
        self.on_msg(self._answer)
        answer_beside_cells(self.comm)

    def _take(self, shown: tuple[Capture, Packets] | None, facts: Manifest, **traits: Any) -> None:
        """Show something else, all of it in one message.

        Parameters
        ----------
        shown
            A capture and its reader.
        facts
            What is known of it.
        **traits
            What changes with it.
        """
        self._shown, self._facts = shown, facts
        with self.hold_sync():
            for name in (*NAMES, *sorted(traits.keys() - set(NAMES))):
                if name in traits:
                    setattr(self, name, traits[name])
            self._manifest = facts

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

    # --- messages and display ---------------------------------------------------------------------------------

    @property
    def _packets(self) -> Packets:
        return self._looked_at[1]

    def _answer(self, _: Any, content: Any, buffers: Any) -> None:
        # Maybe in another thread than the one in which the run goes on: what is shown is looked up once.
        shown = self._shown
        if shown is None:
            return  # the browser has been told, and asks no more
        for message, binary in answer(shown[1], content):
            self.send(message, buffers=binary)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        from attnscope.widget.display import still

        # What may still change is no picture to keep.
        kept = {"text/plain": repr(self)}
        if self._shown is not None and not self._facts["live"]:
            kept = still(self._shown[0], self.view, self._shown[1])
        live = super()._repr_mimebundle_(**kwargs)
        if live is None:
            return kept
        data, metadata = live if isinstance(live, tuple) else (live, {})
        return {**kept, **data}, metadata

    def __repr__(self) -> str:
        if self._shown is None:
            return f"<attnscope.Scope, {self._facts['title']}>"
        where = {"unet": "", "layer": f", {self.layer}", "head": f", {self.layer}, head {self.head}"}[self.level]
        prompt = self._facts["prompt"]
        other = self._facts["branches"][:1] not in (["cond"], ["unknown"])
        of = repr(clip(prompt, 1, 40)) if prompt is not None else self._facts["title"] if other else "a bare model"
        return f"<attnscope.Scope of {of}{where}, step {self.step}>"


def first_look(packets: Packets, state: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Make the atlas with which a view begins, so that it needs no kernel: a ``put``, and its buffer."""
    first = make_item("atlas", state["step"], state["image"], state["branch"])
    sections, buffer = pack(packets.parts(first))
    return {"type": "put", "gen": 0, "items": [{"id": first["id"], "sections": sections}]}, buffer


def _can_show(cap: Any) -> None:
    if not isinstance(cap, Capture):
        msg = (
            f"Scope shows a Capture, not {type(cap).__name__}: {str(cap)[:60]!r}. "
            "A saved one is opened by attnscope.open(path)."
        )
        raise TypeError(msg)
    if "cross" not in cap.kinds:
        msg = (
            f"A scope shows cross-attention, and this capture holds {' and '.join(cap.kinds)}-attention only. "
            f"Capture kinds={('cross', *cap.kinds)!r}."
        )
        raise ViewError(msg)
