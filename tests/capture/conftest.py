"""What the tests of exactness share: the stored softmax, and processors put back."""

import processors
import pytest
import torch


@pytest.fixture
def stored(pipe, paint):
    """What the article's processor stores of the run: module path to (step, batch * head, pixel, key)."""
    before = pipe.unet.attn_processors
    store = processors.store_everywhere(pipe.unet)
    paint()
    pipe.unet.set_attn_processor(before)
    return {name: torch.stack(maps).numpy() for name, maps in store.items()}


@pytest.fixture
def clean(pipe):
    """Give the pipeline back its processors."""
    before = pipe.unet.attn_processors
    yield
    if getattr(pipe.unet, "original_attn_processors", None):
        pipe.unet.unfuse_qkv_projections()
    pipe.unet.set_attn_processor(before)
