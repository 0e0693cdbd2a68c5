"""Attention in torch: weights, row sums and masks, as the fused kernel defines them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    import numpy as np

__all__ = ["attention_weights", "key_bias", "row_sums", "to_numpy"]

#: Entries of a score matrix that are formed at a time.
_TOGETHER = 2**22


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """``softmax(query @ key^T * scale + mask)`` in float32, as the fused kernel defines it.

    Parameters
    ----------
    query, key
        ``(batch, head, pixel, width)`` and ``(batch, head, key, width)``.
    mask
        As ``scaled_dot_product_attention`` takes it: True where a key may be seen, or a number to add.
    scale
        Of the products.

    Returns
    -------
    Tensor
        ``(batch, head, pixel, key)`` float32; rows sum to 1.
    """
    if key.shape[1] != query.shape[1]:  # grouped queries share their keys
        key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
    scores = (query.float() @ key.float().transpose(-1, -2)).mul_(scale)
    if mask is not None:
        scores = scores.masked_fill_(~mask, -math.inf) if mask.dtype == torch.bool else scores.add_(mask.float())
    return scores.softmax(-1)


def row_sums(query: Tensor, key: Tensor, scale: float, bias: Tensor | None = None) -> Tensor:
    """Compute ``logsumexp(query @ key^T * scale + bias)`` of every row in float32, some rows at a time.

    Parameters
    ----------
    query, key
        ``(..., pixel, width)`` and ``(..., key, width)``.
    scale
        Of the products.
    bias
        ``(..., 1, key)`` to add, or None.

    Returns
    -------
    Tensor
        ``(..., pixel)`` float32.
    """
    across = key.float().transpose(-1, -2)
    rows = max(1, _TOGETHER // (across.shape[-1] * math.prod(query.shape[:-2])))
    parts = []
    for some in query.split(rows, dim=-2):
        scores = (some.float() @ across).mul_(scale)
        parts.append((scores if bias is None else scores.add_(bias)).logsumexp(-1))
    return torch.cat(parts, dim=-1)


def key_bias(mask: Tensor, batch: int, keys: int) -> Tensor:
    """Read a mask over keys as numbers to add: ``(batch, key)`` float32."""
    if mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=torch.float32).masked_fill_(~mask, -math.inf)
    while mask.ndim < 4:
        mask = mask[None]
    return mask[:, 0, 0].float().expand(batch, keys)


def to_numpy(tensor: Tensor) -> Callable[[], np.ndarray]:
    """Begin to bring a tensor to numpy, and give a function that ends it; bfloat16, which numpy lacks, as its bits.

    From a GPU the copy runs beside the computations that follow; only who asks for the array waits for it.
    """
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.contiguous().view(torch.int16)
        land = to_numpy(tensor)
        return lambda: land().view("uint16")
    if tensor.device.type != "cuda":
        array = tensor.cpu().numpy()
        return lambda: array
    here = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    here.copy_(tensor, non_blocking=True)
    copied = torch.cuda.Event()
    copied.record(torch.cuda.current_stream(tensor.device))

    def wait() -> np.ndarray:
        copied.synchronize()
        return here.numpy()

    return wait
