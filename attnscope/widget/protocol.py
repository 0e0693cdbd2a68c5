"""The wire protocol ``attnscope/1``. Its twin is ``js/src/wire/protocol.ts``; ``docs/architecture.md`` says it."""

from __future__ import annotations

from typing import Literal, NotRequired, TypeAlias, TypedDict

__all__ = [
    "ALIGNMENT",
    "ATLAS_SIDE",
    "COMPACT_BYTES",
    "LOG_FLOOR",
    "MESSAGE_BYTES",
    "PROTOCOL",
    "Encoding",
    "ErrMessage",
    "GetMessage",
    "Head",
    "Item",
    "Level",
    "Manifest",
    "PutItem",
    "PutMessage",
    "Scale",
    "Section",
    "StepEntry",
    "StepMessage",
    "Theme",
    "Token",
    "Transform",
    "item_key",
    "make_item",
]

PROTOCOL = "attnscope/1"
#: Every section starts at a multiple of this, so that the browser can lay a typed array over it.
ALIGNMENT = 8
#: Most cells a side in an atlas.
ATLAS_SIDE = 32
#: A packet that would be larger in f16 is sent as q8.
COMPACT_BYTES = 1_500_000
#: A ``put`` is closed when it has grown beyond this; proxies refuse frames of about 10 MB.
MESSAGE_BYTES = 4_000_000
#: Floor of the log transform.
LOG_FLOOR = 1e-4

Level: TypeAlias = Literal["unet", "layer", "head"]
Scale: TypeAlias = Literal["auto", "own", "shared", "run"]
Transform: TypeAlias = Literal["linear", "sqrt", "log"]
Theme: TypeAlias = Literal["auto", "light", "dark"]
Encoding: TypeAlias = Literal["f16", "f32", "u8", "q8"]
Head: TypeAlias = int | Literal["mean"]
Token: TypeAlias = int | list[int] | None


class Section(TypedDict):
    """One array in a buffer."""

    name: str
    encoding: Encoding
    shape: list[int]
    offset: int
    length: int


class Item(TypedDict):
    """One thing that the browser asks for."""

    id: str
    kind: Literal["atlas", "layer", "preview", "range"]
    step: int | None
    image: int
    branch: str
    layer: NotRequired[str | None]


class GetMessage(TypedDict):
    """Browser to kernel."""

    type: Literal["get"]
    gen: int
    items: list[Item]


class PutItem(TypedDict):
    """Where in the buffer the arrays of one item lie."""

    id: str | None
    sections: list[Section]


class PutMessage(TypedDict):
    """Kernel to browser, with one buffer."""

    type: Literal["put"]
    gen: int
    items: list[PutItem]


class ErrMessage(TypedDict):
    """Kernel to browser, for an item that failed."""

    type: Literal["err"]
    gen: int | None
    id: str | None
    text: str
    trace: str


class StepEntry(TypedDict):
    """A captured step."""

    step: int
    timestep: float | None
    sigma: float | None


class TokenEntry(TypedDict):
    """A kept column."""

    token: int
    text: str
    word: str
    word_index: int
    kind: Literal["bos", "prompt", "eos", "pad", "image", "self"]
    count: int


class LayerEntry(TypedDict):
    """A captured layer."""

    layer: str
    kind: str
    place: str
    block: int | None
    attention: int
    depth: int | None
    module: str
    height: int
    width: int
    heads: int
    #: How many of them can be shown: none where only their mean is kept.
    single_heads: int
    head_width: int


class MissingEntry(TypedDict):
    """An attention site that was not captured."""

    layer: str
    kind: str
    module: str
    reason: str


class Manifest(TypedDict):
    """What was captured; grows by `StepMessage` while a run goes on, else constant.

    With no steps nothing was captured yet, and ``title`` and ``note`` say what is waited for.
    """

    protocol: str
    version: str
    title: str
    prompt: str | None
    negative_prompt: str | None
    model: str
    scheduler: str | None
    guidance_scale: float | None
    seed: int | None
    width: int
    height: int
    images: list[str]
    branches: list[str]
    pictures: list[list[int]]
    preview: list[int] | None
    steps: list[StepEntry]
    run_steps: int | None
    #: Over how many steps the maps were averaged when they were kept; their step is the last of them.
    averaged_steps: int | None
    tokens: list[TokenEntry]
    tokens_known: bool
    truncated: str | None
    layers: list[LayerEntry]
    missing: list[MissingEntry]
    mass: dict[str, list[list[float | None]]]
    live: bool
    note: str


class StepMessage(TypedDict):
    """Kernel to browser, unasked, with one buffer: a step of the run was finished, and this is its atlas."""

    type: Literal["step"]
    step: StepEntry
    mass: dict[str, list[float | None]]
    items: list[PutItem]


def item_key(item: Item) -> str:
    """Name an item: its identity in messages and in the index of an HTML file. A range is of no single step.

    Examples
    --------
    >>> item_key({"id": "", "kind": "layer", "step": 3, "image": 0, "branch": "cond", "layer": "up.1.0"})
    'layer|3|0|cond|up.1.0'
    """
    step = "" if item["kind"] == "range" else item["step"]
    return f"{item['kind']}|{step}|{item['image']}|{item['branch']}|{item.get('layer') or ''}"


def make_item(
    kind: Literal["atlas", "layer", "preview", "range"],
    step: int | None,
    image: int,
    branch: str,
    layer: str | None = None,
) -> Item:
    """Make a request, named by its key."""
    item: Item = {"id": "", "kind": kind, "step": step, "image": image, "branch": branch}
    if layer is not None:
        item["layer"] = layer
    item["id"] = item_key(item)
    return item
