"""``Scope``: a capture on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from attnscope.errors import FrontEndError, ViewError
from attnscope.figures.layout import clip
from attnscope.maps.capture import Capture
from attnscope.maps.narrow import labels
from attnscope.widget.choosing import one_text, shown_array, shown_kinds, source_of
from attnscope.widget.comm import answer_beside_cells
from attnscope.widget.first import first_look
from attnscope.widget.manifest import manifest, nothing
from attnscope.widget.messages import answer
from attnscope.widget.packets import Packets
from attnscope.widget.screen import Screen
from attnscope.widget.state import NAMES, ScopeState, complete
from attnscope.widget.traits import Traits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attnscope.widget.protocol import Manifest

__all__ = ["STATIC", "WAITING", "Scope"]

#: What a scope says that has nothing to show.
WAITING = "waiting for the first step"
#: Where the built front-end lies.
STATIC = Path(__file__).parent.parent / "static"


def _static(name: str) -> Path | str:
    # anywidget refuses a missing file when the class is made; ours is made at import, and an import must not fail.
    path = STATIC / name
    return path if path.is_file() else ""


class Scope(Screen, Traits):
    """Look at a capture: from the whole UNet down to one pixel of one head.

    Parameters
    ----------
    cap
        The capture, as it is now. Without one the scope waits for a run: ``attnscope.capture(pipe, scope=scope)``.
    against
        A second capture, for ``compare={"capture": 1}``.
    **state
        Where to look first; each is an attribute too, that moves the view and follows it:

        - ``level``: ``"unet"``, ``"block"``, ``"layer"`` or ``"head"``; as deep as the other arguments go, where it is
          not given.
        - ``kind``: ``"cross"`` (which words a pixel looks at) or ``"self"`` (which pixels); ``direction``: of
          self-attention where the chosen pixel looks (``"row"``), or who looks at it (``"column"``).
        - ``layer``: a label of ``cap.layers``.
        - ``head``: a number, ``"mean"``, ``"max"``, or a list of numbers, of which the mean is shown.
        - ``step``: a captured step.
        - ``token``: a word (its first occurrence), a position, or several; None for the strongest token of each pixel.
          ``hues``: several words each in a colour of its own, or their sum.
        - ``uv``: the pinned point, ``(u, v)`` in [0, 1], ``u`` from the left; ``region``: a box ``(u0, v0, u1, v1)``,
          whose means are shown.
        - ``image``, ``branch``: which one, where there are several. Where their texts differ the scope shows one of
          them, the conditional branch of the first image if nothing is said, and has no others to switch to; likewise
          the first frame of a video. ``Scope(cap.sel(branch="uncond", image=1))`` shows another.
        - ``compare``: what differs in a second view, such as ``{"step": 0}`` or ``{"capture": 1}``; ``compare_as``:
          ``"side"``, ``"swipe"``, ``"difference"`` or ``"blink"``.
        - ``scale``: ``"auto"``, ``"own"``, ``"shared"``, ``"run"`` or ``"fixed"``: whose maximum ends the colours, or
          that ``limits`` do; ``clip``: the percentiles between which they run.
        - ``transform``: ``"linear"``, ``"sqrt"``, ``"log"``, ``"rank"`` or ``"uniform"`` (1 is chance).
        - ``drop``: special columns that do not count, of ``"bos"``, ``"eos"``, ``"pad"``; ``renormalise``: whether what
          counts adds up to 1.
        - ``cmap``: ``"viridis"``, ``"cividis"``, ``"magma"`` or ``"gray"``; ``diverging``, for differences:
          ``"RdBu_r"`` or ``"vik"``.
        - ``overlay``: opacity of the map over the picture; ``blend``: ``"colour"``, ``"mask"`` or ``"contour"``;
          ``smooth``: without visible cells; ``show_preview``: under the map the picture as predicted at this step.
        - ``sort``: order of the heads, by ``"index"``, ``"entropy"``, ``"mass"`` or ``"similarity"``; ``order``: of the
          tokens, as in the ``"prompt"`` or by ``"value"``.
        - ``fps``, ``loop`` (``"loop"``, ``"once"``, ``"bounce"``), ``span`` (first and last step): how it plays.
        - ``pins``: views that are kept, each ``{"state": {...}, "note": "..."}``.
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

    #: Who fills it while a run goes on.
    _following: Any = None

    def __init__(
        self, cap: Capture | None = None, *, against: Capture | None = None, **state: Unpack[ScopeState]
    ) -> None:
        if not self._esm:
            msg = (
                f"The front-end is not built: {STATIC / 'widget.js'} does not exist. In a checkout run `make` "
                "(or `npm ci && npm run build` in js/), then restart the kernel."
            )
            raise FrontEndError(msg)
        traits: dict[str, Any] = {}
        if against is not None:
            self._second, self._second_facts, traits["_other_picture"] = _second(against, state)
        if cap is None:
            self._shown = None
            self._facts = nothing(WAITING, "with attnscope.capture(pipe, scope=scope):\n    pipe(...)", live=True)
            self._facts["other"] = self._second_facts
            traits |= complete(state, self._facts)
        else:
            _can_show(cap, "Scope")
            cap, self._part = one_text(cap, state)
            # What is shown has one of them.
            state = {name: value for name, value in state.items() if name not in self._part}  # type: ignore[assignment]
            packets = Packets(cap, None if self._second is None else self._second[1])
            self._shown = cap, packets
            self._facts, traits["_picture"] = manifest(cap, packets, other=self._second_facts)
            self._facts["source"] = source_of(self._part)
            traits |= complete(state, self._facts)
            traits["_first"], traits["_first_buffer"] = first_look(packets, traits)
        super().__init__(_manifest=self._facts, **traits)
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
        if shown is None:
            self._part = {}  # of what was shown before
        facts["other"], facts["source"] = self._second_facts, source_of(self._part)
        if shown is not None and self._second is not None:
            shown[1].other = self._second[1]
        self._shown, self._facts = shown, facts
        with self.hold_sync():
            for name in (*NAMES, *sorted(traits.keys() - set(NAMES))):
                if name in traits:
                    setattr(self, name, traits[name])
            self._manifest = facts

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
        where = "" if self.level == "unet" else f", {self.layer}" + (", self-attention" * (self.kind == "self"))
        where += f", head {self.head}" if self.level == "head" else ""
        prompt = self._facts["prompt"]
        other = self._facts["branches"][:1] not in (["cond"], ["unknown"])
        of = repr(clip(prompt, 1, 40)) if prompt is not None else self._facts["title"] if other else "a bare model"
        return f"<attnscope.Scope of {of}{where}, step {self.step}>"


def _second(cap: Any, state: Mapping[str, Any]) -> tuple[tuple[Capture, Packets], Manifest, bytes]:
    """Read the capture that is compared with: of several texts the one that was asked for, where it has it."""
    _can_show(cap, "Scope(against=)")
    array = shown_array(cap)
    wished = {dim: state[dim] for dim in ("branch", "image") if dim in state and state[dim] in labels(array, dim)}
    cap, part = one_text(cap, wished, stacklevel=4)
    packets = Packets(cap)
    facts, picture = manifest(cap, packets)
    facts["source"] = source_of(part, "other")
    return (cap, packets), facts, picture


def _can_show(cap: Any, what: str) -> None:
    if not isinstance(cap, Capture):
        msg = (
            f"{what} shows a Capture, not {type(cap).__name__}: {str(cap)[:60]!r}. "
            "A saved one is opened by attnscope.open(path)."
        )
        raise TypeError(msg)
    if not shown_kinds(cap):
        msg = (
            f"A scope shows cross- and self-attention, and this capture holds {' and '.join(cap.kinds)}-attention "
            f"only. Capture kinds={('cross', *cap.kinds)!r}."
        )
        raise ViewError(msg)
