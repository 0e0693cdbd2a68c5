"""Percentiles of more values than fit into memory at once."""

from __future__ import annotations

import numpy as np

__all__ = ["Spread"]

#: Half precision has so many numbers from 0 to 1.
_CODES = 0x3C01


class Spread:
    """How values from 0 to 1 are spread, for each of many maps, added bit by bit.

    They are counted by what they are in half precision, in which most captures keep them: a percentile is exact to
    that, and a layer takes some megabytes however many steps there are.

    Examples
    --------
    >>> spread = Spread()
    >>> spread.add(np.array([[[0.0], [0.25], [np.nan]]], np.float32))
    >>> spread.add(np.array([[[1.0], [0.5], [0.75]]], np.float32))
    >>> spread.percentile(25).tolist(), spread.percentile(50).tolist(), spread.highest.tolist()
    ([[0.25]], [[0.5]], [[1.0]])
    """

    def __init__(self) -> None:
        #: The largest value of each map; NaN where none was a number.
        self.highest: np.ndarray = np.empty(0)
        self._counts: np.ndarray | None = None

    def add(self, maps: np.ndarray) -> None:
        """Count more values.

        Parameters
        ----------
        maps
            ``(row, pixel, column)`` float32; what is not a number does not count.
        """
        rows, _, columns = maps.shape
        if self._counts is None:
            self.highest = np.full((rows, columns), np.nan, np.float32)
            self._counts = np.zeros((rows, columns, _CODES), np.int32)
        # fmax, not maximum: what was not seen does not hide the others.
        self.highest = np.fmax(self.highest, np.fmax.reduce(maps, axis=1))
        first = np.arange(columns) * _CODES
        for row, values in enumerate(maps):
            codes = np.clip(values, 0, 1).astype(np.float16).view(np.uint16)
            seen = codes < _CODES
            counted = np.bincount((codes + first)[seen], minlength=columns * _CODES)
            self._counts[row] += counted.reshape(columns, _CODES).astype(np.int32)

    def percentile(self, percent: float) -> np.ndarray:
        """Give a percentile of each map, between neighbours by a straight line; NaN where nothing counts."""
        assert self._counts is not None
        return np.stack([_percentile(counts.cumsum(axis=-1), percent) for counts in self._counts])


def _percentile(below: np.ndarray, percent: float) -> np.ndarray:
    """From ``(column, code)``, how many values are up to each code."""
    numbers = np.arange(_CODES, dtype=np.uint16).view(np.float16).astype(np.float32)
    total = below[:, -1]
    place = np.maximum(total - 1, 0) * (percent / 100)
    lower, upper = (
        # The value that stands at a place in order: the first with more values up to it.
        numbers[np.minimum((below <= at[:, None]).sum(axis=-1), _CODES - 1)]
        for at in (np.floor(place), np.ceil(place))
    )
    value = lower + (upper - lower) * (place - np.floor(place))
    return np.where(total > 0, value, np.nan).astype(np.float32)
