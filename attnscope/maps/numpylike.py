"""numpy's functions on an array that is computed block by block: what stays lazy, what is reduced, what is formed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from attnscope.maps.reduce import REDUCTIONS, reduce

if TYPE_CHECKING:
    from attnscope.maps.lazy import LazyAttention
    from attnscope.maps.select import Selection

__all__ = ["Elementwise", "NumpyLike"]


@dataclass(frozen=True)
class Elementwise:
    """What is done to each block of a map: a numpy function, among whose arguments there may be others of this kind.

    Examples
    --------
    >>> block = Elementwise()
    >>> Elementwise(np.where, (Elementwise(np.isnan, (block,)), 0, block))(np.array([0.5, np.nan])).tolist()
    [0.5, 0.0]
    """

    function: Callable[..., np.ndarray] | None = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Apply it; without a function it is the block itself."""
        if self.function is None:
            return block
        args = [arg(block) if isinstance(arg, Elementwise) else arg for arg in self.args]
        return self.function(*args, **self.kwargs)

    @property
    def dtype(self) -> np.dtype:
        """Of the result for a block of float32."""
        with np.errstate(all="ignore"):
            return self(np.ones(1, np.float32)).dtype


class NumpyLike(NDArrayOperatorsMixin):
    """The two protocols by which numpy hands its functions over: `__array_ufunc__` and `__array_function__`."""

    layers: tuple[Any, ...]
    selection: Selection
    dtype: np.dtype
    _then: Elementwise

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if not all(isinstance(one, (NumpyLike, np.ndarray, np.generic, int, float, complex)) for one in inputs):
            return NotImplemented
        # One with a signature, such as matmul, mixes entries.
        if method == "__call__" and ufunc.nout == 1 and ufunc.signature is None and not kwargs:
            lazy = self._elementwise(ufunc, inputs, {})
            if lazy is not None:
                return lazy
        return getattr(ufunc, method)(*_form(inputs, ufunc), **_form(kwargs, ufunc))

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if not all(issubclass(one, (NumpyLike, np.ndarray)) for one in types):
            return NotImplemented
        if function in _VIEWS:
            return _VIEWS[function](*args, **kwargs)
        given = {name: value for name, value in kwargs.items() if value is not None and value is not np._NoValue}
        plain = len(args) in (1, 2) and args[0] is self and given.keys() <= {"axis", "dtype", "keepdims"}
        if function in REDUCTIONS and plain and 0 not in self.selection.shape:
            return reduce(cast("LazyAttention", self), REDUCTIONS[function], *args[1:], **given)
        if function in _ELEMENTWISE and len(args) == _ELEMENTWISE[function] and given.keys() <= {"dtype"}:
            lazy = self._elementwise(function, args, given)
            if lazy is not None:
                return lazy
        return function(*_form(args, function), **_form(kwargs, function))

    def __float__(self) -> float:
        return float(self._formed("A number"))

    def __bool__(self) -> bool:
        return bool(self._formed("A truth value"))

    def _elementwise(self, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Note the function, if its arguments are scalars and arrays of this very part; else None."""
        noted: list[Any] = []
        for arg in args:
            if isinstance(arg, NumpyLike):
                if arg.layers is not self.layers or not arg.selection.same(self.selection):
                    return None
                noted.append(arg._then)
            elif np.ndim(arg) == 0:
                noted.append(arg)
            else:
                return None
        return self._with(then=Elementwise(function, tuple(noted), kwargs))

    def _with(self, selection: Selection | None = None, then: Elementwise | None = None) -> Any:
        raise NotImplementedError

    def _formed(self, what: str) -> np.ndarray:
        raise NotImplementedError


def _form(value: Any, function: Any) -> Any:
    """Put formed arrays in the place of lazy ones, wherever they stand among arguments."""
    if isinstance(value, NumpyLike):
        return value._formed(f"np.{function.__name__} needs the values at once; they")
    if isinstance(value, (list, tuple)):
        return type(value)(_form(one, function) for one in value)
    if isinstance(value, dict):
        return {name: _form(one, function) for name, one in value.items()}
    return value


def _permuted(array: Any, permute: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Order the axes as numpy does it with an array whose lengths tell them apart, and which takes no memory."""
    model = np.broadcast_to(False, range(array.ndim))
    return array.transpose(permute(model).shape)


_VIEWS: dict[Any, Callable[..., Any]] = {
    np.transpose: lambda a, axes=None: a.transpose(axes),
    np.moveaxis: lambda a, source, destination: _permuted(a, lambda model: np.moveaxis(model, source, destination)),
    np.swapaxes: lambda a, axis1, axis2: _permuted(a, lambda model: model.swapaxes(axis1, axis2)),
    np.shape: lambda a: a.shape,
    np.ndim: lambda a: a.ndim,
    np.size: lambda a, axis=None: a.size if axis is None else a.shape[axis],
    np.result_type: lambda *args: np.result_type(*(arg.dtype if isinstance(arg, NumpyLike) else arg for arg in args)),
}

#: Functions of single entries that are no ufuncs, and their number of arguments.
_ELEMENTWISE: dict[Any, int] = {
    np.where: 3,
    np.zeros_like: 1,
    np.ones_like: 1,
    np.full_like: 2,
    np.clip: 3,
}
