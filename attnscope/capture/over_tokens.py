"""Attention over tokens, of the text or of image prompts: its weights are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from attnscope.capture.arithmetic import attention_weights, to_numpy
from attnscope.capture.companding import encode
from attnscope.capture.sightings import Call, Columns, Sighting

if TYPE_CHECKING:
    import numpy as np

__all__ = ["CrossSighting", "ImageSighting", "OverTokens"]


class OverTokens(Sighting):
    """Weights over tokens: ``(row, head, pixel, token)``."""

    def __init__(self, rows: list[int], batch: int, heads: int) -> None:
        super().__init__(rows, batch, heads)
        self.weights: Tensor | None = None

    def average_heads(self) -> None:
        """Put the mean over heads, in float32, in the place of the heads of a complete sighting."""
        assert self.weights is not None
        self.weights = self.weights.mean(1, keepdim=True)

    def kept(self, dtype: np.dtype) -> Callable[[], np.ndarray]:
        """``(row, head, pixel, token)``."""
        assert self.weights is not None
        if dtype == "uint8":
            land = to_numpy(self.weights)
            return lambda: encode(land())
        return to_numpy(self.weights.to(getattr(torch, dtype.name)))


class CrossSighting(OverTokens):
    """Weights over the text.

    Parameters
    ----------
    keys
        Keys of the softmax in this call; attention over anything else is let pass.
    columns
        Which of them to keep.
    """

    kind = "cross"
    looks_for = "softmax over the text"

    def __init__(self, keys: int, rows: list[int], batch: int, heads: int, columns: Columns) -> None:
        super().__init__(rows, batch, heads)
        self.keys, self.columns = keys, columns

    def fused(self, call: Call) -> None:
        """Compute the weights from queries and keys; text has few keys."""
        query, key = call.query, call.key
        if self.complete or query.ndim != 4 or key.shape[-2] != self.keys or query.shape[0] != self.batch:
            return
        mask = self._rows_of(call.mask)
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


class ImageSighting(OverTokens):
    """Weights over the tokens of image prompts (IP-Adapter), of which every adapter has a softmax of its own.

    With masks every picture of an adapter has one too. They follow that over the text, in the order of the adapters.
    The columns of an adapter that is off are NaN.

    Parameters
    ----------
    adapters
        Tokens of each adapter, pictures times tokens of a picture; and whether it is switched off (scale 0).
    text
        What comes first.
    """

    kind = "image"
    looks_for = "softmax over the image prompts"

    def __init__(
        self, adapters: list[tuple[int, bool]], rows: list[int], batch: int, heads: int, text: CrossSighting
    ) -> None:
        super().__init__(rows, batch, heads)
        self.text = text
        self.tokens = sum(length for length, _ in adapters)
        edges = [0]
        for length, _ in adapters:
            edges.append(edges[-1] + length)
        #: Columns that are still to come, one stretch for each adapter that is on.
        self._open = [[start, start + length] for start, (length, off) in zip(edges, adapters, strict=False) if not off]
        self._part: CrossSighting | None = None

    @property
    def complete(self) -> bool:
        """Whether every adapter that is on has been seen."""
        return not self._open and self.weights is not None

    def fused(self, call: Call) -> None:
        """Compute the weights from queries and keys."""
        self._see(call.key.shape[-2], call.query.shape[-2], call.query.device, lambda part: part.fused(call))

    def softmax(self, scores: Tensor, weights: Tensor) -> None:
        """Take the weights as they are, but in float32."""
        see = lambda part: part.softmax(scores, weights)  # noqa: E731
        self._see(weights.shape[-1], weights.shape[-2], weights.device, see)

    def _see(self, keys: int, pixels: int, device: torch.device, see: Callable[[CrossSighting], None]) -> None:
        if not self.text.complete or not self._open or keys > self._open[0][1] - self._open[0][0]:
            return
        if self._part is None:
            columns = Columns(list(range(keys)), [])
            self._part = CrossSighting(keys, self.rows, self.batch, self.heads, columns)
        see(self._part)
        if not self._part.complete or self._part.weights is None:
            return
        if self.weights is None:
            shape = (len(self.rows), self.heads, pixels, self.tokens)
            self.weights = torch.full(shape, torch.nan, device=device)
        start, stop = self._open[0]
        self.weights[..., start : start + keys] = self._part.weights
        self.width, self._part = self._part.width, None
        self._open[0][0] += keys
        if self._open[0][0] == stop:
            self._open.pop(0)
