"""Attention over the pixels themselves: queries, keys and row log-sum-exps are kept, the map is never formed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from attnscope.capture.arithmetic import key_bias, row_sums, to_numpy
from attnscope.capture.sightings import Call, Sighting
from attnscope.capture.stores import QueriesKeys

if TYPE_CHECKING:
    import numpy as np

__all__ = ["SelfSighting"]


class SelfSighting(Sighting):
    """Queries, keys and row log-sum-exps; the map is never formed.

    Parameters
    ----------
    pixels
        Number of queries, and of keys.
    ahead
        Keys that stand before them: text, where a model puts both into one softmax.

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

    def __init__(self, pixels: int, rows: list[int], batch: int, heads: int, ahead: int = 0) -> None:
        super().__init__(rows, batch, heads)
        self.pixels, self.ahead = pixels, ahead
        self.query: Tensor | None = None
        self.key: Tensor | None = None
        self.sums: Tensor | None = None
        self.bias: Tensor | None = None
        self.scale = 1.0

    def fused(self, call: Call) -> None:
        """Keep the rows that are asked for."""
        query, key, mask = call.query, call.key, call.mask
        fits = query.ndim == 4 and (query.shape[-2], key.shape[-2]) == (self.pixels, self.ahead + self.pixels)
        if self.complete or not fits:
            return
        rows = [row for row in self.rows if row < query.shape[0]]
        if not rows:
            # Perturbed-attention guidance (Ahn et al. 2024): the last rows of the batch pass without attention.
            self.refused = "its perturbed rows look at nothing but themselves"
            return
        self.rows = rows
        if mask is not None and mask.shape[-2] != 1:
            self.refused = "its mask differs from query to query"
            return
        key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)  # grouped queries share their keys
        self.query, self.key, self.scale = query[rows], key[rows], call.scale
        if mask is not None:
            self.bias = key_bias(mask, query.shape[0], key.shape[-2])[rows]
        if call.sums is None:
            bias = None if self.bias is None else self.bias[:, None, None, :]
            self.sums = row_sums(self.query, self.key, self.scale, bias)
        else:
            self.sums = call.sums[rows]
        if self.ahead:
            self.key = self.key[..., self.ahead :, :]
            self.bias = None if self.bias is None else self.bias[..., self.ahead :]
        self.width = query.shape[-1]
        self._pieces = self.batch * self.heads

    def product(self, query: Tensor, key: Tensor, bias: Tensor | None, scale: float) -> None:
        """Keep the rows that are asked for, from a piece of the folded batch."""
        if (
            self.complete
            or query.ndim != 3
            or (query.shape[1], key.shape[1]) != (self.pixels, self.ahead + self.pixels)
        ):
            return
        if bias is not None and bias.shape[-2] != 1 and not (bias == bias[..., :1, :]).all():
            self.refused = "its mask differs from query to query"
            return
        if self.query is None or self.key is None or self.sums is None:
            shape = (len(self.rows), self.heads, *query.shape[1:])
            self.query, self.key = query.new_empty(shape), key.new_empty(shape)  # the text ahead is not kept
            self.sums = torch.empty(shape[:-1], dtype=torch.float32, device=query.device)
            self.scale, self.width = scale, query.shape[-1]
            if bias is not None:
                self.bias = query.new_zeros((len(self.rows), self.pixels), dtype=torch.float32)
        for place, heads, piece in self._parts(len(query)):
            self.query[place, heads], self.key[place, heads] = query[piece], key[piece, self.ahead :]
            part = None
            if bias is not None and self.bias is not None:
                part = bias.expand(len(query), -1, -1)[piece, :1].float()
                self.bias[place] = part[0, 0, self.ahead :]
            self.sums[place, heads] = row_sums(query[piece], key[piece], scale, part)

    def kept(self, dtype: np.dtype) -> Callable[[], QueriesKeys]:
        """Queries, keys and log-sum-exps; they keep the dtype of the model, but for double, which is kept as single."""
        assert self.query is not None
        assert self.key is not None
        assert self.sums is not None
        double = self.query.dtype == torch.float64
        query, key = (to_numpy(part.float() if double else part) for part in (self.query, self.key))
        sums = to_numpy(self.sums.float())
        bias = None if self.bias is None else to_numpy(self.bias)
        return lambda: QueriesKeys(query(), key(), sums(), None if bias is None else bias(), self.scale)
