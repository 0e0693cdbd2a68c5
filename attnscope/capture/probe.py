"""Seeing queries and keys as the kernel gets them, and the weights that follow from them.

No processor is replaced. While an attention module runs, a ``TorchFunctionMode`` sees what passes through
``scaled_dot_product_attention`` (fused processors) or ``softmax`` (those that form the scores), and lets it pass
unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["AttentionProbe", "Columns", "Sighting", "attention_weights"]

_SOFTMAX = (torch.softmax, torch.Tensor.softmax, F.softmax)


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


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None, scale: float | None) -> Tensor:
    """``softmax(query @ key^T * scale + mask)`` in float32, as the fused kernel defines it.

    Parameters
    ----------
    query, key
        ``(batch, head, pixel, width)`` and ``(batch, head, key, width)``.
    mask
        As ``scaled_dot_product_attention`` takes it: True where a key may be seen, or a number to add.
    scale
        None for ``1 / sqrt(width)``.

    Returns
    -------
    Tensor
        ``(batch, head, pixel, key)`` float32; rows sum to 1.
    """
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if key.shape[1] != query.shape[1]:  # grouped queries share their keys
        key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
    scores = (query.float() @ key.float().transpose(-1, -2)).mul_(scale)
    if mask is not None:
        scores = scores.masked_fill_(~mask, -math.inf) if mask.dtype == torch.bool else scores.add_(mask.float())
    return scores.softmax(-1)


class Sighting:
    """What is seen of one call of an attention module.

    Parameters
    ----------
    keys
        Length of the text in this call; attention over anything else (image prompts) is let pass.
    rows
        Batch rows to keep.
    batch, heads
        Of the call.
    columns
        Which keys to keep.
    """

    def __init__(self, keys: int, rows: list[int], batch: int, heads: int, columns: Columns) -> None:
        self.keys, self.rows, self.batch, self.heads, self.columns = keys, rows, batch, heads, columns
        self.weights: Tensor | None = None
        self.width = 0
        self._pieces = 0

    @property
    def complete(self) -> bool:
        """Whether every head of every kept row has been seen."""
        return self.weights is not None and self._pieces >= self.batch * self.heads

    def fused(self, query: Tensor, key: Tensor, mask: Tensor | None, scale: float | None) -> None:
        """Take the inputs of a fused kernel: ``(batch, head, pixel or key, width)``."""
        if self.complete or query.ndim != 4 or key.shape[-2] != self.keys or query.shape[0] != self.batch:
            return
        if mask is not None and mask.ndim == 4 and mask.shape[0] == self.batch:
            mask = mask[self.rows]
        self.weights = self.columns.take(attention_weights(query[self.rows], key[self.rows], mask, scale))
        self.width = query.shape[-1]
        self._pieces = self.batch * self.heads

    def explicit(self, scores: Tensor, weights: Tensor) -> None:
        """Take a softmax ``(batch * head, pixel, key)``, or a run of its rows, as sliced attention gives them."""
        if self.complete or weights.shape[-1] != self.keys or weights.ndim < 3:
            return
        if weights.dtype != torch.float32:
            weights = scores.float().softmax(-1)
        weights = weights.reshape(-1, *weights.shape[-2:])
        if self.weights is None:
            shape = (len(self.rows), self.heads, weights.shape[-2], len(self.columns))
            self.weights = torch.empty(shape, dtype=torch.float32, device=weights.device)
        # diffusers folds heads into the batch row by row: flat index = row * heads + head.
        first, last = self._pieces, self._pieces + len(weights)
        for place, row in enumerate(self.rows):
            low, high = max(first, row * self.heads), min(last, (row + 1) * self.heads)
            if low < high:
                heads = slice(low - row * self.heads, high - row * self.heads)
                self.weights[place, heads] = self.columns.take(weights[low - first : high - first])
        self._pieces = last


class AttentionProbe(TorchFunctionMode):
    """Lets every torch function pass, and tells the sighting under way of those that are attention."""

    def __init__(self) -> None:
        super().__init__()
        self.sighting: Sighting | None = None

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """See one function; its result is not changed."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if self.sighting is None:
            return result
        if func is F.scaled_dot_product_attention:
            with torch.no_grad():
                self.sighting.fused(*_sdpa_arguments(*args, **kwargs))
        elif func in _SOFTMAX:
            scores = args[0] if args else kwargs["input"]
            with torch.no_grad():
                self.sighting.explicit(scores.detach(), result.detach())
        return result


def _sdpa_arguments(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Tensor, Tensor, Tensor | None, float | None]:
    if is_causal:
        rows, columns = query.shape[-2], key.shape[-2]
        attn_mask = torch.ones(rows, columns, dtype=torch.bool, device=query.device).tril()
    return query.detach(), key.detach(), attn_mask, scale
