"""A run as it happens: which step, which rows, which site; from the model's hooks to a `Recording`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from attnscope.capture.aside import aside
from attnscope.capture.budget import BudgetGuard
from attnscope.capture.compiled import compiled_error, refuse_compiled
from attnscope.capture.estimate import planner_of_call
from attnscope.capture.filing import Filing, grid_of
from attnscope.capture.gaps import Gaps
from attnscope.capture.keeping import InMemory
from attnscope.capture.looking import Looking
from attnscope.capture.measure import Measures
from attnscope.capture.over_tokens import OverTokens
from attnscope.capture.probe import AttentionProbe
from attnscope.capture.recording import Recording, Step
from attnscope.capture.rows import Rows
from attnscope.capture.run import Run
from attnscope.capture.sites import Site, find_sites, select_sites
from attnscope.errors import BudgetError, CaptureError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from attnscope.capture.options import Options
    from attnscope.capture.sightings import Sighting

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
    place
        Where what is seen is kept; in memory where it is not given.
    """

    def __init__(
        self, model: nn.Module, options: Options, closed: str | None = None, place: InMemory | None = None
    ) -> None:
        self.options = options
        self.place = place or InMemory()
        self.recording = Recording()
        self.closed = closed
        self.whole = False
        self.step = -1
        self._model = model
        self._sites = find_sites(model)
        self._wanted = {site.module for site in select_sites(self._sites, options.layers)}
        measured = [site for site in self._sites if site.module in self._wanted] if options.measure else []
        self._measures = Measures(model, measured)
        self.recording.measures = self._measures.measured
        self._probe = AttentionProbe()
        self._rows = Rows(self.recording, options)
        self._looking = Looking(self.recording, options)
        self.gaps = Gaps(self._sites, self._wanted, options)
        # What goes elsewhere is not kept in memory.
        budget = options.budget if type(self.place) is InMemory else None
        self._budget = None if budget is None else BudgetGuard(budget)
        self._grids: dict[str, tuple[int, int]] = {}
        self._filing = Filing(self.recording, options, self.place, self.gaps, self._sites, self._grids)
        self._landing: dict[str, dict[Site, Callable[[], Any]]] = {}
        self._total: int | None = None
        self._now = Step(-1, 0.0)
        self._active = False
        self.run = Run()

    @property
    def run(self) -> Run:
        """What is known of the run under way."""
        return self._run

    @run.setter
    def run(self, run: Run) -> None:
        self._run = self._rows.run = self._looking.run = run
        run.branches.layout = self.options.layout

    @property
    def looking(self) -> Looking:
        """What the columns stand for."""
        return self._looking

    # --- hooks ------------------------------------------------------------------------------------------------

    def attach(self, stack: ExitStack) -> None:
        """Hook the model; leaving ``stack`` takes away these hooks and no others."""
        add = self._hook(stack)
        add(self._model, self._before_model, self._after_model)
        for path in {site.container for site in self._sites}:
            add(self._model.get_submodule(path), self._before_container(path), None)
        for site in self._sites:
            if site.module in self._wanted and site.kind != "temporal":
                add(self._model.get_submodule(site.module), *self._around_site(site))
        self._measures.attach(stack, add)

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
        if torch.compiler.is_compiling():  # compiled since the capture began
            torch._dynamo.graph_break()  # else what follows is traced, not run
            raise compiled_error(module)
        if self.closed is not None:
            raise CaptureError(self.closed)
        if self.step < 0:
            refuse_compiled(module)
        self.interrupt(another=True)
        self.step += 1
        if self.step == 0:
            self._total = self.run.total()
            self.recording.attrs["steps"] = self._total
        if not self.options.wants(self.step, self._total):
            return
        given = dict(zip(("sample", "timestep", "encoder_hidden_states"), args, strict=False)) | kwargs
        sample, timestep = given["sample"], given["timestep"]
        self._rows.begin(module, sample, given.get("encoder_hidden_states"), self.step)
        self._stay_within_budget(given)
        if not any(self.recording.size):
            self.recording.size = (sample.shape[-2] * self.run.scale, sample.shape[-1] * self.run.scale)
        self._active = True
        kept = self._rows.kept
        self._measures.begin(kept, self._rows.batch, self._rows.places(kept), len(self.recording.rows))
        timestep = float(timestep.flatten()[0]) if hasattr(timestep, "flatten") else float(timestep)
        self._now = Step(self.step, timestep, self.run.sigma(timestep))

    def _stay_within_budget(self, given: dict[str, Any]) -> None:
        if self._budget is not None and self._rows.kept:
            facts = (self._model, given, self.options, self.run, self.recording.rows, self._total)
            try:
                self._budget.allow_step(len(self.recording.steps), partial(planner_of_call, *facts))
            except BudgetError:
                self.gaps.broke(self.step, "was beyond the budget")
                raise

    def _after_model(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if self._active and output is None:  # it raised
            self.gaps.broke(self.step, "was not finished")
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
            text = None if text is hidden else text  # Kandinsky 3 says self-attention so
            if hidden.ndim == 4:
                self._grids[site.module] = (hidden.shape[-2], hidden.shape[-1])
            reason = self._rows.reason(hidden.shape[0]) or self._reason_of_grid(site, hidden)
            if reason is not None:
                self.gaps.lacks(site, "self" if text is None else "cross", reason)
                return
            sightings, refused = self._looking.at(module, hidden, text, self._rows.kept, site.heads)
            for kind, why in refused.items():
                self.gaps.lacks(site, kind, why)
            if sightings is not None:
                probe.watch(sightings)

        def after(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            sightings = probe.leave()
            if sightings is None or output is None:  # where the module raised there is no output
                return
            known = self.recording.attrs["recomputed"]
            if self._looking.again(module, sightings, args, kwargs, output) and site.module not in known:
                known.append(site.module)
            with aside(output.device):
                for sighting in sightings.parts:
                    if sighting.kind in self.options.kinds:
                        self._keep(site, module, sighting)

        return before, after

    # --- a site's maps ----------------------------------------------------------------------------------------

    def _keep(self, site: Site, module: nn.Module, sighting: Sighting) -> None:
        if sighting.refused or not sighting.complete:
            processor = type(getattr(module, "processor", None)).__name__
            unseen = (
                f"its processor {processor} called neither scaled_dot_product_attention nor {sighting.looks_for}, "
                f"and {sighting.not_again}"
            )
            self.gaps.lacks(site, sighting.kind, sighting.refused or unseen)
            return
        self.gaps.saw(site, sighting.kind)
        self.recording.head_widths[site.module] = sighting.width or _head_width(module)
        if "head" in self.options.reduce and isinstance(sighting, OverTokens):
            sighting.average_heads()
        land, places = sighting.kept(self.options.in_flight), self._rows.places(sighting.rows)
        self._landing.setdefault(sighting.kind, {})[site] = lambda: self._rows.spread(land(), places)

    def _reason_of_grid(self, site: Site, hidden: Tensor) -> str | None:
        grid, queries = grid_of(site, self._grids), hidden.shape[2:].numel() if hidden.ndim == 4 else hidden.shape[1]
        if grid is not None and grid[0] * grid[1] == queries:
            return None
        return f"its {queries} queries are not the cells of a grid that was seen ({grid})"

    # --- a step's maps ----------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Add the step under way to the recording."""
        landing, self._landing = self._landing, {}
        if not self._active or not landing:
            self._active = False
            return
        self._active = False
        seen = {kind: {site: land() for site, land in sites.items()} for kind, sites in landing.items()}
        self._describe()
        self._filing.add(seen, self._now, self._total)
        self._measures.keep(self._now)
        self._describe()
        self.place.step_finished(self.recording)
        self.recording.advance()

    def interrupt(self, *, another: bool = False) -> None:
        """End the call under way, if there is one: after a KeyboardInterrupt torch calls no hook that would.

        Where another call follows, part of a first step is dropped, for it would settle which layers there are.
        """
        self._probe.leave()
        self._measures.interrupt()
        if self._active:
            self.gaps.broke(self.step, "was not finished")
        if another and not self.recording.steps:
            self._landing = {}
        self.flush()

    # --- the end ----------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Close the stores, and say what was not seen."""
        self.interrupt()
        self._filing.close()
        self._describe()
        self.recording.advance()

    def _describe(self) -> None:
        """Say what is known of the recording so far: a run that is killed has no end at which to say it."""
        attrs, texts = self.recording.attrs, self._looking.texts
        attrs["height"], attrs["width"] = self.recording.size
        attrs["tokens_known"] = all(text.known for text in texts)
        attrs["truncated"] = " | ".join(dict.fromkeys(text.truncated for text in texts if text.truncated)) or None
        attrs["missing"] = self.gaps.listed(self._filing.steps, self.step + 1)
        attrs["unfinished_steps"] = self.gaps.broken
        attrs["absent_branches"] = self._rows.absent


def _head_width(module: Any) -> int:
    return int(module.to_q.out_features // module.heads) if hasattr(module, "to_q") else 0
