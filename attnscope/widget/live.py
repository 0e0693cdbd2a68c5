"""A scope that fills while a run goes on: each finished step is pushed to the browser with one atlas."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from attnscope.errors import LiveScopeWarning, ViewError
from attnscope.figures.view import any_array
from attnscope.maps.build import kept_maps
from attnscope.maps.kept import kept
from attnscope.maps.narrow import labels
from attnscope.maps.schema import grid_name
from attnscope.widget.choosing import one_text
from attnscope.widget.encode import map_encoding, pack
from attnscope.widget.first import first_look
from attnscope.widget.manifest import manifest, mass_row, nothing, step_entry
from attnscope.widget.packets import Packets
from attnscope.widget.protocol import make_item
from attnscope.widget.scope import WAITING, Scope
from attnscope.widget.state import NAMES, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import xarray as xr

    from attnscope.capture.recording import Recording
    from attnscope.maps.capture import Capture
    from attnscope.widget.protocol import StepMessage

__all__ = ["Live"]

_DEFAULT = {"branch": "cond", "image": 0}


class Live:
    """Follows one run with one scope. What goes wrong in it is warned about once, and never ends the run.

    Parameters
    ----------
    scope
        Shows the run; what it showed before is gone when the run begins.
    kinds
        What is captured.

    Raises
    ------
    TypeError
        If `scope` is no scope.
    ViewError
        If there will be nothing that a scope shows.
    """

    def __init__(self, scope: Scope, kinds: Sequence[str]) -> None:
        if not isinstance(scope, Scope):
            msg = f"scope={scope!r} is no scope. Make one first: scope = attnscope.Scope(), and display it."
            raise TypeError(msg)
        if "cross" not in kinds:
            msg = (
                f"A scope follows a run by its cross-attention, and kinds={tuple(kinds)!r} has none. Capture "
                "kinds=('cross', 'self'), or show it afterwards: attnscope.Scope(cap)."
            )
            raise ViewError(msg)
        self._scope = scope
        self._cap: Capture | None = None
        self._recording: Recording | None = None
        self._packets: Packets | None = None
        self._part: dict[str, Any] = {}
        self._words: list[Any] = []
        self._new = True
        self._warned = False

    def begin(self, cap: Capture, recording: Recording) -> None:
        """Empty the scope, and hear of every step from now on."""
        self._cap, self._recording = cap, recording
        scope = self._scope
        # A word stays chosen from run to run only if it stands where it stood.
        self._words = self._chosen(scope._facts["tokens"])
        self._new = scope._shown is None
        what = recording.attrs.get("pipeline") or recording.attrs.get("model")
        scope._following = self
        self._safely(
            lambda: scope._take(
                None,
                nothing(WAITING, f"watching {what}", live=True),
                step=None,
                _picture=b"",
                _first={},
                _first_buffer=b"",
            )
        )
        recording.watchers.append(self._changed)

    def end(self) -> None:
        """Show all that there is: the picture, the previews; the finished steps where the run broke off."""
        if self._recording is None:
            return
        self._recording.watchers.remove(self._changed)
        if self._mine:
            if not self._safely(self._settle, always=True):
                sorry = nothing("this run cannot be shown", "a warning said why", live=False)
                self._safely(lambda: self._scope._take(None, sorry), always=True)
            self._scope._following = None

    def _changed(self) -> None:
        assert self._recording is not None
        steps = self._recording.steps
        done = 0 if self._packets is None else len(self._packets.axes.steps)
        if not self._mine:
            return
        if len(steps) > done:
            self._safely(self._push)
        elif self._recording.attrs.get("averaged_steps", 0) > 1:  # the one step there is has become another
            self._safely(self._settle)

    @property
    def _mine(self) -> bool:
        """Whether no later capture has taken the scope."""
        return self._scope._following is self

    def _safely(self, draw: Callable[[], None], *, always: bool = False) -> bool:
        if self._warned and not always:
            return False
        try:
            draw()
            return True
        except Exception as error:
            if not self._warned:
                self._warned = True
                msg = f"The scope cannot follow this run, which goes on: {type(error).__name__}: {error}"
                warnings.warn(msg, LiveScopeWarning, stacklevel=2)
            return False

    # --- a step -----------------------------------------------------------------------------------------------

    def _push(self) -> None:
        scope, recording = self._scope, self._recording
        assert recording is not None
        step = recording.steps[-1]
        if self._packets is None:
            self._open()
        else:
            self._packets.grow(self._maps(), step.step)
        assert self._packets is not None
        facts, packets = scope._facts, self._packets
        cross = packets.cross
        atlas, means = cross.look(step.step, scope.image, scope.branch)
        if (scope.image, scope.branch) != (0, packets.axes.branches[0]):
            means = {layer: cross.mass(layer, step.step) for layer in cross.layers}
        encoding = map_encoding(sum(maps.size for maps in atlas.values()))
        sections, buffer = pack((layer, maps, encoding) for layer, maps in atlas.items())
        message: StepMessage = {
            "type": "step",
            "step": step_entry(step.step, step.timestep, step.sigma),
            "mass": {layer: mass_row(row) for layer, row in means.items()},
            "items": [{"id": make_item("atlas", step.step, scope.image, scope.branch)["id"], "sections": sections}],
        }
        newest = facts["steps"][-1]["step"] if facts["steps"] else step.step
        # In place: the browser makes the same change by itself, and who connects later gets all of it.
        for layer, row in message["mass"].items():
            facts["mass"][layer].append(row)
        facts["steps"].append(message["step"])
        scope.send(dict(message), buffers=[buffer])
        if scope.step == newest:
            # The browser follows too, or its reader has gone back: it says so when it is heard again.
            with scope._lock_property(step=step.step):
                scope.step = step.step

    def _maps(self) -> dict[str, xr.Variable]:
        """What is kept by now, by grid."""
        cap, recording = self._cap, self._recording
        assert cap is not None
        assert recording is not None
        stores = [store for store in recording.stores if store.kind == "cross"]
        if not self._part and all(len(store.array) >= len(recording.steps) for store in stores):
            return {grid_name(*store.grid): kept_maps(recording, store) for store in stores}
        # What streams to disk is read from there, of which labelling is the smaller part.
        nodes = cap.sel(**self._part).tree["cross"].children
        return {name: kept(node["attention"]) for name, node in nodes.items()}  # type: ignore[arg-type]

    def _open(self) -> None:
        """See at the first step what there is, and where to look."""
        scope, cap = self._scope, self._cap
        assert cap is not None
        shown = self._narrowed(cap)
        self._packets = packets = Packets(shown)
        facts, _ = manifest(
            shown, packets, mass={layer: [] for layer in packets.cross.layers}, other=scope._second_facts
        )
        facts["live"] = True
        wished = {name: getattr(scope, name) for name in NAMES} | {"step": packets.axes.steps[-1]}
        if not self._new and self._chosen(facts["tokens"]) != self._words:
            wished["token"] = None
        state, wrong = settle(wished, facts)
        with scope.hold_sync():
            scope._take((shown, packets), facts, **state)
            facts["steps"].clear()  # it comes with its atlas, as those after it
        if wrong and self._new:
            msg = f"The scope shows something else than it was told: {' '.join(wrong)}"
            warnings.warn(msg, LiveScopeWarning, stacklevel=2)

    def _narrowed(self, cap: Capture) -> Capture:
        """Choose one text and one frame; the scope's own image and branch are wishes where it is new."""
        wished: dict[str, Any] = {}
        if self._new:
            there = {"branch": self._scope.branch, "image": self._scope.image}
            array = any_array(cap)
            wished = {
                dim: label for dim, label in there.items() if label != _DEFAULT[dim] and label in labels(array, dim)
            }
        shown, self._part = one_text(cap, wished)
        self._scope._part = self._part
        if self._part:
            array = any_array(shown)
            for dim in self._part.keys() & {"branch", "image"}:
                with self._scope.hold_sync():
                    setattr(self._scope, dim, labels(array, dim)[0] if dim == "branch" else 0)
        return shown

    def _settle(self) -> None:
        scope, cap, recording = self._scope, self._cap, self._recording
        assert cap is not None
        assert recording is not None
        if recording.empty:
            scope._take(None, nothing("no step was finished", "the run ended before its first step", live=False))
            return
        shown = self._narrowed(cap) if self._packets is None else cap.sel(**self._part) if self._part else cap
        packets = Packets(shown)
        known = scope._facts["mass"] if len(scope._facts["steps"]) == len(packets.axes.steps) else None
        facts, pictures = manifest(shown, packets, mass=known, other=scope._second_facts)
        state = {name: getattr(scope, name) for name in NAMES}
        if state["step"] not in packets.axes.steps:
            state["step"] = packets.axes.steps[-1]
        state, _ = settle(state, facts)
        first, buffer = first_look(packets, state)
        scope._take((shown, packets), facts, _picture=pictures, _first=first, _first_buffer=buffer, **state)

    def _chosen(self, tokens: Sequence[Any]) -> list[Any]:
        """What stands at the chosen positions."""
        chosen = self._scope.token
        positions = chosen if isinstance(chosen, list) else [chosen]
        return [(entry["token"], entry["text"]) for entry in tokens if entry["token"] in positions]
