"""A run as it happens: which step, which rows, which site; from the model's hooks to a `Recording`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from attnscope.capture.probe import AttentionProbe
from attnscope.capture.recording import GridStore, QueriesKeys, Recording, Row, SelfStore, Step
from attnscope.capture.run import Run
from attnscope.capture.sightings import Columns, CrossSighting, SelfSighting, Sighting
from attnscope.capture.sites import Site, find_sites, select_sites
from attnscope.capture.tokens import Text, label_positions
from attnscope.errors import CaptureError

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from attnscope.capture.options import Options

__all__ = ["Recorder"]


class Recorder:
    """Hooks on one denoiser, and what they have seen.

    Parameters
    ----------
    model
        A diffusers UNet.
    options
        What to keep.
    closed
        Why the model may not run now, where it belongs to a pipeline whose call has not begun, or is over.
    """

    def __init__(self, model: nn.Module, options: Options, closed: str | None = None) -> None:
        self.options = options
        self.recording = Recording()
        self.run = Run()
        self.closed = closed
        self.whole = False
        self.step = -1
        self._model = model
        self._sites = find_sites(model)
        self._wanted = {site.module for site in select_sites(self._sites, options.layers)}
        self._probe = AttentionProbe()
        self._grids: dict[str, tuple[int, int]] = {}
        self._maps: dict[str, np.ndarray] = {}
        self._selves: dict[str, QueriesKeys] = {}
        self._text: Text | None = None
        self._columns: Columns | None = None
        self._rows: list[int] = []
        self._shape: tuple[int, ...] | None = None
        self._total: int | None = None
        self._now = Step(-1, 0.0)
        self._active = False
        self._seen: dict[str, int] = {}
        self._kinds: dict[str, str] = {}
        self._why: dict[str, str] = {}
        self._unfinished: str | None = None

    # --- hooks ------------------------------------------------------------------------------------------------

    def attach(self, stack: ExitStack) -> None:
        """Hook the model; leaving ``stack`` takes away these hooks and no others."""
        add = self._hook(stack)
        add(self._model, self._before_model, self._after_model)
        for path in {site.container for site in self._sites}:
            add(self._model.get_submodule(path), self._before_container(path), None)
        for site in self._sites:
            if site.module in self._wanted:
                add(self._model.get_submodule(site.module), *self._around_site(site))

    @staticmethod
    def _hook(stack: ExitStack) -> Callable[..., None]:
        def add(module: nn.Module, before: Any, after: Any) -> None:
            stack.callback(module.register_forward_pre_hook(before, with_kwargs=True).remove)
            if after is not None:
                # Prepended, so that of several captures the one that came last leaves first, as a stack must be left.
                handle = module.register_forward_hook(after, with_kwargs=True, prepend=True, always_call=True)
                stack.callback(handle.remove)

        return add

    def _before_model(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.closed is not None:
            raise CaptureError(self.closed)
        self.step += 1
        self._active, self._maps, self._selves = False, {}, {}
        if self.step == 0:
            self._total = self.run.total()
            self.recording.attrs["steps"] = self._total
        if not self.options.wants(self.step, self._total):
            return
        sample = args[0] if args else kwargs["sample"]
        self._rows = self._conditional_rows(sample.shape[0])
        if self._rows:
            self._check_shape(len(self._rows), *sample.shape[-2:])
            branch = "cond" if self.run.images else "unknown"
            self.recording.rows = [Row(branch, image) for image in range(len(self._rows))]
        if not any(self.recording.size):
            self.recording.size = (sample.shape[-2] * self.run.scale, sample.shape[-1] * self.run.scale)
        self._active = True
        timestep = args[1] if len(args) > 1 else kwargs["timestep"]
        timestep = float(timestep.flatten()[0]) if hasattr(timestep, "flatten") else float(timestep)
        self._unfinished = f"step {self.step} was not finished"
        self._now = Step(self.step, timestep, self.run.sigma(timestep))

    def _after_model(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if self._active and output is not None:
            self._unfinished = None
        self.flush()

    def _before_container(self, path: str) -> Callable[..., None]:
        def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            hidden = args[0] if args else kwargs.get("hidden_states")
            if hidden is not None and hidden.ndim == 4:
                self._grids[path] = (hidden.shape[-2], hidden.shape[-1])

        return before

    def _around_site(self, site: Site) -> tuple[Callable[..., None], Callable[..., None]]:
        probe = self._probe

        def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if not self._active:
                return
            hidden = args[0] if args else kwargs["hidden_states"]
            text = kwargs.get("encoder_hidden_states", args[1] if len(args) > 1 else None)
            kind = "self" if text is None else "cross"
            if kind not in self.options.kinds:
                self._why.setdefault(site.module, f"{kind}-attention was not asked for by kinds=")
                return
            batch = hidden.shape[0]
            if not self._rows:
                self._why.setdefault(site.module, self._batch_reason(batch))
                return
            if text is None:
                probe.sighting = SelfSighting(hidden.shape[1], self._rows, batch, site.heads)
            else:
                keys = (text[0] if isinstance(text, tuple) else text).shape[1]
                probe.sighting = CrossSighting(keys, self._rows, batch, site.heads, self._choose_columns(keys))
            probe.__enter__()

        def after(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            sighting, probe.sighting = probe.sighting, None
            if sighting is None:
                return
            probe.__exit__(None, None, None)
            if output is not None:  # None where the module raised
                self._keep(site, module, sighting)

        return before, after

    # --- a site's maps ----------------------------------------------------------------------------------------

    def _keep(self, site: Site, module: nn.Module, sighting: Sighting) -> None:
        if sighting.refused or not sighting.complete:
            processor = type(getattr(module, "processor", None)).__name__
            unseen = f"its processor {processor} called neither scaled_dot_product_attention nor {sighting.looks_for}"
            self._why.setdefault(site.module, sighting.refused or unseen)
            return
        seen = sighting.kept(self.options.dtype)
        grid = self._grids.get(site.container)
        cells = seen.query.shape[-2] if isinstance(seen, QueriesKeys) else seen.shape[-2]
        if grid is None or grid[0] * grid[1] != cells:
            self._why.setdefault(site.module, f"its {cells} queries are not the cells of a grid that was seen ({grid})")
            return
        self._seen[site.module] = self._seen.get(site.module, 0) + 1
        self._kinds[site.module] = sighting.kind
        self.recording.head_widths[site.module] = sighting.width or _head_width(module)
        if isinstance(seen, QueriesKeys):
            self._selves[site.layer] = seen
        else:
            self._maps[site.layer] = seen

    def _choose_columns(self, length: int) -> Columns:
        if self._columns is None:
            known = self.run.text if self.options.labels is None else None
            if known is None or len(known.tokens) != length:
                known = label_positions(length, self.options.labels)
            self._text = known
            tokens, summed = known.kept(self.options.tokens)
            self.recording.texts["cross"] = [tokens] * len(self.recording.rows)
            single = [token.position for token in tokens]
            self._columns = Columns(single[:-1] if summed else single, summed)
        if length != self._columns.length:
            msg = (
                f"This capture holds maps over {self._columns.length} text positions, and this call has {length}. "
                "Use a `with attnscope.capture(...)` block for each."
            )
            raise CaptureError(msg)
        return self._columns

    def _conditional_rows(self, batch: int) -> list[int]:
        images = self.run.images or batch
        if batch == images:
            return list(range(batch))
        if batch == 2 * images and self.run.guided():
            return list(range(images, batch))
        return []

    def _check_shape(self, *shape: int) -> None:
        """One capture has one shape: arrays are not ragged."""
        if self._shape not in (None, shape):
            one, two = (f"{count} picture(s) with latents of {h}x{w}" for count, h, w in (self._shape, shape))
            msg = f"This capture holds {one}; this call has {two}. Use a `with attnscope.capture(...)` block for each."
            raise CaptureError(msg)
        self._shape = shape

    def _batch_reason(self, batch: int) -> str:
        return (
            f"a batch of {batch} rows for {self.run.images} picture(s), guidance "
            f"{'on' if self.run.guided() else 'off'}, does not tell which rows are conditional"
        )

    # --- a step's maps ----------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Add the step under way to the recording."""
        if not self._active or not (self._maps or self._selves):
            self._active = False
            return
        self._active = False
        recording = self.recording
        if not (recording.stores or recording.self_stores):
            self._make_stores()
        for store in recording.stores:
            store.append(self._maps)
        for store in recording.self_stores:
            store.append(self._selves)
        kept = {site.module for store in (*recording.stores, *recording.self_stores) for site in store.sites}
        for site in self._sites:
            if site.module in self._seen and site.module not in kept:
                self._seen.pop(site.module)
                self._why[site.module] = "it ran for the first time after the first captured step"
        recording.steps.append(self._now)
        self._maps, self._selves = {}, {}
        recording.advance()

    def _make_stores(self) -> None:
        total = self._total
        room = 1 if total is None else sum(self.options.wants(step, total) for step in range(total))
        rows, tokens = len(self.recording.rows), 0 if self._columns is None else len(self._columns)
        self.recording.stores = [
            GridStore("cross", grid, sites, rows, tokens, self.options.dtype, room)
            for grid, sites in self._by_grid(self._maps).items()
        ]
        self.recording.self_stores = [
            SelfStore(grid, sites, self._selves, room) for grid, sites in self._by_grid(self._selves).items()
        ]

    def _by_grid(self, seen: Collection[str]) -> dict[tuple[int, int], list[Site]]:
        kind = "cross" if seen is self._maps else "self"
        groups: dict[tuple[int, int], list[Site]] = {}
        for site in self._sites:
            if site.layer in seen and site.module in self._seen and self._kinds.get(site.module) == kind:
                groups.setdefault(self._grids[site.container], []).append(site)
        return groups

    # --- the end ----------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Give back spare room and say what was not seen."""
        for store in (*self.recording.stores, *self.recording.self_stores):
            store.trim()
        self.recording.attrs["missing"] = [
            {"layer": site.layer, "kind": site.kind, "module": site.module, "reason": reason}
            for site in self._sites
            if (reason := self._reason(site)) is not None
        ]
        self.recording.advance()

    @property
    def text(self) -> Text | None:
        """Tokens that label the columns; None before the first site."""
        return self._text

    def _reason(self, site: Site) -> str | None:
        if site.module in self._wanted and site.module in self._seen:
            return None if self._seen[site.module] == len(self.recording.steps) else self._gaps(site)
        if site.module not in self._wanted:
            return "not asked for by layers="
        if site.module in self._why:
            return self._why[site.module]
        if site.kind not in self.options.kinds:
            return f"{site.kind}-attention was not asked for by kinds="
        if self.step < 0:
            return "the model was not called"
        if not self.recording.steps and self._unfinished is None:
            return f"steps={self.options.steps!r} holds none of the {self.step + 1} step(s) of the run"
        return self._unfinished or "the model did not call it"

    def _gaps(self, site: Site) -> str:
        seen, steps = self._seen[site.module], len(self.recording.steps)
        why = self._unfinished or self._why.get(site.module, "the model did not call it in the others")
        return f"seen in {seen} of {steps} steps: {why}"


def _head_width(module: Any) -> int:
    return int(module.to_q.out_features // module.heads) if hasattr(module, "to_q") else 0
