"""Processors that users have: the seed article's, and one that no probe can see into."""

import torch
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0, SlicedAttnProcessor


class StoringProcessor:
    """The article's copy of ``AttnProcessor`` that stores what it computes, kept as a user would have it."""

    def __init__(self, store, name):
        self.store, self.name = store, name

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None):
        is_cross = encoder_hidden_states is not None
        batch_size, sequence_length, _ = (hidden_states if not is_cross else encoder_hidden_states).shape
        attention_mask = attn.prepare_attention_mask(attention_mask, sequence_length, batch_size)
        query = attn.head_to_batch_dim(attn.to_q(hidden_states))
        text = encoder_hidden_states if is_cross else hidden_states
        key = attn.head_to_batch_dim(attn.to_k(text))
        value = attn.head_to_batch_dim(attn.to_v(text))
        attention_probs = attn.get_attention_scores(query, key, attention_mask)
        self.store.setdefault(self.name, []).append(attention_probs.detach().clone())
        hidden_states = attn.batch_to_head_dim(torch.bmm(attention_probs, value))
        return attn.to_out[1](attn.to_out[0](hidden_states))


class HandmadeProcessor:
    """Attention by hand: neither softmax nor scaled_dot_product_attention is called."""

    sharpness = 1

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None):
        text = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            attn.head_to_batch_dim(part) for part in (attn.to_q(hidden_states), attn.to_k(text), attn.to_v(text))
        )
        weights = torch.exp(self.sharpness * attn.scale * query @ key.transpose(-1, -2))
        weights = weights / weights.sum(-1, keepdim=True)
        return attn.to_out[0](attn.batch_to_head_dim(weights @ value))


class SharpenedProcessor(HandmadeProcessor):
    """Computes something else than attention, and hides it."""

    sharpness = 5


def store_everywhere(unet):
    """Set the article's processor on every site; gives the store that it fills."""
    store = {}
    names = list(unet.attn_processors)
    unet.set_attn_processor({name: StoringProcessor(store, name.removesuffix(".processor")) for name in names})
    return store


def conditional(maps, heads):
    """The second half of the batch, rows outside and heads inside, as diffusers folds them."""
    steps, _, pixels, keys = maps.shape
    return maps.reshape(steps, 2, heads, pixels, keys)[:, 1]


def install(unet, name):
    if name == "fused":
        unet.fuse_qkv_projections()
    elif name == "storing":
        store_everywhere(unet)
    elif name == "mixed":
        names = list(unet.attn_processors)
        kinds = [AttnProcessor, AttnProcessor2_0, lambda: SlicedAttnProcessor(1)]
        unet.set_attn_processor({name: kinds[i % 3]() for i, name in enumerate(names)})
    else:
        makers = {
            "sdpa": AttnProcessor2_0,
            "classic": AttnProcessor,
            "sliced by 1": lambda: SlicedAttnProcessor(1),
            "sliced by 5": lambda: SlicedAttnProcessor(5),
        }
        unet.set_attn_processor(makers[name]())
