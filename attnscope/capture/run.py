"""What a pipeline's call tells of the run that begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnscope.capture.tokens import Text

__all__ = ["Run"]


@dataclass
class Run:
    """What is known of the run under way. A bare model has none of it.

    Parameters
    ----------
    text
        Tokens of the prompt.
    images
        Pictures that are made at once.
    scale
        Pixels of the picture to a cell of the latent.
    total
        Tells the number of denoising steps, once the first one begins.
    guided
        Tells whether this call's batch carries the unconditional branch first.
    sigma
        Gives the noise level at a timestep, where the scheduler has one.
    """

    text: Text | None = None
    images: int | None = None
    scale: int = 1
    total: Callable[[], int | None] = lambda: None
    guided: Callable[[], bool] = lambda: False
    sigma: Callable[[float], float | None] = lambda timestep: None
