"""Small captures of odd, all-different sizes: 3 steps, 4 layers over two grids, 2 and 3 heads, 11 tokens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from selfattention import draw, log_sums, softmax

from attnscope.capture.recording import Recording, Row, Step, Token
from attnscope.capture.sites import Site
from attnscope.capture.stores import GridStore, QueriesKeys, SelfStore

TOKENS = [
    Token(0, "<|startoftext|>", "<|startoftext|>", -1, "bos"),
    Token(1, "a", "a", 0, "prompt"),
    Token(2, "red", "red", 1, "prompt"),
    Token(3, "fo", "foxglove", 2, "prompt"),
    Token(4, "xglove", "foxglove", 2, "prompt"),
    Token(5, "by", "by", 3, "prompt"),
    Token(6, "a", "a", 4, "prompt"),
    Token(7, "$\\frac", "$\\frac", 5, "prompt"),
    Token(8, "<script>", "<script>", 6, "prompt"),
    Token(9, "<|endoftext|>", "<|endoftext|>", -1, "eos"),
    Token(10, "<|endoftext|>", "<|endoftext|>", -1, "pad", 67),
]
PROMPT = "a red foxglove by a $\\frac <script>"
STEPS = [Step(0, 951.0), Step(4, 451.0), Step(7, 76.25)]
GRIDS = {(10, 14): (3, [("down", 0, 0), ("up", 1, 0), ("up", 1, 1)]), (5, 7): (2, [("mid", -1, 0)])}
SIZE = (80, 112)


def site(place: str, block: int, attention: int, heads: int) -> Site:
    where = "mid_block" if place == "mid" else f"{place}_blocks.{block}"
    label = f"mid.{attention}" if place == "mid" else f"{place}.{block}.{attention}"
    container = f"{where}.attentions.{attention}"
    module = f"{container}.transformer_blocks.0.attn2"
    return Site(label, "cross", place, block, attention, 0, module, container, heads)


def recording(
    *,
    images: int = 1,
    grids: dict | None = None,
    prompt: str = PROMPT,
    decoded: bool = True,
    dtype: type = np.float16,
    seed: int = 7,
) -> Recording:
    """Make what a run leaves behind: random maps whose rows sum to 1, and pictures where they were ``decoded``.

    In float32 they are numbers that float16 holds too, so that nothing is lost on the way to a browser.
    """
    rng = np.random.default_rng(seed)
    stores = []
    for grid, (heads, places) in (grids or GRIDS).items():
        sites = [site(*place, heads) for place in places]
        store = GridStore("cross", grid, sites, images, len(TOKENS), np.dtype(dtype), len(STEPS))
        for _ in STEPS:
            maps = np.exp(2 * rng.normal(size=(len(sites), images, heads, grid[0] * grid[1], len(TOKENS))))
            maps /= maps.sum(-1, keepdims=True)
            if dtype == np.float32:
                maps = np.floor(2048 * maps) / 2048
                maps[..., 0] += 1 - maps.sum(-1)
            store.append({one.layer: values for one, values in zip(sites, maps, strict=True)})
        stores.append(store)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    picture = np.stack([x * 2, y * 3, 255 - x], -1).astype(np.uint8)
    attrs = {
        "prompt": prompt,
        "negative_prompt": None,
        "model": "a/model",
        "scheduler": "DDIMScheduler",
        "guidance_scale": 7.5,
        "steps": 8,
        "height": SIZE[0],
        "width": SIZE[1],
        "seed": None,
        "tokens_known": True,
        "truncated": None,
        "missing": [{"layer": "down.1.0", "kind": "cross", "module": "down_blocks.1.attn2", "reason": "not asked for"}],
    }
    return Recording(
        stores=stores,
        steps=list(STEPS),
        rows=[Row(image=image) for image in range(images)],
        texts={"cross": [list(TOKENS)] * images},
        pictures=np.stack([picture] * images) if decoded else None,
        previews=np.broadcast_to(picture[::8, ::8], (len(STEPS), images, 10, 14, 3)).copy() if decoded else None,
        size=SIZE,
        attrs=attrs,
        version=1,
    )


#: Self-attention beside it: layers of one grid differ in heads and width.
SELF = {(10, 14): {("down", 0, 0): (3, 8), ("up", 1, 0): (2, 6)}, (5, 7): {("mid", -1, 0): (2, 4)}}


def with_self(
    made: Recording,
    *,
    dtype: type = np.float32,
    bias: bool = False,
    unseen: tuple[str, int] | None = None,
    drawn: type = np.float32,
) -> tuple[Recording, dict[str, np.ndarray]]:
    """Add self-attention to a recording; its maps as the explicit softmax gives them too, by layer.

    Each is ``(step, image, head, pixel, key)``. A ``dtype`` of uint16 means the bits of bfloat16; ``drawn`` is how
    coarse the numbers are, whatever they are kept in.
    """
    images, explicit = len(made.rows), {}
    for grid, places in SELF.items():
        pixels, stored, sites = grid[0] * grid[1], {}, []
        for number, (place, (heads, width)) in enumerate(places.items()):
            one = site(*place, heads)
            sites.append(replace(one, kind="self", module=one.module.replace("attn2", "attn1")))
            query, key = draw(heads, width, lead=(len(STEPS), images), pixels=pixels, seed=number, dtype=drawn)
            query, key = (part.astype(np.float32) for part in (query, key))
            added = np.linspace(-2, 1, len(STEPS) * images * pixels, dtype=np.float32) if bias else None
            added = None if added is None else added.reshape(len(STEPS), images, pixels)
            if dtype == np.uint16:
                kept = [part.view(np.uint32) >> 16 for part in (query, key)]
                query, key = ((bits << 16).view(np.float32) for bits in kept)
                kept = [bits.astype(np.uint16) for bits in kept]
            else:
                kept = [part.astype(dtype) for part in (query, key)]
                query, key = (part.astype(np.float32) for part in kept)
            explicit[one.layer] = softmax(query, key, width**-0.5, added, float64=True)
            stored[one.layer] = (*kept, log_sums(query, key, width**-0.5, added), added, width**-0.5)
        store = None
        for step in range(len(STEPS)):
            seen = {
                label: QueriesKeys(query[step], key[step], sums[step], None if added is None else added[step], scale)
                for label, (query, key, sums, added, scale) in stored.items()
            }
            store = store or SelfStore(grid, sites, seen, len(STEPS))
            if unseen is not None and unseen[1] == step and seen.pop(unseen[0], None):
                explicit[unseen[0]][step] = np.nan
            store.append(seen)
        made.self_stores.append(store)
    return made, explicit
