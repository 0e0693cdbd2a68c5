"""Sums, means and extremes of maps that are computed block by block: the map itself is never formed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from attnscope.maps.lazy import LazyAttention

__all__ = ["REDUCTIONS", "reduce"]

#: Results up to so many entries are summed in float64; larger ones in their own dtype, as they take the memory.
_WIDE = 2**20


def reduce(array: LazyAttention, name: str, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """Reduce some axes, or all of them where ``axis`` is None, as the numpy function of this name does.

    Parameters
    ----------
    array
        What to reduce; not empty.
    name
        One of `REDUCTIONS`.
    axis, dtype, keepdims
        As numpy takes them.

    Returns
    -------
    numpy.ndarray
        A scalar where every axis is gone. Where numpy would warn of an all-NaN slice, it is NaN without a word.
    """
    seen = range(array.ndim) if axis is None else np.atleast_1d(axis).tolist()
    places = [place + array.ndim if place < 0 else place for place in seen]
    if any(not 0 <= place < array.ndim for place in places) or len(set(places)) < len(places):
        msg = f"axis={axis} does not name different axes of the {array.ndim} that there are."
        raise np.exceptions.AxisError(msg)
    part = array.selection
    over = tuple(part.order[place] for place in places)
    shape = [1 if base in over else length for base, length in enumerate(part.lengths)]
    given = {} if dtype is None else {"dtype": dtype}
    kind = getattr(np, name)(np.ones(1, array.dtype), **given).dtype
    array.refuse_above_limit(tuple(shape), kind, f"The result of {name}")
    full = _KINDS[name](array, tuple(shape), over, kind)
    result = part.arrange(full.astype(kind, copy=False), gone=() if keepdims else over)
    return result if result.ndim else result[()]


def _accumulate(
    array: LazyAttention, total: np.ndarray, over: tuple[int, ...], combine: np.ufunc, part: Callable[..., Any]
) -> np.ndarray:
    for where, block in array.blocks():
        inside = tuple(slice(0, 1) if axis in over else some for axis, some in enumerate(where))
        combine(total[inside], part(block, over), out=total[inside])
    return total


def _add(array: LazyAttention, shape: tuple[int, ...], over: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    wide = _wide(shape, kind)
    return _accumulate(
        array,
        np.zeros(shape, wide),
        over,
        np.add,
        lambda block, axes: np.add.reduce(block, axis=axes, dtype=wide, keepdims=True),
    )


def _mean(array: LazyAttention, shape: tuple[int, ...], over: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    total = _add(array, shape, over, kind)
    total /= np.prod([array.selection.lengths[axis] for axis in over], dtype=total.dtype)
    return total


def _nan_add(array: LazyAttention, shape: tuple[int, ...], over: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    return _known(array, shape, over, kind)[0]


def _nan_mean(array: LazyAttention, shape: tuple[int, ...], over: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    total, unknown = _known(array, shape, over, kind)
    entries = int(np.prod([array.selection.lengths[axis] for axis in over]))
    with np.errstate(invalid="ignore"):
        total /= entries if unknown is None else (entries - unknown).astype(total.dtype)
    return total


def _known(
    array: LazyAttention, shape: tuple[int, ...], over: tuple[int, ...], kind: np.dtype
) -> tuple[np.ndarray, np.ndarray | None]:
    """Sum what is no NaN, and count the NaN; there may be none, which saves an array as large as the result."""
    wide = _wide(shape, kind)
    total, unknown = np.zeros(shape, wide), None
    for where, block in array.blocks():
        inside = tuple(slice(0, 1) if axis in over else some for axis, some in enumerate(where))
        part = np.add.reduce(block, axis=over, dtype=wide, keepdims=True)
        # A NaN among the summands is one in the sum: where there is none, no second look is needed.
        if np.isnan(part).any():
            nan = np.isnan(block)
            part = np.add.reduce(block, axis=over, dtype=wide, keepdims=True, where=~nan)
            unknown = np.zeros(shape, np.int64) if unknown is None else unknown
            unknown[inside] += nan.sum(axis=over, keepdims=True)
        total[inside] += part
    return total, unknown


def _wide(shape: tuple[int, ...], kind: np.dtype) -> np.dtype:
    return np.dtype(np.float64) if kind.kind == "f" and np.prod(shape) <= _WIDE else kind


def _extreme(combine: np.ufunc, plain: np.ufunc, highest: bool, unknown: bool = False) -> Callable[..., np.ndarray]:
    def part(block: np.ndarray, over: tuple[int, ...]) -> np.ndarray:
        found = plain.reduce(block, axis=over, keepdims=True)
        # fmax and fmin, which pass over NaN, are slower.
        return combine.reduce(block, axis=over, keepdims=True) if unknown and np.isnan(found).any() else found

    def extreme(array: LazyAttention, shape: tuple[int, ...], over: tuple[int, ...], kind: np.dtype) -> np.ndarray:
        if kind.kind == "f":
            start: Any = np.nan if unknown else (-np.inf if highest else np.inf)
        elif kind.kind == "b":
            start = not highest
        else:
            start = np.iinfo(kind).min if highest else np.iinfo(kind).max
        return _accumulate(array, np.full(shape, start, kind), over, combine, part)

    return extreme


_KINDS: dict[str, Callable[..., np.ndarray]] = {
    "sum": _add,
    "mean": _mean,
    "nansum": _nan_add,
    "nanmean": _nan_mean,
    "max": _extreme(np.maximum, np.maximum, highest=True),
    "min": _extreme(np.minimum, np.minimum, highest=False),
    "nanmax": _extreme(np.fmax, np.maximum, highest=True, unknown=True),
    "nanmin": _extreme(np.fmin, np.minimum, highest=False, unknown=True),
    "any": _extreme(np.logical_or, np.logical_or, highest=True),
    "all": _extreme(np.logical_and, np.logical_and, highest=False),
}

#: Those of numpy's reductions that are computed block by block.
REDUCTIONS: dict[Callable[..., Any], str] = {
    **{getattr(np, name): name for name in _KINDS},
    np.amax: "max",
    np.amin: "min",
}
