"""Attention that no function call shows: computed once more from the module's own projections, and proved."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from attnscope.capture.aside import unseen
from attnscope.capture.sightings import Call

__all__ = ["recompute"]

#: How far the recomputed output may be from the module's, relative to its largest entry.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 5e-3, torch.bfloat16: 2e-2}
#: What `_attend` does not do, by what a module or its call has.
_BEYOND = ("add_k_proj", "group_norm", "spatial_norm")


def recompute(module: Any, hidden: Tensor, text: Tensor | None, mask: Tensor | None, output: Tensor) -> Call | str:
    """Compute query and key of a call from ``to_q`` and ``to_k``, for kernels that cannot be seen.

    The whole attention is computed once more, as diffusers' processors do, and must give what the module gave: so a
    processor that does something else is not taken for one that does not. The run does not notice: no mode sees it,
    and random numbers are those that would have come.

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
    Call or str
        Or why it cannot be computed so, as the end of a sentence.
    """
    if isinstance(text, tuple):
        return "it is not computed again where image prompts are added"
    beyond = [name for name in _BEYOND if getattr(module, name, None) is not None]
    if beyond or module.training or hidden.ndim != 3 or output.shape != hidden.shape:
        what = beyond[0] if beyond else "training mode" if module.training else "inputs of this shape"
        return f"it is not computed again with {what}"
    devices = [] if hidden.device.type == "cpu" else [hidden.device]
    with unseen(), torch.random.fork_rng(devices, device_type=hidden.device.type):
        projected = _projected(module, hidden, text)
        if mask is not None:
            bias: Tensor = module.prepare_attention_mask(mask, projected[1].shape[-2], len(hidden))
            mask = bias.view(len(hidden), module.heads, -1, bias.shape[-1])
        for query, key in _normed(module, *projected[:2]):
            again = _attend(module, query, key, projected[2], mask, hidden).float()
            largest = output.float().abs().max()
            # Never true of NaN, nor of an output that is zero whatever is attended to.
            if (again - output.float()).abs().max() < _TOLERANCE.get(output.dtype, 0.0) * largest:
                return Call(query, key, projected[2], mask, module.scale, plain=mask is None)
    return "computing it again from to_q and to_k does not give what the processor gave"


def _projected(module: Any, hidden: Tensor, text: Tensor | None) -> list[Tensor]:
    over = hidden if text is None else text
    if text is not None and module.norm_cross:
        over = module.norm_encoder_hidden_states(text)
    parts = module.to_q(hidden), module.to_k(over), module.to_v(over)
    return [part.unflatten(-1, (module.heads, -1)).transpose(1, 2) for part in parts]


def _normed(module: Any, query: Tensor, key: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Both ways of diffusers' processors: some pass over these norms."""
    norms = [getattr(module, name, None) for name in ("norm_q", "norm_k")]
    if norms == [None, None]:
        return [(query, key)]
    normed = [part if norm is None else norm(part) for norm, part in zip(norms, (query, key), strict=True)]
    return [(normed[0], normed[1]), (query, key)]


def _attend(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, hidden: Tensor) -> Tensor:
    attended = F.scaled_dot_product_attention(query, key, value, mask, scale=module.scale)
    output = module.to_out[0](attended.transpose(1, 2).flatten(2).to(query.dtype))
    return (output + hidden if module.residual_connection else output) / module.rescale_output_factor
