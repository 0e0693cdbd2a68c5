"""Attention that no function call shows: computed once more from the module's own projections, and proved."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from attnscope.capture.sightings import Call

__all__ = ["recompute"]

#: How far the recomputed output may be from the module's, relative to its largest entry.
_TOLERANCE = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}


@torch.no_grad()
def recompute(module: Any, hidden: Tensor, text: Tensor | None, mask: Tensor | None, output: Tensor) -> Call | None:
    """Compute query and key of a call from ``to_q`` and ``to_k``, for kernels that cannot be seen.

    The whole attention is computed once more, as ``AttnProcessor2_0`` does, and must give what the module gave: so
    a processor that does something else is not taken for one that does not.

    Parameters
    ----------
    module
        A diffusers ``Attention``.
    hidden, text, mask
        What it was called with: ``(batch, pixel, channel)``, ``(batch, position, channel)`` or None, and a mask.
    output
        What it gave.

    Returns
    -------
    Call or None
        None where it cannot be computed so, or does not give the same.
    """
    if module.training or hidden.ndim != 3 or isinstance(text, tuple) or output.shape != hidden.shape:
        return None
    if any(getattr(module, name, None) is not None for name in ("group_norm", "spatial_norm", "add_k_proj")):
        return None
    over = hidden if text is None else text
    if text is not None and module.norm_cross:
        over = module.norm_encoder_hidden_states(text)
    query, key, value = (
        _heads(part, module.heads) for part in (module.to_q(hidden), module.to_k(over), module.to_v(over))
    )
    if getattr(module, "norm_q", None) is not None:
        query = module.norm_q(query)
    if getattr(module, "norm_k", None) is not None:
        key = module.norm_k(key)
    if mask is not None:
        bias: Tensor = module.prepare_attention_mask(mask, key.shape[-2], len(hidden))
        mask = bias.view(len(hidden), module.heads, -1, bias.shape[-1])
    again = F.scaled_dot_product_attention(query, key, value, mask, scale=module.scale)
    again = module.to_out[0](again.transpose(1, 2).flatten(2).to(query.dtype))
    if module.residual_connection:
        again = again + hidden
    again = again / module.rescale_output_factor
    furthest = (again.float() - output.float()).abs().max()
    if furthest > _TOLERANCE.get(output.dtype, 0.0) * output.float().abs().max():
        return None
    return Call(query, key, value, mask, module.scale, plain=mask is None)


def _heads(projected: Tensor, heads: int) -> Tensor:
    """``(batch, position, channel)`` to ``(batch, head, position, width)``."""
    return projected.unflatten(-1, (heads, -1)).transpose(1, 2)
