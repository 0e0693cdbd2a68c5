"""What is taken of one call of an attention module, whatever kind of attention it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    import numpy as np

    from attnscope.capture.stores import QueriesKeys

__all__ = ["Call", "Columns", "Sighting", "Sightings"]


@dataclass
class Call:
    """The inputs of a kernel.

    Parameters
    ----------
    query, key, value
        ``(batch, head, pixel, width)``, and twice ``(batch, head, key, width)``.
    mask
        True where a key may be seen, or a number to add to its score; None for neither.
    scale
        Of the products.
    plain
        Whether nothing but these goes in: no mask, no dropout, no shared keys.
    sums
        Row log-sum-exps ``(batch, head, pixel)``, where the kernel gives them.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    scale: float
    plain: bool
    sums: Tensor | None = None


class Columns:
    """Which columns of a softmax are kept: single ones, and some that are summed.

    Parameters
    ----------
    single
        Positions that are kept as they are.
    summed
        Positions whose sum is kept as the next column; none where it is empty.
    rest
        Whether what lies behind the text (pixels, where a model puts both into one softmax) is summed as the last
        column.
    """

    def __init__(self, single: list[int], summed: list[int], *, rest: bool = False) -> None:
        self.single = torch.tensor(single, dtype=torch.long)
        self.summed = torch.tensor(summed, dtype=torch.long)
        self.rest = rest
        self.length = len({*single, *summed})

    def __len__(self) -> int:
        return len(self.single) + bool(len(self.summed)) + self.rest

    def take(self, weights: Tensor) -> Tensor:
        """``(..., key)`` to ``(..., token)``."""
        parts = [weights.index_select(-1, self.single.to(weights.device))]
        if len(self.summed):
            parts.append(weights.index_select(-1, self.summed.to(weights.device)).sum(-1, keepdim=True))
        if self.rest:
            parts.append(weights[..., self.length :].sum(-1, keepdim=True))
        return torch.cat(parts, dim=-1)


class Sighting:
    """What is seen of one call of an attention module, of one kind.

    Parameters
    ----------
    rows
        Batch rows to keep.
    batch, heads
        Of the call.
    """

    kind: ClassVar[str]
    #: What a processor must call for its weights to be seen, if not the fused kernel.
    looks_for: ClassVar[str]
    #: Whether the kernel's row log-sum-exps are of use.
    wants_sums: ClassVar[bool] = False

    def __init__(self, rows: list[int], batch: int, heads: int) -> None:
        self.rows, self.batch, self.heads = rows, batch, heads
        self.width = 0
        #: Why it cannot be kept, where that is known.
        self.refused: str | None = None
        #: Why it could not be computed again, where nothing was seen.
        self.not_again = ""
        self._pieces = 0

    @property
    def complete(self) -> bool:
        """Whether every head of every kept row has been seen."""
        return self._pieces >= self.batch * self.heads

    def restart(self) -> None:
        """Forget the pieces of a call that was seen in part."""
        self._pieces = 0

    def fused(self, call: Call) -> None:
        """Take the inputs of a fused kernel."""

    def product(self, query: Tensor, key: Tensor, bias: Tensor | None, scale: float) -> None:
        """Take the factors of a score matrix that a processor forms: ``(batch * head, pixel or key, width)``."""

    def softmax(self, scores: Tensor, weights: Tensor) -> None:
        """Take a softmax ``(batch * head, pixel, key)``, or a run of its rows, as sliced attention gives them."""

    def kept(self, dtype: np.dtype) -> Callable[[], np.ndarray | QueriesKeys]:
        """Begin to bring what is kept of a complete sighting, probabilities in ``dtype``; the function ends it."""
        raise NotImplementedError

    def _parts(self, count: int) -> Iterator[tuple[int, slice, slice]]:
        """Find kept rows among the next ``count`` of ``batch * head``: place, heads, and where they lie in the piece.

        diffusers folds heads into the batch row by row: flat index = row * heads + head.
        """
        first, last = self._pieces, self._pieces + count
        self._pieces = last
        for place, row in enumerate(self.rows):
            low, high = max(first, row * self.heads), min(last, (row + 1) * self.heads)
            if low < high:
                yield place, slice(low - row * self.heads, high - row * self.heads), slice(low - first, high - first)

    def _rows_of(self, mask: Tensor | None) -> Tensor | None:
        per_row = mask is not None and mask.ndim == 4 and mask.shape[0] == self.batch > 1
        return mask[self.rows] if mask is not None and per_row else mask


class Sightings:
    """All that is to be seen of one call of an attention module, told of every event in turn."""

    def __init__(self, parts: list[Sighting]) -> None:
        self.parts = parts

    @property
    def wants_sums(self) -> bool:
        """Whether the kernel's row log-sum-exps are of use."""
        return any(part.wants_sums for part in self.parts)

    def fused(self, call: Call) -> None:
        """Take the inputs of a fused kernel."""
        for part in self.parts:
            part.fused(call)

    def product(self, query: Tensor, key: Tensor, bias: Tensor | None, scale: float) -> None:
        """Take the factors of a score matrix."""
        for part in self.parts:
            part.product(query, key, bias, scale)

    def softmax(self, scores: Tensor, weights: Tensor) -> None:
        """Take a softmax."""
        for part in self.parts:
            part.softmax(scores, weights)
