"""What is taken of one call of an attention module: weights over the text, or queries and keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from attnscope.capture.arithmetic import attention_weights, key_bias, row_sums, to_numpy
from attnscope.capture.companding import encode
from attnscope.capture.recording import QueriesKeys

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Call", "Columns", "CrossSighting", "SelfSighting", "Sighting"]


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
    """Which columns of the keys are kept: single ones, and one that sums the rest.

    Parameters
    ----------
    single
        Positions that are kept as they are.
    summed
        Positions whose sum is kept as the last column; none where it is empty.
    """

    def __init__(self, single: list[int], summed: list[int]) -> None:
        self.single = torch.tensor(single, dtype=torch.long)
        self.summed = torch.tensor(summed, dtype=torch.long)
        self.length = len({*single, *summed})

    def __len__(self) -> int:
        return len(self.single) + bool(len(self.summed))

    def take(self, weights: Tensor) -> Tensor:
        """``(..., key)`` to ``(..., token)``."""
        kept = weights.index_select(-1, self.single.to(weights.device))
        if not len(self.summed):
            return kept
        rest = weights.index_select(-1, self.summed.to(weights.device)).sum(-1, keepdim=True)
        return torch.cat([kept, rest], dim=-1)


class Sighting:
    """What is seen of one call of an attention module.

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
        self._pieces = 0

    @property
    def complete(self) -> bool:
        """Whether every head of every kept row has been seen."""
        return self._pieces >= self.batch * self.heads

    def fused(self, call: Call) -> None:
        """Take the inputs of a fused kernel."""

    def product(self, query: Tensor, key: Tensor, bias: Tensor | None, scale: float) -> None:
        """Take the factors of a score matrix that a processor forms: ``(batch * head, pixel or key, width)``."""

    def softmax(self, scores: Tensor, weights: Tensor) -> None:
        """Take a softmax ``(batch * head, pixel, key)``, or a run of its rows, as sliced attention gives them."""

    def kept(self, dtype: np.dtype) -> np.ndarray | QueriesKeys:
        """Give what is kept of a complete sighting, probabilities in ``dtype``."""
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


class CrossSighting(Sighting):
    """Weights over the text.

    Parameters
    ----------
    keys
        Length of the text in this call; attention over anything else (image prompts) is let pass.
    columns
        Which keys to keep.
    """

    kind = "cross"
    looks_for = "softmax over the text"

    def __init__(self, keys: int, rows: list[int], batch: int, heads: int, columns: Columns) -> None:
        super().__init__(rows, batch, heads)
        self.keys, self.columns = keys, columns
        self.weights: Tensor | None = None

    def fused(self, call: Call) -> None:
        """Compute the weights from queries and keys; text has few keys."""
        query, key, mask = call.query, call.key, call.mask
        if self.complete or query.ndim != 4 or key.shape[-2] != self.keys or query.shape[0] != self.batch:
            return
        if mask is not None and mask.ndim == 4 and mask.shape[0] == self.batch:
            mask = mask[self.rows]
        self.weights = self.columns.take(attention_weights(query[self.rows], key[self.rows], mask, call.scale))
        self.width = query.shape[-1]
        self._pieces = self.batch * self.heads

    def softmax(self, scores: Tensor, weights: Tensor) -> None:
        """Take the weights as they are, but in float32."""
        if self.complete or weights.shape[-1] != self.keys or weights.ndim < 3:
            return
        if weights.dtype != torch.float32:
            weights = scores.float().softmax(-1)
        weights = weights.reshape(-1, *weights.shape[-2:])
        if self.weights is None:
            shape = (len(self.rows), self.heads, weights.shape[-2], len(self.columns))
            self.weights = torch.empty(shape, dtype=torch.float32, device=weights.device)
        for place, heads, piece in self._parts(len(weights)):
            self.weights[place, heads] = self.columns.take(weights[piece])

    def average_heads(self) -> None:
        """Put the mean over heads, in float32, in the place of the heads of a complete sighting."""
        assert self.weights is not None
        self.weights = self.weights.mean(1, keepdim=True)

    def kept(self, dtype: np.dtype) -> np.ndarray:
        """``(image, head, pixel, token)``."""
        assert self.weights is not None
        if dtype == "uint8":
            return encode(to_numpy(self.weights))
        return to_numpy(self.weights.to(getattr(torch, dtype.name)))


