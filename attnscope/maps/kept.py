"""Maps as they are kept, and as they are used: half precision or 8 bits at rest, single precision at work."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from attnscope.capture.companding import decode
from attnscope.errors import AttnscopeError, SavedCaptureError
from attnscope.maps.lazy import LazyAttention

#: What maps are kept in and not used in.
_NARROW = (np.dtype(np.float16), np.dtype(np.uint8))

__all__ = ["as_used", "in_use", "kept", "kept_nbytes", "on_disk"]


class _Reading(BackendArray):
    """A variable that is read, part by part, when asked for.

    Parameters
    ----------
    source
        What is kept.
    dtype
        Of what comes out.
    place
        The file to name where reading fails; None for what is in memory.
    """

    def __init__(self, source: xr.Variable, dtype: np.dtype, place: str | None = None) -> None:
        self.source, self.dtype, self.place = source, dtype, place
        self.shape = source.shape

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        try:
            values = self.source[key].values
            return values if values.dtype == self.dtype else as_used(values)
        except (AttnscopeError, IndexError, MemoryError):
            raise
        except Exception as error:
            if self.place is None:
                raise
            msg = f"{self.place} is damaged: {error}. Save it again from the run, or from a copy that is whole."
            raise SavedCaptureError(msg) from error


def in_use(source: xr.Variable) -> xr.Variable:
    """Widen float16, and decode 8 bits, to float32, lazily.

    xarray adds up float16 in float16: a mean over some thousand cells would be wrong by a factor, and nothing would
    say so.

    Parameters
    ----------
    source
        What is kept, in memory or on disk.

    Returns
    -------
    xarray.Variable
        The same values; nothing is copied before it is asked for.

    Examples
    --------
    >>> half = xr.Variable("pixel", np.full(10_000, 0.25, np.float16))
    >>> float(in_use(half).mean()), in_use(half).dtype
    (0.25, dtype('float32'))
    """
    return _lazy(source, np.dtype(np.float32)) if source.dtype in _NARROW else source


def as_used(values: np.ndarray) -> np.ndarray:
    """Give kept values in single precision.

    Examples
    --------
    >>> as_used(np.array([0, 127, 254, 255], np.uint8)).tolist()
    [0.0, 0.25, 1.0, nan]
    """
    return decode(values) if values.dtype == np.uint8 else values.astype(np.float32, copy=False)


def on_disk(source: xr.Variable, place: str) -> xr.Variable:
    """Say which capture is damaged, where reading it fails."""
    return _lazy(source, source.dtype, place)


def kept(array: xr.DataArray | xr.Variable) -> xr.Variable:
    """Give what lies under an array of the tree: the values in the precision in which they are kept."""
    variable = array.variable if isinstance(array, xr.DataArray) else array
    reading = getattr(variable._data, "array", None)
    if isinstance(reading, _Reading) and reading.place is None:
        return xr.Variable(variable.dims, reading.source._data, variable.attrs)
    return variable


def kept_nbytes(array: xr.DataArray) -> int:
    """Count the bytes of what lies under an array of the tree."""
    data = array.variable._data
    return data.stored_nbytes if isinstance(data, LazyAttention) else kept(array).nbytes


def _lazy(source: xr.Variable, dtype: np.dtype, place: str | None = None) -> xr.Variable:
    data: Any = indexing.LazilyIndexedArray(_Reading(source, dtype, place))
    return xr.Variable(source.dims, data, source.attrs)
