"""The arithmetic of an atlas: means over heads, and maps of at most so many cells a side."""

from __future__ import annotations

import numpy as np

from attnscope.maps.resample import weights
from attnscope.widget.protocol import ATLAS_SIDE

__all__ = ["mean_over_heads", "nearest", "shrink"]


def mean_over_heads(maps: np.ndarray) -> np.ndarray:
    """Mean over the first axis, in float32.

    While a run goes on it waits for this, and numpy takes most of the time to widen half precision, one number after
    the other. The bits of a half, moved to where a single has them, are the number times ``2**-112``. That holds from 0
    to 65504, where attention lies; something else comes out far above 1, and is done in the plain way.

    Parameters
    ----------
    maps
        ``(head, ...)``; NaN where nothing was seen.

    Examples
    --------
    >>> mean_over_heads(np.array([[0.5, np.nan], [0.25, 0.25]], np.float16)).tolist()
    [0.375, nan]
    """
    if maps.dtype == np.float16:
        total = np.zeros(maps.shape[1:], np.float32)
        for head in maps:
            bits = head.view(np.uint16).astype(np.uint32)
            bits <<= 13
            total += bits.view(np.float32)
        total *= np.float32(2.0**112 / len(maps))
        if total.max(initial=0) <= 1.01:
            return total
    return maps.mean(axis=0, dtype=np.float32)


def shrink(maps: np.ndarray, side: int = ATLAS_SIDE) -> np.ndarray:
    """Bring maps to at most ``side`` cells a side by block mean.

    Cells of an odd grid that straddle two blocks count in each with the part that lies there, so that every block is
    of the same size on the picture.

    Parameters
    ----------
    maps
        ``(..., row, column)``.
    side
        Most cells a side.

    Examples
    --------
    >>> shrink(np.array([[1.0, 2.0, 3.0, 4.0]]), side=2).tolist()
    [[1.5, 3.5]]
    """
    height, width = maps.shape[-2:]
    factor = -(-max(height, width) // side)
    if factor == 1:
        return maps
    rows, columns = weights(height, -(-height // factor), "area"), weights(width, -(-width // factor), "area")
    return rows @ maps @ columns.T


def nearest(old: int, new: int) -> np.ndarray:
    """Which of ``old`` cells lies under the middle of each of ``new`` ones."""
    return ((np.arange(new) + 0.5) * old / new).astype(int)
