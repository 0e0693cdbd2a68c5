"""Stores that write each step where it stays, and keep none of them in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attnscope.capture.stores import GridStore, QueriesKeys, SelfStore

if TYPE_CHECKING:
    import numpy as np

__all__ = ["GridOnDisk", "SelfOnDisk"]


class GridOnDisk(GridStore):
    """Maps of one grid, of which only the step under way is in memory."""

    def __init__(self, write: Callable[[str, np.ndarray], None], *description: Any) -> None:
        *rest, heads = description
        super().__init__(*rest, steps=0, heads=heads)
        self._write = write

    def append(self, maps: Mapping[str, np.ndarray]) -> None:
        """Write a step: for each layer seen in it ``(row, head, pixel, token)``; what was not seen is NaN."""
        self._write("attention", self.filled(maps))

    def replace(self, maps: Mapping[str, np.ndarray]) -> None:
        """Write a step that is said to be finished in the place of that before."""
        self.append(maps)


class SelfOnDisk(SelfStore):
    """Queries and keys of one grid, of which only the step under way is in memory."""

    def __init__(self, write: Callable[[str, np.ndarray], None], *description: Any) -> None:
        super().__init__(*description, steps=0)
        self._write = write

    def append(self, seen: Mapping[str, QueriesKeys]) -> None:
        """Write a step; the log-sum-exps of a layer that was not seen in it are NaN."""
        for layer in self.scales:
            for name, part in self.filled(layer, seen.get(layer)).items():
                self._write(f"{'lse' if name == 'sums' else name}.{layer}", part)
