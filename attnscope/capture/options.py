"""What to keep of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from attnscope.capture.sizes import read_bytes
from attnscope.errors import CaptureError, choices

if TYPE_CHECKING:
    from attnscope.capture.branches import Layout
    from attnscope.capture.sites import LayerSelection

__all__ = ["BRANCHES", "DTYPES", "KINDS", "Options", "StepSelection", "read_options"]

#: What there is to choose from. ``edit`` stands for ``edit 0``, ``edit 1``, ...
KINDS = ("cross", "self", "image")
BRANCHES = ("cond", "uncond", "image", "perturbed", "edit", "safety")
TOKENS = ("prompt", "all")
DTYPES = ("float16", "float32", "uint8")
REDUCE = ("head", "step")

StepSelection: TypeAlias = int | slice | Sequence[int] | Callable[[int], bool] | None


@dataclass(frozen=True)
class Options:
    """What to keep; the parameters of `attnscope.capture`."""

    kinds: tuple[str, ...] = ("cross",)
    layers: LayerSelection = None
    steps: StepSelection = None
    branches: tuple[str, ...] = ("cond",)
    layout: Layout = None
    tokens: str = "prompt"
    labels: Sequence[str] | None = None
    dtype: np.dtype = field(default_factory=lambda: np.dtype(np.float16))
    measure: bool = False
    budget: int | None = None
    reduce: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", _read_steps(self.steps))
        object.__setattr__(self, "layers", _read_layers(self.layers))

    @property
    def in_flight(self) -> np.dtype:
        """The dtype of a step's maps until they are kept: means are made of float32."""
        return np.dtype(np.float32) if "step" in self.reduce else self.dtype

    def wants(self, step: int, total: int | None) -> bool:
        """Whether a step is kept, of ``total`` where that is known."""
        if self.steps is None:
            return True
        if callable(self.steps):
            return bool(self.steps(step))
        if isinstance(self.steps, slice):
            return step in range(*self.steps.indices(_known(total, self.steps)))
        assert not isinstance(self.steps, int)  # read as a list
        return any(step == (one if one >= 0 else one + _known(total, self.steps)) for one in self.steps)


def read_options(
    *,
    kinds: str | Sequence[str] = ("cross",),
    layers: LayerSelection = None,
    steps: StepSelection = None,
    branches: str | Sequence[str] = "cond",
    layout: Layout = None,
    tokens: str = "prompt",
    labels: Sequence[str] | None = None,
    dtype: Any = None,
    measure: bool = False,
    budget: int | str | None = None,
    reduce: str | Sequence[str] = (),
) -> Options:
    """Read what a user asks for, in any spelling; `attnscope.capture` documents it.

    Raises
    ------
    ValueError, TypeError
        If something is not there to be asked for.
    """
    if isinstance(labels, str):
        msg = f"labels={labels!r} is one string; give a list with a label for each position: ['<s>', 'a', 'red', ...]."
        raise TypeError(msg)
    name = "float16" if dtype is None else str(dtype).removeprefix("torch.")
    name = name if name in DTYPES else getattr(dtype, "__name__", name)
    return Options(
        kinds=_chosen("kinds", kinds, KINDS),
        layers=layers,
        steps=steps,
        branches=_listed(branches) if layout is not None else _chosen("branches", branches, BRANCHES),
        layout=layout,
        tokens=_chosen("tokens", tokens, TOKENS)[0],
        labels=labels,
        dtype=np.dtype(_chosen("dtype", name, DTYPES)[0]),
        measure=measure,
        budget=None if budget is None else read_bytes(budget),
        reduce=_read_reduce(reduce, _listed(kinds)),
    )


def _read_reduce(reduce: str | Sequence[str], kinds: Sequence[str]) -> tuple[str, ...]:
    several = _chosen("reduce", reduce, REDUCE) if reduce else ()
    if several and not set(kinds) - {"self"}:
        msg = f"reduce={reduce!r} averages probabilities of cross-attention, and kinds={kinds!r} keeps none."
        raise ValueError(msg)
    if "step" in several and "self" in kinds:
        msg = (
            f"reduce={reduce!r} with kinds={kinds!r}: self-attention is kept as queries and keys, which have no mean "
            "over steps. Nest two captures: `with attnscope.capture(pipe, reduce=('step',)) as cross, "
            "attnscope.capture(pipe, kinds='self') as self_attention:`."
        )
        raise ValueError(msg)
    return tuple(name for name in REDUCE if name in several)


def _listed(one_or_several: str | Sequence[str]) -> tuple[str, ...]:
    return (one_or_several,) if isinstance(one_or_several, str) else tuple(one_or_several)


def _chosen(parameter: str, asked: str | Sequence[str], available: Sequence[str]) -> tuple[str, ...]:
    values = _listed(asked)
    for value in values:
        if value not in available:
            msg = f"{parameter}={value!r} is not available. {choices(value, available)}"
            raise ValueError(msg)
    if not values:
        msg = f"{parameter} is empty. {choices('', available)}"
        raise ValueError(msg)
    return values


def _read_steps(steps: Any) -> Any:
    if steps is None or callable(steps) or isinstance(steps, slice):
        return steps
    listed = isinstance(steps, Iterable) and not isinstance(steps, (str, bytes))
    several = [steps] if isinstance(steps, Integral) else list(steps) if listed else []
    if not several or not all(isinstance(one, Integral) and not isinstance(one, bool) for one in several):
        msg = (
            f"steps={steps!r} is no choice of steps. Give an index, a slice, a list of indices, "
            "or a function that takes an index and says whether it is kept."
        )
        raise TypeError(msg)
    return [int(one) for one in several]


def _read_layers(layers: Any) -> Any:
    if layers is None or callable(layers):
        return layers
    several = [layers] if isinstance(layers, str) else list(layers) if isinstance(layers, Iterable) else []
    if not several or not all(isinstance(one, str) for one in several):
        msg = (
            f"layers={layers!r} is no choice of layers. Give a label ('up.1.0'), a glob ('up.*'), a list of "
            "those, or a function that takes a site and says whether it is kept."
        )
        raise TypeError(msg)
    return several


def _known(total: int | None, steps: object) -> int:
    if total is not None:
        return total
    if isinstance(steps, slice) and all(edge is None or edge >= 0 for edge in (steps.start, steps.stop)):
        return 2**31
    msg = f"steps={steps!r} counts from the end, but a bare model does not say how many steps there will be."
    raise CaptureError(msg)
