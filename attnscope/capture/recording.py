"""What a capture has seen, as plain numpy: the hand-over from ``capture`` to ``maps``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from attnscope.capture.measure import Measured
    from attnscope.capture.stores import GridStore, SelfStore

__all__ = ["Recording", "Row", "Step", "Token"]


@dataclass(frozen=True)
class Row:
    """Whose attention lies at one place of a store's second axis.

    Parameters
    ----------
    branch
        ``"cond"``, ``"uncond"``, ...; ``"unknown"`` where nothing tells which it is.
    image
        Which of the pictures that are made at once.
    frame
        Which frame of a video; None for pictures.
    """

    branch: str = "cond"
    image: int = 0
    frame: int | None = None


@dataclass(frozen=True)
class Token:
    """One kept column of cross-attention.

    Parameters
    ----------
    position
        Place in the encoder's sequence; of the first one, where a column carries the sum of several.
    text
        The token's own text.
    word, word_index
        Text and number of the word that it belongs to; the number is -1 for tokens of no word.
    kind
        ``"bos"``, ``"prompt"``, ``"eos"`` or ``"pad"``.
    count
        How many positions the column carries: 1, but for the sum over the padding.
    """

    position: int
    text: str
    word: str
    word_index: int
    kind: str
    count: int = 1


@dataclass(frozen=True)
class Step:
    """One call of the denoiser."""

    step: int
    timestep: float
    sigma: float | None = None


@dataclass
class Recording:
    """Everything that one run left behind.

    Parameters
    ----------
    rows
        Whose attention it is, all combinations of the branches, images and frames that are kept; the second axis of
        every store.
    texts
        The kept columns, in order, by kind, and for each row: the last axis of the stores of that kind.
    stores
        Kept maps over the text (and over image prompts), by kind and grid.
    self_stores
        What self-attention is computed from, by grid.
    head_widths
        Width of a head, by module path.
    steps
        The captured steps; the first axis of every store.
    measures
        What each sub-layer added to the residual stream, or None where it was not asked for.
    pictures
        ``(image, row, column, 3)`` uint8, or None where none was decoded.
    previews
        ``(step, image, row, column, 3)`` uint8: the predicted picture at each step, or None.
    size
        Height and width of the picture, in its pixels (in latent cells where no picture was made).
    attrs
        Where the run came from: prompt, scheduler, guidance, versions, ...; and ``missing``, a list of the sites that
        were not captured, each with ``layer``, ``kind``, ``module`` and ``reason``.
    version
        Counts the changes, so that who holds a view of the data knows when to make a new one.
    watchers
        Told of every change, in the thread and at the time in which it was made: what they do, the run waits for. They
        may not raise.
    """

    rows: list[Row] = field(default_factory=list)
    texts: dict[str, list[list[Token]]] = field(default_factory=dict)
    stores: list[GridStore] = field(default_factory=list)
    self_stores: list[SelfStore] = field(default_factory=list)
    head_widths: dict[str, int] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    measures: Measured | None = None
    pictures: np.ndarray | None = None
    previews: np.ndarray | None = None
    size: tuple[int, int] = (0, 0)
    attrs: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    watchers: list[Callable[[], None]] = field(default_factory=list, repr=False, compare=False)

    def advance(self) -> None:
        """Count a change that is complete, and tell who watches."""
        self.version += 1
        for watcher in list(self.watchers):
            watcher()

    @property
    def empty(self) -> bool:
        """Whether no step has been kept yet."""
        return not self.steps
