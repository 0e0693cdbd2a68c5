"""Self-attention as an array that is computed when, and as far as, it is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.errors import TooLargeError
from attnscope.maps.numpylike import Elementwise, NumpyLike
from attnscope.maps.reduce import reduce
from attnscope.maps.select import Selection, complete

if TYPE_CHECKING:
    from attnscope.maps.scores import Scores

__all__ = ["FORMED_BYTES", "LazyAttention"]

#: The most that is formed of a map at once, in bytes. Set it (``attnscope.maps.lazy.FORMED_BYTES = ...``) where there
#: is the memory for more.
FORMED_BYTES = 4 * 2**30


class LazyAttention(NumpyLike):
    """The self-attention of layers that share a grid, as a numpy-like array that never holds the map.

    It stands in a `xarray.DataArray` as an ndarray would. Selecting, transposing and functions of single entries
    (``array > 0.1``, ``np.isnan``) only note what is asked for; `REDUCTIONS` (sum, mean, max, ...) go through the map
    block by block; anything else forms the part that is selected, if that is not above `FORMED_BYTES`.

    Parameters
    ----------
    layers
        One for each layer, with the same leading dims and number of pixels. Each has arrays of its own: layers may
        differ in their heads and head width, and no byte is kept for what a layer does not have. The map of heads that
        a layer does not have is NaN.

    Raises
    ------
    ValueError
        If there is no layer, or layers differ in their leading dims or pixels.

    Notes
    -----
    ``(..., layer, head, pixel, key)`` float32. It cannot be written to, so copies share what it is computed from.

    Examples
    --------
    >>> from attnscope.maps.scores import Scores
    >>> query, key = np.random.default_rng(0).standard_normal((2, 3, 4, 35, 8), dtype=np.float32)
    >>> array = LazyAttention([Scores(query, key, scale=8**-0.5)])
    >>> array
    <LazyAttention (3, 1, 4, 35, 35) float32, from 26.9 kB of float32 queries and keys>
    >>> array[0, 0, :, 7].shape
    (4, 35)
    >>> np.asarray(array[0, 0, 2, 7:9]).sum(axis=-1).round(5).tolist()
    [1.0, 1.0]
    >>> array.mean(axis=(0, 1, 2, 3)).shape
    (35,)
    """

    def __init__(self, layers: Sequence[Scores]) -> None:
        self.layers = tuple(layers)
        if len(shapes := {(*layer.lead, layer.pixels) for layer in self.layers}) != 1:
            msg = f"Layers must have the same leading dims and number of pixels, not {sorted(shapes) or 'none at all'}."
            raise ValueError(msg)
        first = self.layers[0]
        heads = max(layer.heads for layer in self.layers)
        whole = (*first.lead, len(self.layers), heads, first.pixels, first.pixels)
        self.selection = Selection.whole(whole)
        self._then = Elementwise()
        self.dtype = np.dtype(np.float32)

    def _with(self, selection: Selection | None = None, then: Elementwise | None = None) -> LazyAttention:
        new = object.__new__(type(self))
        vars(new).update(vars(self))
        if selection is not None:
            new.selection = selection
        if then is not None:
            new._then = then
            new.dtype = then.dtype
        return new

    # --- what an array says of itself ---------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self.selection.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.selection.order)

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that it would take if it was formed; see `stored_nbytes`."""
        return self.size * self.dtype.itemsize

    @property
    def stored_nbytes(self) -> int:
        """Bytes of the queries, keys, log-sum-exps and biases of the layers selected, at every step and head."""
        picked = np.unique(np.atleast_1d(self.selection.picks[-4])).tolist()
        return sum(self.layers[layer].stored_nbytes for layer in picked)

    def __len__(self) -> int:
        if not self.ndim:
            msg = "len() of an array without dims."
            raise TypeError(msg)
        return self.shape[0]

    def __repr__(self) -> str:
        kept = "/".join(dict.fromkeys(layer.dtype for layer in self.layers))
        shape = ", ".join(map(str, self.shape)) + ("," if self.ndim == 1 else "")
        size = _bytes(self.stored_nbytes)
        return f"<{type(self).__name__} ({shape}) {self.dtype}, from {size} of {kept} queries and keys>"

    def _repr_inline_(self, max_width: int) -> str:
        text = f"lazy, {_bytes(self.stored_nbytes)} of queries and keys"
        return text if len(text) <= max_width else text[: max(0, max_width - 3)] + "..."

    # --- parts of it --------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        if key is None or (isinstance(key, tuple) and any(entry is None for entry in key)):
            return self._formed("A new axis")[key]
        keys = complete(key, self.shape)
        selection = self.selection[keys]
        if selection is not None:
            return self._with(selection)
        # Points, not an outer product: form the smallest part that has them all.
        part, inside = self, []
        for axis, entry in enumerate(keys):
            if isinstance(entry, slice):
                inside.append(entry)
                continue
            positions, inverse = np.unique(np.arange(self.shape[axis])[entry], return_inverse=True)
            part = part._with(part.selection[(*[slice(None)] * axis, positions)])
            inside.append(inverse.reshape(np.shape(entry)))
        return part._formed("A choice of points")[tuple(inside)]

    def transpose(self, *axes: Any) -> LazyAttention:
        """See the axes in another order; in the reverse one where none is given."""
        one = len(axes) == 1 and not isinstance(axes[0], (int, np.integer))
        order: Any = axes[0] if one else axes or None
        return self._with(self.selection.transpose(order))

    @property
    def T(self) -> LazyAttention:
        """The axes in reverse order."""
        return self.transpose()

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> LazyAttention:
        """Convert each entry when it is computed."""
        if np.dtype(dtype) == self.dtype:
            return self
        return self._with(then=Elementwise(np.ndarray.astype, (self._then, np.dtype(dtype))))

    def __copy__(self) -> LazyAttention:
        return self._with()

    def __deepcopy__(self, memo: Any) -> LazyAttention:
        # xarray copies deeply by default; what cannot be written to may be shared.
        return self._with()

    # --- computing ----------------------------------------------------------------------------------------------

    def blocks(self) -> Iterator[tuple[tuple[slice, ...], np.ndarray]]:
        """Compute everything selected, block by block.

        Yields
        ------
        tuple
            Where the block lies, as one slice for each axis of ``(..., layer, head, pixel, key)`` within what is
            selected (also of an axis that is gone, whose length is 1; whatever the order seen), and the block, which
            must not be written to. It has whole rows: every selected key.
        """
        if not self.size:
            return
        *lead, layers, heads, rows, keys = (np.atleast_1d(pick) for pick in self.selection.picks)
        inner = (None,) * (len(lead) + 1)
        for where in np.ndindex(*map(len, lead)):
            at = tuple(int(pick[place]) for pick, place in zip(lead, where, strict=True))
            outer = [slice(place, place + 1) for place in where]
            for index, layer in enumerate(layers.tolist()):
                for some, part, block in self.layers[layer].blocks(at, heads, rows, keys):
                    inside = (*outer, slice(index, index + 1), some, part, slice(0, len(keys)))
                    yield inside, self._then(block)[inner]

    def map_rows(
        self, function: Callable[[np.ndarray, tuple[slice, ...]], np.ndarray], width: int = 1, dtype: Any = np.float32
    ) -> np.ndarray:
        """Put something else in the place of each row, without forming the map.

        Parameters
        ----------
        function
            Gets a block and where it lies, as `blocks` yields them, and gives an array whose last axis has ``width``
            entries.
        width, dtype
            Of the result.

        Returns
        -------
        numpy.ndarray
            In the order seen, ``width`` entries along ``key``.
        """
        lengths = (*self.selection.lengths[:-1], width)
        self.refuse_above_limit(lengths, np.dtype(dtype), "The result")
        full = np.empty(lengths, dtype)
        for where, block in self.blocks():
            full[where[:-1]] = function(block, where)
        return self.selection.arrange(full)

    def refuse_above_limit(self, shape: tuple[int, ...], dtype: np.dtype, what: str) -> None:
        """Raise `TooLargeError` if an array of this shape is above `FORMED_BYTES`."""
        size = math.prod(shape) * dtype.itemsize
        if size > FORMED_BYTES:
            msg = (
                f"{what} would take {_bytes(size)}, of the shape {shape}; at most {_bytes(FORMED_BYTES)} of a map are "
                "formed at once. Ask for less: select first, such as .isel(step=-1, layer=0, head=0), .isel(pixel=...) "
                "or .isel(key=...), or reduce with .mean(...), .sum(...), .max(...), which never form the map. With "
                "the memory for it, set attnscope.maps.lazy.FORMED_BYTES higher."
            )
            raise TooLargeError(msg)

    def _formed(self, what: str) -> np.ndarray:
        self.refuse_above_limit(self.shape, self.dtype, what)
        full = np.empty(self.selection.lengths, self.dtype)
        for where, block in self.blocks():
            full[where] = block
        return self.selection.arrange(full)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            msg = "A map that is computed when it is asked for cannot be had without a copy; leave copy=False out."
            raise ValueError(msg)
        values = self._formed("This part of the map")
        return values if dtype is None else values.astype(dtype, copy=False)

    def reshape(self, *shape: Any, **kwargs: Any) -> np.ndarray:
        """Form it, in another shape; such as ``.unstack`` needs."""
        return self._formed("A map in another shape").reshape(*shape, **kwargs)

    def sum(self, axis: Any = None, **kwargs: Any) -> Any:
        """Sum over one axis, several or all, block by block."""
        return reduce(self, "sum", axis, **kwargs)

    def mean(self, axis: Any = None, **kwargs: Any) -> Any:
        """Mean over one axis, several or all, block by block."""
        return reduce(self, "mean", axis, **kwargs)

    def max(self, axis: Any = None, **kwargs: Any) -> Any:
        """Largest over one axis, several or all, block by block."""
        return reduce(self, "max", axis, **kwargs)

    def min(self, axis: Any = None, **kwargs: Any) -> Any:
        """Smallest over one axis, several or all, block by block."""
        return reduce(self, "min", axis, **kwargs)


def _bytes(size: float) -> str:
    """Write a size with three digits.

    Examples
    --------
    >>> _bytes(26880), _bytes(512)
    ('26.9 kB', '512 B')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.4g} TB"