class SelfSighting(Sighting):
    """Queries, keys and row log-sum-exps; the map is never formed.

    Parameters
    ----------
    pixels
        Number of queries, and of keys.

    Attributes
    ----------
    query, key
        ``(row, head, pixel, width)`` in the dtype of the kernel.
    sums
        ``(row, head, pixel)`` float32.
    bias
        ``(row, key)`` float32, or None.
    scale
        Of the products.
    """

    kind = "self"
    looks_for = "baddbmm for the scores"
    wants_sums = True

    def __init__(self, pixels: int, rows: list[int], batch: int, heads: int) -> None:
        super().__init__(rows, batch, heads)
        self.pixels = pixels
        self.query: Tensor | None = None
        self.key: Tensor | None = None
        self.sums: Tensor | None = None
        self.bias: Tensor | None = None
        self.scale = 1.0

    def fused(self, call: Call) -> None:
        """Keep the rows that are asked for."""
        query, key, mask = call.query, call.key, call.mask
        fits = query.ndim == 4 and query.shape[0] == self.batch and query.shape[-2] == key.shape[-2] == self.pixels
        if self.complete or not fits:
            return
        if mask is not None and mask.shape[-2] != 1:
            self.refused = "its mask differs from query to query"
            return
        key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)  # grouped queries share their keys
        self.query, self.key, self.scale = query[self.rows], key[self.rows], call.scale
        if mask is not None:
            self.bias = key_bias(mask, self.batch, self.pixels)[self.rows]
        if call.sums is None:
            bias = None if self.bias is None else self.bias[:, None, None, :]
            self.sums = row_sums(self.query, self.key, self.scale, bias)
        else:
            self.sums = call.sums[self.rows]
        self.width = query.shape[-1]
        self._pieces = self.batch * self.heads

    def product(self, query: Tensor, key: Tensor, bias: Tensor | None, scale: float) -> None:
        """Keep the rows that are asked for, from a piece of the folded batch."""
        if self.complete or query.ndim != 3 or not query.shape[1] == key.shape[1] == self.pixels:
            return
        if bias is not None and bias.shape[-2] != 1 and not (bias == bias[..., :1, :]).all():
            self.refused = "its mask differs from query to query"
            return
        if self.query is None or self.key is None or self.sums is None:
            shape = (len(self.rows), self.heads, *query.shape[1:])
            self.query, self.key = query.new_empty(shape), key.new_empty(shape)
            self.sums = torch.empty(shape[:-1], dtype=torch.float32, device=query.device)
            self.scale, self.width = scale, query.shape[-1]
            if bias is not None:
                self.bias = query.new_zeros((len(self.rows), self.pixels), dtype=torch.float32)
        for place, heads, piece in self._parts(len(query)):
            self.query[place, heads], self.key[place, heads] = query[piece], key[piece]
            part = None
            if bias is not None and self.bias is not None:
                part = bias.expand(len(query), -1, -1)[piece, :1].float()
                self.bias[place] = part[0, 0]
            self.sums[place, heads] = row_sums(query[piece], key[piece], scale, part)

    def kept(self, dtype: np.dtype) -> QueriesKeys:
        """Queries, keys and log-sum-exps; they keep the dtype of the model."""
        assert self.query is not None
        assert self.key is not None
        assert self.sums is not None
        bias = None if self.bias is None else to_numpy(self.bias)
        return QueriesKeys(to_numpy(self.query), to_numpy(self.key), to_numpy(self.sums), bias, self.scale)
