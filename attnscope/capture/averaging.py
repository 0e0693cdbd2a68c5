"""A running mean over steps: one step's worth of memory, however long the run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from attnscope.capture.stores import GridStore

__all__ = ["StepMean"]


class StepMean(GridStore):
    """Means over the steps of maps that share a grid, kept as one step of another store.

    They are summed in float32, one layer at a time; steps in which a layer was not seen do not count in its mean.

    Parameters
    ----------
    store
        Keeps the means so far, in its own dtype.
    """

    def __init__(self, store: GridStore) -> None:
        self._store = store
        self.kind, self.grid, self.sites = store.kind, store.grid, store.sites
        self.shape, self.dtype = store.shape, store.dtype
        self._sums: dict[str, np.ndarray] = {}
        self._seen: dict[str, int] = {}

    @property
    def array(self) -> np.ndarray:
        """The means so far: ``(1, row, layer, head, pixel, token)``."""
        return self._store.array

    def append(self, maps: Mapping[str, np.ndarray]) -> None:
        """Add a step to the means: for each layer seen in it ``(row, head, pixel, token)`` float32."""
        for site in self.sites:
            seen = maps.get(site.layer)
            if seen is None:
                continue
            if site.layer in self._sums:
                self._sums[site.layer] += seen
            else:
                self._sums[site.layer] = seen.astype(np.float32)
            self._seen[site.layer] = self._seen.get(site.layer, 0) + 1
        self._store.replace(_Means(self._sums, self._seen))

    def close(self) -> None:
        """Give back the sums: nothing is added any more."""
        self._sums.clear()
        self._store.close()


class _Means(Mapping[str, np.ndarray]):
    """The mean of each layer, made when it is asked for, so that only one of them is in memory."""

    def __init__(self, sums: Mapping[str, np.ndarray], seen: Mapping[str, int]) -> None:
        self._sums, self._seen = sums, seen

    def __getitem__(self, layer: str) -> np.ndarray:
        return self._sums[layer] / np.float32(self._seen[layer])

    def __iter__(self):
        return iter(self._sums)

    def __len__(self) -> int:
        return len(self._sums)
