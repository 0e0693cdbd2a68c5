"""Which part of an array is asked for: numpy's indexing as positions along each axis, without the array."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Selection"]


@dataclass(frozen=True, eq=False)
class Selection:
    """A part of an array that is an outer product of positions, and the order in which its axes are seen.

    Parameters
    ----------
    picks
        For each axis of the whole array the positions along it, or one position where the axis is gone.
    order
        The axes that are left, as they are seen.

    Examples
    --------
    >>> part = Selection.whole((3, 5, 7))[1, ::2].transpose((1, 0))
    >>> part.shape, part.picks[0], part.picks[1].tolist(), part.order
    ((7, 3), 1, [0, 2, 4], (2, 1))
    """

    picks: tuple[int | np.ndarray, ...]
    order: tuple[int, ...]

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Selection:
        """Everything, in the array's own order."""
        return cls(tuple(np.arange(length) for length in shape), tuple(range(len(shape))))

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis that is left, as seen."""
        return tuple(self.lengths[axis] for axis in self.order)

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many positions of each axis of the whole array; 1 where it is gone."""
        return tuple(1 if isinstance(pick, int) else len(pick) for pick in self.picks)

    def transpose(self, axes: Sequence[int] | None = None) -> Selection:
        """See the axes in another order; in the reverse one where none is given."""
        axes = range(len(self.order))[::-1] if axes is None else [int(axis) for axis in axes]
        places = [axis + len(self.order) if axis < 0 else axis for axis in axes]
        if sorted(places) != list(range(len(self.order))):
            msg = f"axes {tuple(axes)} do not name each of the {len(self.order)} axes once."
            raise ValueError(msg)
        return Selection(self.picks, tuple(self.order[place] for place in places))

    def __getitem__(self, keys: tuple[Any, ...]) -> Selection | None:
        """Select further, with what `complete` gives or a shorter tuple of it; None if that is no outer product."""
        keys = keys + (slice(None),) * (len(self.order) - len(keys))
        arrays = {place: key for place, key in enumerate(keys) if isinstance(key, np.ndarray)}
        fancy = [place for place, key in enumerate(keys) if not isinstance(key, slice)] if arrays else []
        owners = _owners({place: np.asarray(keys[place]) for place in fancy})
        if owners is None:
            return None
        picks: list[Any] = list(self.picks)
        for axis, key in zip(self.order, keys, strict=True):
            picks[axis] = picks[axis][key if isinstance(key, slice) else np.asarray(key).ravel()]
        gone = {place for place, key in enumerate(keys) if not isinstance(key, slice)} - set(owners)
        for place in gone:
            picks[self.order[place]] = int(picks[self.order[place]][0])
        left = [place for place, key in enumerate(keys) if isinstance(key, slice)]
        # Where numpy puts the axes of index arrays: in place where they are neighbours, else in front.
        together = bool(fancy) and fancy[-1] - fancy[0] + 1 == len(fancy)
        front = sum(place < fancy[0] for place in left) if together else 0
        places = [*left[:front], *owners, *left[front:]]
        return Selection(tuple(picks), tuple(self.order[place] for place in places))

    def arrange(self, full: np.ndarray, gone: Collection[int] = ()) -> np.ndarray:
        """Bring an array that has every axis of the whole one (length 1 where it is gone) into the order seen."""
        kept = [axis for axis in self.order if axis not in gone]
        rest = [axis for axis in range(full.ndim) if axis not in kept]
        return full.transpose(kept + rest).reshape([full.shape[axis] for axis in kept])

    def same(self, other: Selection) -> bool:
        """Whether both are the same part, seen in the same order."""
        if self is other:
            return True
        pairs = zip(self.picks, other.picks, strict=True)
        return self.order == other.order and all(np.array_equal(one, two) for one, two in pairs)


def complete(key: Any, shape: Sequence[int]) -> tuple[Any, ...]:
    """Write an index as one entry for each axis: an int, a slice, or an array of integers.

    Examples
    --------
    >>> complete((..., [True, False, True]), (2, 3))
    (slice(None, None, None), array([0, 2]))
    """
    given: list[Any] = []
    for entry in key if isinstance(key, tuple) else (key,):
        if entry is Ellipsis or isinstance(entry, slice):
            given.append(entry)
            continue
        array = np.asarray(entry)
        if array.dtype == bool and array.ndim:
            given.extend(array.nonzero())
        elif array.dtype.kind in "iu" or array.size == 0:
            given.append(int(array) if array.ndim == 0 else array.astype(np.intp))
        else:
            msg = f"{entry!r} is no index. Available: integers, slices, arrays of integers or of booleans, and '...'."
            raise IndexError(msg)
    dots = [place for place, entry in enumerate(given) if entry is Ellipsis]
    missing = len(shape) - len(given) + len(dots)
    if len(dots) > 1 or missing < 0:
        msg = f"{len(given) - len(dots)} indices and {len(dots)} '...' for an array of {len(shape)} dims."
        raise IndexError(msg)
    place = dots[0] if dots else len(given)
    return (*given[:place], *[slice(None)] * missing, *given[place + 1 :])


def _owners(arrays: dict[int, np.ndarray]) -> list[int] | None:
    """Find the index array that varies along each axis of their broadcast; None if two share one."""
    shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    owners: list[int | None] = [None] * len(shape)
    free = []
    for place, array in arrays.items():
        long = [axis - array.ndim for axis, length in enumerate(array.shape) if length != 1]
        if not long and array.ndim:
            free.append(place)
        if len(long) > 1 or (long and owners[long[0]] is not None):
            return None
        if long:
            owners[long[0]] = place
    # An axis of length 1 belongs to any array of one entry; which one makes no difference to the values.
    for axis, owner in enumerate(owners):
        if owner is None and free:
            owners[axis] = free.pop(0)
    return None if None in owners else owners  # type: ignore[return-value]
