"""Self-attention of one layer as queries, keys and row log-sum-exps: any block of the map, when it is asked for."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["BLOCK_BYTES", "Scores"]

#: The most that one block of a map takes, in bytes of float32; maps are computed one block at a time. Far less memory
#: than would be bearable, since blocks that stay in a processor's cache are computed nearly twice as fast as larger
#: ones. A single row is never cut.
BLOCK_BYTES = 4 * 2**20
#: The most that the queries and keys of the heads that are read at a time take, in bytes of float32.
READ_BYTES = 32 * 2**20
#: Weights above this, of which a row has at most 20, are computed once more in float64: a float32 product of 40 is off
#: by some 5e-6, and the weight by that much of its own size.
_LARGE = 0.05
#: How many of them at a time.
_TOGETHER = 2**14


class Scores:
    """What one layer's self-attention is computed from.

    The weight with which pixel ``i`` looks at pixel ``j`` is ``exp(scale * q_i . k_j + bias_j - lse_i)``, in float32,
    with ``lse_i = log(sum_j exp(scale * q_i . k_j + bias_j))`` over every key: the softmax of row ``i``, one entry at a
    time, so that a column costs no more than a row. Dao et al., FlashAttention (NeurIPS 2022), recompute the weights
    for the backward pass in this way.

    Parameters
    ----------
    query, key
        ``(..., head, pixel, width)`` as the kernel got them, with any leading dims such as image and step: float32,
        float16, or the bits of bfloat16. numpy arrays, Zarr arrays or xarray variables; only what is asked for is read.
    scale
        Of the products.
    lse
        ``(..., head, pixel)`` float32; None if it is not known: then it is computed when it is first needed, row by
        row, and remembered.
    bias
        ``(..., key)`` or ``(key,)``: what the model adds to the scores of a key, such as a mask.
    seen
        ``(...)`` of bool, such as one entry for each step: whether the layer was seen there. Its maps are NaN where
        it was not.
    bfloat16
        Whether ``query`` and ``key`` are the bits of bfloat16 as uint16; numpy has no such type.

    Raises
    ------
    ValueError
        If the shapes do not fit together, or the dtype is none of those.

    Examples
    --------
    >>> query = key = np.eye(3, dtype=np.float32)[None]
    >>> layer = Scores(query, key, scale=1.0)
    >>> layer.heads, layer.pixels, layer.lead
    (1, 3, ())
    >>> ((_, _, block),) = layer.blocks((), np.array([0]), np.array([1]), np.arange(3))
    >>> block.round(3)
    array([[[0.212, 0.576, 0.212]]], dtype=float32)
    """

    def __init__(
        self,
        query: Any,
        key: Any,
        *,
        scale: float,
        lse: Any = None,
        bias: Any = None,
        seen: Any = None,
        bfloat16: bool = False,
    ) -> None:
        self.query, self.key, self.lse, self.bias = (_source(array) for array in (query, key, lse, bias))
        self.scale = float(scale)
        self.seen = None if seen is None else np.asarray(seen, dtype=bool)
        self.bfloat16 = bfloat16
        self._check()
        *lead, self.heads, self.pixels, self.width = (int(length) for length in self.query.shape)
        self.lead = tuple(lead)
        self._sums: np.ndarray | None = None
        self._lock = threading.Lock()

    def _check(self) -> None:
        shape = tuple(self.query.shape)
        if len(shape) < 3:
            msg = f"query has the shape {shape}; it must be (..., head, pixel, width)."
            raise ValueError(msg)
        lead = shape[:-3]
        wanted = {"key": [shape], "lse": [shape[:-1]], "bias": [(*lead, shape[-2]), shape[-2:-1]], "seen": [lead]}
        for name, fitting in wanted.items():
            array = getattr(self, name)
            if array is not None and tuple(array.shape) not in fitting:
                either = " or ".join(map(str, fitting))
                msg = f"{name} has the shape {tuple(array.shape)}; to a query of {shape} belongs {either}."
                raise ValueError(msg)
        types = [np.dtype(np.uint16)] if self.bfloat16 else [np.dtype(np.float32), np.dtype(np.float16)]
        for name in ("query", "key"):
            if (dtype := getattr(self, name).dtype) not in types:
                msg = (
                    f"{name} is {dtype}, with bfloat16={self.bfloat16}. Available: float32, float16, or the bits of "
                    "bfloat16 as uint16 with bfloat16=True."
                )
                raise ValueError(msg)

    @property
    def dtype(self) -> str:
        """In what queries and keys are kept."""
        return "bfloat16" if self.bfloat16 else str(self.query.dtype)

    @property
    def stored_nbytes(self) -> int:
        """Bytes of what is kept: queries, keys, log-sum-exps, bias."""
        kept = [array for array in (self.query, self.key, self.lse, self.bias) if array is not None]
        return sum(int(np.prod(array.shape)) * array.dtype.itemsize for array in kept)

    def blocks(
        self, at: tuple[int, ...], heads: np.ndarray, rows: np.ndarray, keys: np.ndarray
    ) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Compute a part of the map, block by block.

        Parameters
        ----------
        at
            Where on the leading dims.
        heads, rows, keys
            Positions along ``head`` (of those past the layer's own the map is NaN), ``pixel`` and ``key``.

        Yields
        ------
        tuple
            Which of ``heads``, which of ``rows``, and their weights ``(head, pixel, key)`` float32, for every key asked
            for. Not to be written to.
        """
        if self.seen is not None and not self.seen[at]:
            yield from self._nothing(slice(0, len(heads)), rows, keys)
            return
        for run in _runs(heads < self.heads):
            if heads[run.start] >= self.heads:
                yield from self._nothing(run, rows, keys)
            else:
                yield from self._computed(at, heads, run, rows, keys)

    def factors(self, at: tuple[int, ...], head: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
        """Give what one head is computed from, in float32.

        Parameters
        ----------
        at
            Where on the leading dims.
        head
            One of the layer's own.

        Returns
        -------
        query, key, lse, bias
            ``(pixel, width)`` twice, ``(pixel,)`` (NaN where the layer was not seen), and ``(pixel,)`` or None.
        """
        every, one = np.arange(self.pixels), np.array([head])
        query, key, bias = self._read(at, one, every, every)
        seen = self.seen is None or self.seen[at]
        lse = self._row_sums(at, one, every)[0] if seen else np.full(self.pixels, np.nan, np.float32)
        return query[0], key[0], lse, bias

    def _nothing(self, run: slice, rows: np.ndarray, keys: np.ndarray) -> Iterator[tuple[slice, slice, np.ndarray]]:
        for some, part in _tiles(run.stop - run.start, len(rows), len(keys)):
            shape = (some.stop - some.start, part.stop - part.start, len(keys))
            shifted = slice(run.start + some.start, run.start + some.stop)
            yield shifted, part, np.broadcast_to(np.float32(np.nan), shape)

    def _computed(
        self, at: tuple[int, ...], heads: np.ndarray, run: slice, rows: np.ndarray, keys: np.ndarray
    ) -> Iterator[tuple[slice, slice, np.ndarray]]:
        together = max(1, READ_BYTES // (4 * max(1, (len(rows) + len(keys)) * self.width)))
        for start in range(run.start, run.stop, together):
            group = heads[start : min(start + together, run.stop)]
            lse = self._row_sums(at, group, rows)
            query, key, bias = self._read(at, group, rows, keys)
            for some, part in _tiles(len(group), len(rows), len(keys)):
                block = self._weights(query[some, part], key[some], bias, lse[some, part])
                yield slice(start + some.start, start + some.stop), part, block

    def _weights(self, query: np.ndarray, key: np.ndarray, bias: np.ndarray | None, lse: np.ndarray) -> np.ndarray:
        block = self._products(query, key, bias)
        block -= lse[..., None]
        with np.errstate(over="ignore"):
            np.exp(block, out=block)
        large = np.flatnonzero(block > _LARGE)
        for start in range(0, len(large), _TOGETHER):
            head, row, column = np.unravel_index(large[start : start + _TOGETHER], block.shape)
            exact = np.einsum("nw,nw->n", query[head, row], key[head, column], dtype=np.float64) * self.scale
            exact -= lse[head, row]
            block[head, row, column] = np.exp(exact if bias is None else exact + bias[column])
        return block

    def _products(self, query: np.ndarray, key: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
        # What was kept of a layer that was not seen may be anything; its log-sum-exp is NaN.
        with np.errstate(over="ignore", invalid="ignore"):
            # The scale is applied to the queries, which are fewer than the products.
            block = np.matmul(query * query.dtype.type(self.scale), key.swapaxes(-1, -2))
        if bias is not None:
            block += bias
        return block

    def _read(
        self, at: tuple[int, ...], heads: np.ndarray, rows: np.ndarray, keys: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        query = self._decode(_take(self.query, (*at, heads, rows, None)))
        key = self._decode(_take(self.key, (*at, heads, keys, None)))
        if self.bias is None:
            return query, key, None
        lead = at if self.bias.ndim > 1 else ()
        return query, key, _take(self.bias, (*lead, keys)).astype(np.float32)

    def _decode(self, values: np.ndarray) -> np.ndarray:
        if self.bfloat16:
            # bfloat16 is the upper half of a float32.
            return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
        return values.astype(np.float32, copy=False)

    def _row_sums(self, at: tuple[int, ...], heads: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Log-sum-exps ``(head, pixel)``, computed where they are not known yet."""
        if self.lse is not None:
            return _take(self.lse, (*at, heads, rows)).astype(np.float32, copy=False)
        with self._lock:
            if self._sums is None:
                self._sums = np.full((*self.lead, self.heads, self.pixels), np.nan, np.float32)
            sums = self._sums[at]
            for head in np.unique(heads):
                if len(unknown := np.unique(rows[np.isnan(sums[head, rows])])):
                    sums[head, unknown] = self._summed(at, head, unknown)
            return sums[heads[:, None], rows]

    def _summed(self, at: tuple[int, ...], head: int, rows: np.ndarray) -> np.ndarray:
        query, key, bias = self._read(at, np.array([head]), rows, np.arange(self.pixels))
        # Done once, and all weights of the row depend on it: worth float64.
        query, key = query.astype(np.float64), key.astype(np.float64)
        sums = np.empty(len(rows), np.float32)
        for _, part in _tiles(1, len(rows), self.pixels):
            block = self._products(query[:, part], key, bias)[0]
            highest = block.max(axis=-1)
            block -= highest[:, None]
            sums[part] = highest + np.log(np.exp(block, out=block).sum(axis=-1))
        return sums

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())


def _tiles(heads: int, rows: int, keys: int) -> Iterator[tuple[slice, slice]]:
    """Cut heads and rows so that no block is larger than `BLOCK_BYTES`."""
    some = max(1, BLOCK_BYTES // max(1, 4 * rows * keys))
    part = max(1, BLOCK_BYTES // max(1, 4 * keys))
    for head in range(0, heads, some):
        for row in range(0, rows, part):
            yield slice(head, min(head + some, heads)), slice(row, min(row + part, rows))


def _runs(flags: np.ndarray) -> Iterator[slice]:
    """Stretches of equal flags."""
    edges = [0, *(np.flatnonzero(flags[1:] != flags[:-1]) + 1).tolist(), len(flags)]
    yield from (slice(start, stop) for start, stop in itertools.pairwise(edges) if stop > start)


def _source(array: Any) -> Any:
    return array.variable if isinstance(array, xr.DataArray) else array


def _take(source: Any, picks: tuple[int | np.ndarray | None, ...]) -> np.ndarray:
    """Read an outer product of positions; None for all of an axis."""
    keys = tuple(_compact(pick) for pick in picks)
    if isinstance(source, xr.Variable):
        return source[keys].to_numpy()
    if hasattr(source, "oindex"):
        return np.asarray(source.oindex[keys])
    # Slices first: a view is smaller than what index arrays would copy.
    values = np.asarray(source[tuple(slice(None) if isinstance(key, np.ndarray) else key for key in keys)])
    for axis, key in enumerate(key for key in keys if not isinstance(key, int)):
        if isinstance(key, np.ndarray):
            values = np.take(values, key, axis=axis)
    return values


def _compact(pick: int | np.ndarray | None) -> int | slice | np.ndarray:
    """A slice where positions are evenly spaced, so that neighbours are read at once."""
    if pick is None:
        return slice(None)
    if isinstance(pick, int):
        return pick
    if len(pick) == 1:
        return slice(int(pick[0]), int(pick[0]) + 1)
    steps = np.diff(pick)
    if len(pick) and steps[0] > 0 and (steps == steps[0]).all():
        return slice(int(pick[0]), int(pick[-1]) + 1, int(steps[0]))
    return pick
