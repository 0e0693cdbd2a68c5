"""What to keep of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from attnscope.errors import CaptureError

if TYPE_CHECKING:
    from attnscope.capture.sites import LayerSelection

__all__ = ["Options", "StepSelection"]

StepSelection: TypeAlias = int | slice | Sequence[int] | Callable[[int], bool] | None


@dataclass(frozen=True)
class Options:
    """What to keep; the parameters of `attnscope.capture`."""

    kinds: tuple[str, ...] = ("cross",)
    layers: LayerSelection = None
    steps: StepSelection = None
    tokens: str = "prompt"
    labels: Sequence[str] | None = None
    dtype: np.dtype = field(default_factory=lambda: np.dtype(np.float16))
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


def _read_steps(steps: Any) -> Any:
    if steps is None or callable(steps) or isinstance(steps, slice):
        return steps
    several = [steps] if isinstance(steps, Integral) else steps
    listed = isinstance(several, Iterable) and not isinstance(several, (str, bytes))
    if not listed or not all(isinstance(one, Integral) and not isinstance(one, bool) for one in several):
        msg = (
            f"steps={steps!r} is no choice of steps. Give an index, a slice, a list of indices, "
            "or a function that takes an index and says whether it is kept."
        )
        raise TypeError(msg)
    return [int(one) for one in several]


def _read_layers(layers: Any) -> Any:
    if layers is None or callable(layers):
        return layers
    several = [layers] if isinstance(layers, str) else layers
    if not isinstance(several, Iterable) or not all(isinstance(one, str) for one in several):
        msg = (
            f"layers={layers!r} is no choice of layers. Give a label ('up.1.0'), a glob ('up.*'), a list of "
            "those, or a function that takes a site and says whether it is kept."
        )
        raise TypeError(msg)
    return list(several)


def _known(total: int | None, steps: object) -> int:
    if total is not None:
        return total
    if isinstance(steps, slice) and all(edge is None or edge >= 0 for edge in (steps.start, steps.stop)):
        return 2**31
    msg = f"steps={steps!r} counts from the end, but a bare model does not say how many steps there will be."
    raise CaptureError(msg)
