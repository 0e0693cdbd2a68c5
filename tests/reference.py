"""What a model's attention is, computed a second time and in float64. Nothing here comes from attnscope.

``with reference.softmax(model) as seen:`` records every attention module of ``model`` while the block runs.
"""

import contextlib
import math
from dataclasses import dataclass, field

import torch
from diffusers.models.attention_processor import Attention

KERNEL = "scaled_dot_product_attention"


@dataclass
class Call:
    """One call of the model."""

    sample: tuple[int, ...]
    timestep: float
    text: torch.Tensor | None
    arguments: dict = field(repr=False)


class Seen(dict):
    """By path: a list of runs, each a list of softmaxes (batch, head, query, key)."""

    def __init__(self, paths):
        super().__init__({path: [] for path in paths})
        self.calls: list[Call] = []


@dataclass
class Run:
    """One attention module at work: ``rows`` is its batch, ``pieces`` parts of a softmax that is sliced."""

    module: Attention
    rows: int
    softmaxes: list = field(default_factory=list)
    pieces: list = field(default_factory=list)


@contextlib.contextmanager
def softmax(model):
    paths = [name.removesuffix(".processor") for name in model.attn_processors]
    seen = Seen(paths)
    running: list[Run] = []
    kernel = getattr(torch.nn.functional, KERNEL)
    scores = Attention.get_attention_scores

    def seeing_kernel(
        query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False, **others
    ):
        if running:
            factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
            keys = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3) if enable_gqa else key
            mask = attn_mask
            if is_causal:
                mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool, device=query.device).tril()
            running[-1].softmaxes.append(exact(query, keys, factor, mask))
        named = {"attn_mask": attn_mask, "dropout_p": dropout_p, "is_causal": is_causal, "scale": scale}
        return kernel(query, key, value, **named, enable_gqa=enable_gqa, **others)

    def seeing_scores(self, query, key, attention_mask=None):
        if running:
            run, heads = running[-1], self.heads
            run.pieces.append(exact(query, key, self.scale, attention_mask))
            sliced = "Sliced" in type(self.processor).__name__
            rows = sum(len(piece) for piece in run.pieces)
            if rows == run.rows * heads or (not sliced and rows % heads == 0):
                run.softmaxes.append(torch.cat(run.pieces).unflatten(0, (-1, heads)))
                run.pieces = []
        return scores(self, query, key, attention_mask)

    def enter(module, args, kwargs):
        hidden = args[0] if args else kwargs["hidden_states"]
        # No attention module is inside of another; what an interrupt left running is over.
        running[:] = [Run(module, len(hidden))]

    def leaver(path):
        def leave(module, args, result):
            if running and running[-1].module is module:
                run = running.pop()
                assert not run.pieces, f"{path}: slices that do not add up"
                seen[path].append(run.softmaxes)

        return leave

    def called(module, args, kwargs):
        named = dict(zip(("sample", "timestep", "encoder_hidden_states"), args, strict=False)) | kwargs
        text = named.get("encoder_hidden_states")
        seen.calls.append(
            Call(
                tuple(named["sample"].shape),
                float(torch.as_tensor(named["timestep"]).flatten()[0]),
                None if text is None else text.detach().clone(),
                {name: value for name, value in named.items() if name not in ("sample", "timestep")},
            )
        )

    with contextlib.ExitStack() as stack:
        stack.callback(model.register_forward_pre_hook(called, with_kwargs=True).remove)
        for path in paths:
            module = model.get_submodule(path)
            stack.callback(module.register_forward_pre_hook(enter, with_kwargs=True).remove)
            stack.callback(module.register_forward_hook(leaver(path), always_call=True).remove)
        stack.callback(setattr, torch.nn.functional, KERNEL, kernel)
        setattr(torch.nn.functional, KERNEL, seeing_kernel)
        stack.callback(setattr, Attention, "get_attention_scores", scores)
        Attention.get_attention_scores = seeing_scores
        yield seen


def exact(query, key, scale, mask):
    with torch.no_grad():
        logits = query.double() @ key.double().transpose(-1, -2) * scale
        if mask is not None and mask.dtype == torch.bool:
            logits = logits.masked_fill(~mask, -math.inf)
        elif mask is not None:
            logits = logits + mask.double()
        weights = torch.exp(logits - logits.amax(-1, keepdim=True))
        return (weights / weights.sum(-1, keepdim=True)).float()
