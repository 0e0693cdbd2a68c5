"""Putting the maps of a finished step where they are kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attnscope.capture.averaging import StepMean
from attnscope.capture.sites import Site, distinct

if TYPE_CHECKING:
    from attnscope.capture.gaps import Gaps
    from attnscope.capture.keeping import InMemory
    from attnscope.capture.options import Options
    from attnscope.capture.recording import Recording, Step

__all__ = ["Filing", "grid_of"]


def grid_of(site: Site, grids: Mapping[str, tuple[int, int]]) -> tuple[int, int] | None:
    """Rows and columns of the image that a site gets, or that its container does."""
    return grids.get(site.module, grids.get(site.container))


class Filing:
    """Makes the stores of a recording when the first step has shown what there is, and fills them step by step.

    Parameters
    ----------
    recording
        Gets the stores, and the steps.
    options
        What to keep.
    place
        Where it is kept.
    gaps
        Is told of what has no place.
    sites
        All sites of the model, in network order.
    grids
        Rows and columns that were seen, by path; see `grid_of`.
    """

    def __init__(
        self,
        recording: Recording,
        options: Options,
        place: InMemory,
        gaps: Gaps,
        sites: list[Site],
        grids: Mapping[str, tuple[int, int]],
    ) -> None:
        self._recording, self._options, self._place, self._gaps = recording, options, place, gaps
        self._sites, self._grids = sites, grids
        #: How many steps are kept, or have gone into a mean.
        self.steps = 0

    def add(self, seen: Mapping[str, Mapping[Site, Any]], now: Step, total: int | None) -> None:
        """Add a step.

        Parameters
        ----------
        seen
            By kind and site, what a store of that kind takes.
        now
            Which step it is.
        total
            Number of steps of the run, where that is known.
        """
        recording, averaged = self._recording, "step" in self._options.reduce
        if not self._stores:
            self._make_stores(seen, total)
        for store in self._stores:
            there = {site.module: value for site, value in seen.get(store.kind, {}).items()}
            step = {site.layer: there[site.module] for site in store.sites if site.module in there}
            for site in store.sites if store.kind == "self" else ():
                if site.layer in step and not store.fits(site.layer, step[site.layer]):
                    self._gaps.unlike(site, store.kind)
                    del step[site.layer]
            store.append(step)
        kept = {(store.kind, site.module) for store in self._stores for site in store.sites}
        for kind, sites in seen.items():
            for site in sites:
                if (kind, site.module) not in kept:
                    self._gaps.came_late(site, kind)
        recording.steps = [*([] if averaged else recording.steps), now]
        self.steps += 1
        if averaged:
            recording.attrs["averaged_steps"] = self.steps

    def close(self) -> None:
        """Take note that nothing is added any more."""
        for store in self._recording.stores:
            store.close()

    @property
    def _stores(self) -> list[Any]:
        return [*self._recording.stores, *self._recording.self_stores]

    def _make_stores(self, seen: Mapping[str, Mapping[Site, Any]], total: int | None) -> None:
        recording, options, place = self._recording, self._options, self._place
        room = 1 if total is None else sum(options.wants(step, total) for step in range(total))
        heads, averaged = (1 if "head" in options.reduce else None), "step" in options.reduce
        for kind, sites in seen.items():
            for grid, several in self._by_grid(kind, sites).items():
                if kind == "self":
                    by_module = {site.module: value for site, value in sites.items()}
                    first = {site.layer: by_module[site.module] for site in several}
                    recording.self_stores.append(place.self_store(grid, several, first, room))
                    continue
                rows, tokens = len(recording.rows), len(recording.texts[kind][0])
                steps = 1 if averaged else room
                store = place.grid_store(kind, grid, several, rows, tokens, options.dtype, steps, heads)
                recording.stores.append(StepMean(store) if averaged else store)
        place.begin(recording)

    def _by_grid(self, kind: str, seen: Collection[Site]) -> dict[tuple[int, int], list[Site]]:
        groups: dict[tuple[int, int], list[Site]] = {}
        for site in distinct([replace(site, kind=kind) for site in self._sites if site in seen]):
            groups.setdefault(grid_of(site, self._grids) or (0, 0), []).append(site)
        return groups
