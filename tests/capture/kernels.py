"""A stand-in for xformers: a kernel that no function call shows, behind diffusers' own processors."""

from types import SimpleNamespace

import torch
from diffusers.models import attention_processor
from torch import library


@library.custom_op("stand_in::attention", mutates_args=())
def attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: torch.Tensor | None, scale: float | None
) -> torch.Tensor:
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return kernel(query[:, None], key[:, None], value[:, None], attn_mask=bias, scale=scale)[0][:, 0].clone()


def memory_efficient_attention(query, key, value, attn_bias=None, op=None, scale=None):
    """As xformers has it: ``(batch * head, pixel, width)``."""
    bias = None if attn_bias is None else attn_bias[:, None].to(query.dtype).contiguous()
    return attention(query, key, value, bias, scale)


def provide_xformers(monkeypatch):
    ops = SimpleNamespace(memory_efficient_attention=memory_efficient_attention)
    monkeypatch.setattr(attention_processor, "xformers", SimpleNamespace(ops=ops))
