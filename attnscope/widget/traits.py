"""The traits of a scope: its state, in step with the browser."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets as t

from attnscope.errors import AttnscopeError
from attnscope.widget.state import DEFAULTS, NAMES, check, check_all, first_layer

if TYPE_CHECKING:
    from attnscope.widget.protocol import Manifest

__all__ = ["Traits"]


def _state(name: str) -> t.Any:
    # No echo: the browser is ahead of the kernel while one scrubs, and an echo would pull it back.
    trait = t.Any(DEFAULTS[name]).tag(sync=True, echo_update=False)
    # traitlets lets None past every check where it is allowed; whether it is, is for our own check to say.
    trait.allow_none = False
    return trait


class Traits(anywidget.AnyWidget):
    """The part of `Scope` that is synced. Whatever sets a trait, it is checked against what was captured."""

    #: What was captured.
    _facts: Manifest

    _manifest = t.Dict().tag(sync=True, echo_update=False)
    _picture = t.Bytes().tag(sync=True, echo_update=False)
    _other_picture = t.Bytes().tag(sync=True, echo_update=False)
    _first = t.Dict().tag(sync=True, echo_update=False)
    _first_buffer = t.Bytes().tag(sync=True, echo_update=False)

    level = _state("level")
    kind = _state("kind")
    layer = _state("layer")
    head = _state("head")
    step = _state("step")
    token = _state("token")
    hues = _state("hues")
    uv = _state("uv")
    region = _state("region")
    direction = _state("direction")
    image = _state("image")
    branch = _state("branch")
    compare = _state("compare")
    compare_as = _state("compare_as")
    scale = _state("scale")
    limits = _state("limits")
    clip = _state("clip")
    transform = _state("transform")
    drop = _state("drop")
    renormalise = _state("renormalise")
    cmap = _state("cmap")
    diverging = _state("diverging")
    overlay = _state("overlay")
    blend = _state("blend")
    smooth = _state("smooth")
    sort = _state("sort")
    order = _state("order")
    fps = _state("fps")
    loop = _state("loop")
    span = _state("span")
    show_preview = _state("show_preview")
    pins = _state("pins")
    theme = _state("theme")

    @property
    def state(self) -> dict[str, Any]:
        """All that says where the scope looks and how, as JSON; may be set in part.

        All of it is checked before anything changes; an error changes nothing.

        Examples
        --------
        >>> scope.state = {"layer": "up.1.0", "token": "red"}  # doctest: +SKIP
        >>> attnscope.Scope(other, **scope.state)  # doctest: +SKIP
        """
        return {name: deepcopy(getattr(self, name)) for name in DEFAULTS}

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        if not isinstance(state, Mapping):
            msg = f"state={state!r} is no state. Give a dict of some of {', '.join(DEFAULTS)}."
            raise TypeError(msg)
        kind = state.get("kind", self.kind)
        layer = self.layer if kind == self.kind else self._layer_of(kind)
        checked = check_all({"kind": kind, "layer": layer, **state}, self._facts)
        # Held, so that who watches sees all of it at once.
        with self.hold_sync(), self.hold_trait_notifications():
            for name in NAMES:
                if name in state:
                    setattr(self, name, checked[name])

    def _layer_of(self, kind: Any) -> str | None:
        """The layer that is looked at if that kind has it, else its first."""
        has = any(entry["layer"] == self.layer and entry["kind"] == kind for entry in self._facts["layers"])
        return self.layer if has or not self._facts["layers"] else first_layer(kind, self._facts)

    @property
    def _about(self) -> dict[str, Any]:
        """What other traits depend on."""
        return {"kind": self.kind, "layer": self.layer}

    @t.validate(*NAMES)
    def _check(self, proposal: Any) -> Any:
        return check(proposal.trait.name, proposal.value, self._facts, self._about)

    @t.observe("kind", "layer")
    def _keep(self, _: Any) -> None:
        # Kinds differ in layers, layers in heads; what the new one lacks would leave the view pointing at nothing.
        if self.layer is not None:
            self.layer = self._layer_of(self.kind)
        for name in ("head", "compare"):
            try:
                check(name, getattr(self, name), self._facts, self._about)
            except AttnscopeError:
                setattr(self, name, DEFAULTS[name])

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take a state from the browser; what it cannot be is set right there, and not raised here."""
        about, wrong = self._about, []
        # Kind and layer come first: whether a head exists depends on them.
        for name in NAMES:
            if name not in sync_data:
                continue
            try:
                right = check(name, sync_data[name], self._facts, about)
                about |= {name: right} if name in about else {}
            except Exception:
                self.log.debug("refused from the browser: %s=%r", name, sync_data[name], exc_info=True)
                wrong.append(name)
        super().set_state({name: value for name, value in sync_data.items() if name not in wrong})
        if wrong:
            self.send_state(wrong)
