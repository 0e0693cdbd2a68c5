"""Seeing queries and keys as the kernel gets them.

No processor is replaced. While an attention module runs, a ``TorchFunctionMode`` sees what passes through
``scaled_dot_product_attention`` (fused processors), or through the product and the softmax of those that form the
scores themselves, and lets it pass unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack

from attnscope.capture.aside import aside, leave
from attnscope.capture.sightings import Call, Sightings

__all__ = ["AttentionProbe"]

_SOFTMAX = (torch.softmax, torch.Tensor.softmax, F.softmax)
_PRODUCT = (torch.baddbmm, torch.Tensor.baddbmm)
#: The fused kernel, as `torch._fused_sdp_choice` numbers it.
_FLASH = 1


class AttentionProbe(TorchFunctionMode):
    """Lets every torch function pass, and tells the sighting under way of those that are attention."""

    def __init__(self) -> None:
        super().__init__()
        self.sighting: Sightings | None = None

    def watch(self, sightings: Sightings) -> None:
        """Look at what runs from now on."""
        self.leave()
        self.sighting = sightings
        self.__enter__()

    def leave(self) -> Sightings | None:
        """Look no more, and give what was seen; None where nothing was watched."""
        sightings, self.sighting = self.sighting, None
        if sightings is not None:
            leave(self)
        return sightings

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """See one function; its result is not changed."""
        kwargs = kwargs or {}
        sighting = self.sighting
        if sighting is None:
            return func(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            call = _sdpa_call(*args, **kwargs)
            result = _flash_with_sums(call) if sighting.wants_sums else None
            if result is None:
                result = func(*args, **kwargs)
            with aside(call.query.device):
                sighting.fused(call)
            return result
        result = func(*args, **kwargs)
        if func in _SOFTMAX:
            scores = args[0] if args else kwargs["input"]
            with aside(result.device):
                sighting.softmax(scores.detach(), result.detach())
        elif func in _PRODUCT:
            with aside(result.device):
                sighting.product(*_factors(*args, **kwargs))
        return result


def _sdpa_call(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Call:
    plain = attn_mask is None and not (dropout_p or is_causal or enable_gqa)
    if is_causal:
        rows, columns = query.shape[-2], key.shape[-2]
        attn_mask = torch.ones(rows, columns, dtype=torch.bool, device=query.device).tril()
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if torch.is_autocast_enabled(query.device.type):  # which casts on the way to the kernel
        dtype = torch.get_autocast_dtype(query.device.type)
        query, key, value = (part.to(dtype) for part in (query, key, value))
    return Call(query, key, value, attn_mask, scale, plain)


def _flash_with_sums(call: Call) -> Tensor | None:
    """Run the very kernel that torch would choose, which gives the row log-sum-exps for nothing.

    None where torch would choose another, or where something else watches too, that would then not see the function.
    """
    query, key, value = call.query, call.key, call.value
    if query.device.type != "cpu" or not call.plain or query.ndim != 4 or _trains(query, key, value):
        return None
    if query.dtype.itemsize < 4:
        return None  # its sums are of quick exponentials then, and off by 5e-5
    if _get_current_function_mode_stack() or torch._fused_sdp_choice(query, key, value, scale=call.scale) != _FLASH:
        return None
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    result, call.sums = kernel(query, key, value, scale=call.scale)
    return result


def _trains(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def _factors(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1, out: Any = None
) -> tuple[Tensor, Tensor, Tensor | None, float]:
    bias = input.detach() * beta if beta else None
    return batch1.detach(), batch2.detach().transpose(-1, -2), bias, float(alpha)
