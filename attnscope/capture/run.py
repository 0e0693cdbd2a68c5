"""What a pipeline's call tells of the run that begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attnscope.capture.branches import Branches

if TYPE_CHECKING:
    from attnscope.capture.recording import Row
    from attnscope.capture.tokens import Text

__all__ = ["Run"]


@dataclass
class Run:
    """What is known of the run under way. A bare model has none of it.

    Parameters
    ----------
    branches
        Tells the rows of a batch apart.
    text
        Gives the tokens that stand at so many positions of a row's text; None where they are not known.
    scale
        Pixels of the picture to a cell of the latent.
    total
        Tells the number of denoising steps, once the first one begins.
    guidance
        Says in words how the run is guided now.
    sigma
        Gives the noise level at a timestep, where the scheduler has one.
    """

    branches: Branches = field(default_factory=Branches)
    text: Callable[[Row, int], Text | None] = lambda row, length: None
    scale: int = 1
    total: Callable[[], int | None] = lambda: None
    guidance: Callable[[], str] = lambda: "unknown"
    sigma: Callable[[float], float | None] = lambda timestep: None
