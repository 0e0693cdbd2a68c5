"""What a scope has on screen, as data, code, figures and files."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from attnscope.errors import ViewError
from attnscope.figures.view import View, code, selected
from attnscope.widget.state import DEFAULTS, NAMES, first_layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go
    import xarray as xr

    from attnscope.figures.spec import FigureSpec
    from attnscope.maps.capture import Capture
    from attnscope.widget.packets import Packets
    from attnscope.widget.protocol import Manifest

__all__ = ["Screen"]


class Screen:
    """The part of `Scope` that needs no browser."""

    #: What is looked at and its reader; None where nothing was captured yet.
    _shown: tuple[Capture, Packets] | None
    #: The same of the second capture, and what it holds.
    _second: tuple[Capture, Packets] | None = None
    _second_facts: Manifest | None = None
    #: Of the capture that was given, where it holds several texts or frames; for `Capture.sel`.
    _part: Mapping[str, Any] = MappingProxyType({})
    _facts: Manifest
    _picture: Any
    _other_picture: Any
    kind: Any
    layer: Any
    token: Any

    @property
    def view(self) -> View:
        """Where the scope looks, as one value."""
        state = {name: getattr(self, name) for name in NAMES}
        state |= {name: tuple(value) for name, value in state.items() if isinstance(value, list) and name != "head"}
        state["token"] = () if self.token is None else (self.token,) if isinstance(self.token, int) else state["token"]
        if self.layer is None:
            state["layer"] = first_layer(self.kind, self._facts)
        return View(**{field.name: state[field.name] for field in fields(View) if field.name in state})

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
        view = self.view
        return selected(self._looked_at[0], view, **self._against(view))[0]

    def code(self) -> str:
        """Write the xarray expression, from ``cap`` on, that gives `selected`."""
        view = self.view
        other = "other" if self._second_facts is None else self._second_facts["source"]
        return code(selected(self._looked_at[0], view, **self._against(view))[1], self._facts["source"], other)

    def spec(self) -> FigureSpec:
        """Describe a figure of what is on screen; every way of drawing starts from it."""
        from attnscope.figures.compose import compose

        # The words' colours are those of the screen, which go by the whole run.
        mass: dict[int, float] = {}
        for rows in self._facts["mass"].values():
            for row in rows:
                for entry, value in zip(self._facts["tokens"], row, strict=True):
                    mass[entry["token"]] = mass.get(entry["token"], 0.0) + (value or 0.0)
        view = self.view
        return compose(self._looked_at[0], view, mass or None, **self._against(view))

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
        kinds: Sequence[str] | str | None = None,
        tokens: Sequence[str | int] | str | int | None = None,
        dtype: Literal["uint8", "float16"] = "uint8",
        force: bool = False,
    ) -> Path:
        """Write one file that shows the scope offline, in any browser.

        Prints an estimate of its size first.

        Parameters
        ----------
        path
            The file.
        layers
            Layers whose single heads are included, and of self-attention their queries and keys, from which rows and
            columns of any pixel are computed. Where it is not given: the heads of all layers, and, since queries and
            keys take many times the room, those of no layer but the one that is looked at, if that is self-attention.
            The overview always has every layer, and what each pixel receives is there of all of them.
        steps
            Steps that are included; all captured ones where it is not given.
        kinds
            ``"cross"``, ``"self"``, or both; all captured ones where it is not given.
        tokens
            Words or positions that have columns of their own, beside begin and end of the text; the others are summed
            into the padding, so that rows still sum to 1. All where it is not given.
        dtype
            Of the maps: ``"uint8"``, as ``round(254 * sqrt(p / max))`` of each map, or ``"float16"``, which takes twice
            the room. Queries and keys are float16 either way.
        force
            Write more than 50 MB too.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ExportError
            If the file would be larger than 50 MB, or cannot be written in this way.
        """
        from attnscope.widget.html import write_html

        state = {name: getattr(self, name) for name in DEFAULTS}
        pictures = {"_picture": self._picture} | ({"_other_picture": self._other_picture} if self._second else {})
        return write_html(
            path,
            self._looked_at[1],
            self._facts,
            pictures,
            state,
            layers=layers,
            steps=steps,
            kinds=kinds,
            tokens=tokens,
            dtype=dtype,
            force=force,
        )

    def _against(self, view: View) -> dict[str, Any]:
        """Name the second capture for who draws, where the view compares with it."""
        compared = getattr(view, "compare", None) or {}
        return {"other": self._second[0]} if self._second is not None and compared.get("capture") else {}

    @property
    def _looked_at(self) -> tuple[Capture, Packets]:
        if self._shown is None:
            msg = (
                "This scope has nothing to show yet. It fills while a run goes on: "
                "`with attnscope.capture(pipe, scope=scope): pipe(...)`."
            )
            raise ViewError(msg)
        return self._shown
