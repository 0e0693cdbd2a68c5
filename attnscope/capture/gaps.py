"""What was not captured, and why: nothing that is missing goes unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnscope.capture.options import Options
    from attnscope.capture.sites import Site

__all__ = ["Gaps"]


class Gaps:
    """Counts what was seen of each site and kind, and remembers why something was not.

    Parameters
    ----------
    sites
        All sites of the model.
    wanted
        Dotted paths of those that ``layers`` names.
    options
        What to keep.
    """

    def __init__(self, sites: list[Site], wanted: set[str], options: Options) -> None:
        self._sites, self._wanted, self._options = sites, wanted, options
        self._seen: dict[tuple[str, str], int] = {}
        self._why: dict[tuple[str, str], str] = {}
        #: Steps that are not whole, or not there at all, with the reason.
        self.broken: dict[str, str] = {}

    def saw(self, site: Site, kind: str) -> None:
        """One step of a site is kept."""
        self._seen[site.module, kind] = self._seen.get((site.module, kind), 0) + 1

    def lacks(self, site: Site, kind: str, reason: str) -> None:
        """One step of a site is not kept; the first reason stays."""
        self._why.setdefault((site.module, kind), reason)

    def broke(self, step: int, why: str) -> None:
        """A step was cut short."""
        self.broken[str(step)] = why

    def unlike(self, site: Site, kind: str) -> None:
        """One step of a site has no place in arrays that the first step has shaped."""
        self._seen[site.module, kind] -= 1
        self.lacks(site, kind, "its mask or scale is not that of the first step")

    def came_late(self, site: Site, kind: str) -> None:
        """A site has no place in the arrays, which were made before it ran."""
        if self._seen.pop((site.module, kind), None):
            self._why[site.module, kind] = "it ran for the first time after the first captured step"

    def listed(self, steps: int, calls: int) -> list[dict[str, str]]:
        """List what is missing.

        Parameters
        ----------
        steps
            Number of steps that are kept.
        calls
            Number of calls of the model.

        Returns
        -------
        list of dict
            With ``layer``, ``kind``, ``module`` and ``reason``, in network order.
        """
        return [
            {"layer": site.layer, "kind": kind, "module": site.module, "reason": reason}
            for site in self._sites
            for kind, reason in self._reasons(site, steps, calls)
        ]

    def _reasons(self, site: Site, steps: int, calls: int) -> Iterator[tuple[str, str]]:
        if site.module not in self._wanted:
            yield site.kind, "not asked for by layers="
            return
        known = {kind for module, kind in (*self._seen, *self._why) if module == site.module}
        for kind in sorted(known):
            seen, why = self._seen.get((site.module, kind), 0), self._why.get((site.module, kind))
            if not seen:
                yield kind, why or ""
            elif seen < steps:
                why = self._unfinished or why or "the model did not call it in the others"
                yield kind, f"seen in {seen} of {steps} steps: {why}"
        if not known:
            yield site.kind, self._never(site, steps, calls)

    def _never(self, site: Site, steps: int, calls: int) -> str:
        if site.kind == "temporal":
            return "it attends from frame to frame, not over the picture"
        if site.kind not in self._options.kinds:
            return f"{site.kind}-attention was not asked for by kinds="
        if not calls:
            return "the model was not called"
        if not steps and not self.broken:
            return f"steps={self._options.steps!r} holds none of the {calls} step(s) of the run"
        return self._unfinished or "the model did not call it"

    @property
    def _unfinished(self) -> str:
        return ", ".join(f"step {step} {why}" for step, why in self.broken.items())
