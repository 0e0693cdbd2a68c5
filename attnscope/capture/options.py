"""What to keep of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from attnscope.errors import CaptureError

if TYPE_CHECKING:
    from attnscope.capture.sites import LayerSelection

__all__ = ["Options", "StepSelection"]

StepSelection: TypeAlias = int | slice | Sequence[int] | Callable[[int], bool] | None


@dataclass(frozen=True)
class Options:
    """What to keep; the parameters of `attnscope.capture`."""

    layers: LayerSelection = None
    steps: StepSelection = None
    tokens: str = "prompt"
    labels: Sequence[str] | None = None
    dtype: np.dtype = field(default_factory=lambda: np.dtype(np.float16))

    def wants(self, step: int, total: int | None) -> bool:
        """Whether a step is kept, of ``total`` where that is known."""
        if self.steps is None:
            return True
        if callable(self.steps):
            return bool(self.steps(step))
        if isinstance(self.steps, slice):
            return step in range(*self.steps.indices(_known(total, self.steps)))
        wanted = [self.steps] if isinstance(self.steps, int) else self.steps
        return any(step == (one if one >= 0 else one + _known(total, self.steps)) for one in wanted)


def _known(total: int | None, steps: object) -> int:
    if total is not None:
        return total
    if isinstance(steps, slice) and all(edge is None or edge >= 0 for edge in (steps.start, steps.stop)):
        return 2**31
    msg = f"steps={steps!r} counts from the end, but a bare model does not say how many steps there will be."
    raise CaptureError(msg)
