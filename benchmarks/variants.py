"""Ways to run a pipeline while looking at its attention: attnscope's, and those that people use today.

The others are our own re-implementations of an idea in a few lines, for the bench only: not their authors' code, which
does more than that (resampling, word maps, editing).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

import attnscope

Store: TypeAlias = dict[str, Any]
#: Told of one site's probabilities ``(batch * head, query, key)``: store, name, probabilities, whether it is cross.
Keep: TypeAlias = Callable[[Store, str, Tensor, bool], None]
#: Runs inside it are looked at; gives what tells the bytes that were kept.
Variant: TypeAlias = Callable[[Any], AbstractContextManager[Callable[[], int]]]


@contextmanager
def plain(pipe: Any) -> Iterator[Callable[[], int]]:
    yield lambda: 0


def captured(**options: Any) -> Variant:
    @contextmanager
    def variant(pipe: Any) -> Iterator[Callable[[], int]]:
        with attnscope.capture(pipe, **options) as cap:
            yield lambda: cap.nbytes

    return variant


def live(**options: Any) -> Variant:
    """The same, with a scope that fills meanwhile; no browser listens, so the messages are made and sent to nobody."""

    @contextmanager
    def variant(pipe: Any) -> Iterator[Callable[[], int]]:
        scope = attnscope.Scope()
        with attnscope.capture(pipe, scope=scope, **options) as cap:
            yield lambda: cap.nbytes

    return variant


def can_capture(pipe: Any, **options: Any) -> bool:
    """Whether this version of attnscope takes these options."""
    try:
        with attnscope.capture(pipe, **options):
            pass
    except attnscope.errors.NothingCapturedError:
        return True
    except ValueError:
        return False
    return True


class MaterialisingProcessor:
    """The article's copy of diffusers' ``AttnProcessor``, that hands on the probabilities that it forms."""

    def __init__(self, store: Store, name: str, keep: Keep) -> None:
        self.store, self.name, self.keep = store, name, keep

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        cross = encoder_hidden_states is not None
        text = encoder_hidden_states if cross else hidden_states
        batch_size, sequence_length, _ = text.shape
        attention_mask = attn.prepare_attention_mask(attention_mask, sequence_length, batch_size)
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))
        key = attn.head_to_batch_dim(attn.to_k(text))
        value = attn.head_to_batch_dim(attn.to_v(text))
        attention_probs = attn.get_attention_scores(query, key, attention_mask)
        self.keep(self.store, self.name, attention_probs.detach(), cross)
        hidden_states = attn.batch_to_head_dim(torch.bmm(attention_probs, value))
        return attn.to_out[1](attn.to_out[0](hidden_states))


def keep_every_step(store: Store, name: str, probabilities: Tensor, cross: bool) -> None:
    if cross:
        store.setdefault(name, []).append(probabilities.clone())


def keep_sum(store: Store, name: str, probabilities: Tensor, cross: bool) -> None:
    if cross:
        _add(store, name, probabilities)


def keep_small_sums(store: Store, name: str, probabilities: Tensor, cross: bool) -> None:
    if probabilities.shape[1] <= 32**2:
        _add(store, name, probabilities)


def _add(store: Store, name: str, probabilities: Tensor) -> None:
    half = probabilities[len(probabilities) // 2 :].float()  # the conditional one
    store[name] = store[name] + half if name in store else half.clone()


@dataclass(frozen=True)
class Rival:
    """A way to capture that replaces processors.

    Parameters
    ----------
    name, what
        A short name, and what it does.
    keep
        What it keeps of each site.
    self_too
        Whether it also replaces the processors of self-attention.
    sums
        Whether it keeps the sum over steps only, so that it does not grow with them.
    """

    name: str
    what: str
    keep: Keep
    self_too: bool
    sums: bool

    @contextmanager
    def __call__(self, pipe: Any) -> Iterator[Callable[[], int]]:
        store: Store = {}
        found = dict(pipe.unet.attn_processors)
        pipe.unet.set_attn_processor(
            {
                name: MaterialisingProcessor(store, name, self.keep)
                if self.self_too or ".attn2." in name
                else processor
                for name, processor in found.items()
            }
        )
        try:
            yield lambda: sum(_nbytes(kept) for kept in store.values())
        finally:
            pipe.unet.set_attn_processor(found)


def _nbytes(kept: Tensor | list[Tensor]) -> int:
    return sum(map(_nbytes, kept)) if isinstance(kept, list) else kept.nbytes


ARTICLE = Rival(
    "storing AttnProcessor",
    "replaces all 32 processors and keeps every step's cross-attention probabilities, both halves of the batch, fp32",
    keep_every_step,
    self_too=True,
    sums=False,
)
RIVALS = (
    ARTICLE,
    Rival(
        "DAAM-style",
        "replaces the processors of cross-attention and keeps the sum over steps of the conditional half, fp32",
        keep_sum,
        self_too=False,
        sums=True,
    ),
    Rival(
        "prompt-to-prompt-style",
        "replaces all processors and keeps the sum over steps of the conditional half, cross and self, of grids up to "
        "32x32, fp32",
        keep_small_sums,
        self_too=True,
        sums=True,
    ),
    Rival(
        "attention-map-diffusers-style",
        "replaces the processors of cross-attention and keeps every step, both halves of the batch, fp32",
        keep_every_step,
        self_too=False,
        sums=False,
    ),
)
