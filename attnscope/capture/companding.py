"""Probabilities in 8 bits: square-root companding, fine where attention is small, as it is almost everywhere."""

from __future__ import annotations

import numpy as np

__all__ = ["ERROR", "NOTHING", "decode", "encode"]

#: The code of NaN; 0 to 254 are values.
NOTHING = 255
#: How far a value p may be off. The code is off by half a step at most, so its root by e <= 1/508, and
#: |(r + e)**2 - r**2| <= 2 r |e| + e**2 with r = sqrt(p). Beside it stands the rounding of float32.
ERROR = "sqrt(p)/254 + 1/(4*254**2)"
_DECODED = np.square(np.arange(256, dtype=np.float32) / np.float32(NOTHING - 1))
_DECODED[NOTHING] = np.nan


def encode(values: np.ndarray) -> np.ndarray:
    """Bring probabilities to codes: ``round(254 * sqrt(p))``, and 255 for NaN.

    Parameters
    ----------
    values
        In [0, 1]; what rounding has put beyond is brought back.

    Returns
    -------
    numpy.ndarray
        The same shape, uint8.

    Examples
    --------
    >>> encode(np.array([0.0, 0.25, 1.0, np.nan], np.float32)).tolist()
    [0, 127, 254, 255]
    """
    roots = np.sqrt(np.clip(values, 0, 1), dtype=np.float32)
    roots *= NOTHING - 1
    np.rint(roots, out=roots)
    return np.nan_to_num(roots, copy=False, nan=NOTHING).astype(np.uint8)


def decode(codes: np.ndarray) -> np.ndarray:
    """Give the probabilities that codes stand for: ``(code / 254)**2`` in float32, and NaN for 255.

    Examples
    --------
    >>> decode(np.array([0, 127, 254, 255], np.uint8)).tolist()
    [0.0, 0.25, 1.0, nan]
    """
    return _DECODED[codes]
