"""Where the stores of a recording are made; in memory, unless another place is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attnscope.capture.stores import GridStore, QueriesKeys, SelfStore

if TYPE_CHECKING:
    import numpy as np

    from attnscope.capture.recording import Recording
    from attnscope.capture.sites import Site

__all__ = ["InMemory"]


class InMemory:
    """Makes the stores of a recording, and is told when a step, and when the run, is finished.

    Who keeps them elsewhere (``maps/stream.py``: on disk) overrides what it does otherwise; the recorder does not know
    which of them it fills.
    """

    def grid_store(
        self,
        kind: str,
        grid: tuple[int, int],
        sites: Sequence[Site],
        rows: int,
        tokens: int,
        dtype: np.dtype,
        steps: int,
        heads: int | None = None,
    ) -> GridStore:
        """Make a store of maps over tokens."""
        return GridStore(kind, grid, sites, rows, tokens, dtype, steps, heads)

    def self_store(
        self, grid: tuple[int, int], sites: Sequence[Site], first: Mapping[str, QueriesKeys], steps: int
    ) -> SelfStore:
        """Make a store of queries and keys."""
        return SelfStore(grid, sites, first, steps)

    def begin(self, recording: Recording) -> None:
        """Prepare: all stores are made, and the first step is about to be added."""

    def step_finished(self, recording: Recording) -> None:
        """Take note that every store has the last of ``recording.steps``."""

    def run_finished(self, recording: Recording) -> None:
        """Take note that nothing will be added any more; pictures and attributes are known."""
