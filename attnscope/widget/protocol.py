"""The wire protocol ``attnscope/1``. Its twin is ``js/src/wire/protocol.ts``; ``docs/architecture.md`` says it."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, get_args

__all__ = [
    "ALIGNMENT",
    "ATLAS_SIDE",
    "COMPACT_BYTES",
    "EXACT_BYTES",
    "ITEM_KINDS",
    "LOG_FLOOR",
    "MESSAGE_BYTES",
    "PROTOCOL",
    "Blend",
    "Compare",
    "CompareAs",
    "Direction",
    "Encoding",
    "ErrMessage",
    "GetMessage",
    "Head",
    "Item",
    "ItemKind",
    "Kind",
    "LayerEntry",
    "Level",
    "Loop",
    "Manifest",
    "Order",
    "Pin",
    "PutItem",
    "PutMessage",
    "Scale",
    "Section",
    "Sort",
    "StepEntry",
    "StepMessage",
    "Theme",
    "Token",
    "TokenEntry",
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
#: Queries and keys of one head travel as f32 up to this, both together, and as f16 above.
EXACT_BYTES = 1_500_000
#: A ``put`` is closed when it has grown beyond this; proxies refuse frames of about 10 MB.
MESSAGE_BYTES = 4_000_000
#: Floor of the log transform.
LOG_FLOOR = 1e-4

Level: TypeAlias = Literal["unet", "block", "layer", "head"]
Kind: TypeAlias = Literal["cross", "self"]
Direction: TypeAlias = Literal["row", "column"]
CompareAs: TypeAlias = Literal["side", "swipe", "difference", "blink"]
Scale: TypeAlias = Literal["auto", "own", "shared", "run", "fixed"]
Transform: TypeAlias = Literal["linear", "sqrt", "log", "rank", "uniform"]
Blend: TypeAlias = Literal["colour", "mask", "contour"]
Sort: TypeAlias = Literal["index", "entropy", "mass", "similarity"]
Order: TypeAlias = Literal["prompt", "value"]
Loop: TypeAlias = Literal["loop", "once", "bounce"]
Theme: TypeAlias = Literal["auto", "light", "dark"]
Encoding: TypeAlias = Literal["f16", "f32", "u8", "q8"]
#: A list is the mean of the chosen ones; ``"max"`` the largest of all, cell by cell.
Head: TypeAlias = int | Literal["mean", "max"] | list[int]
Token: TypeAlias = int | list[int] | None
ItemKind: TypeAlias = Literal[
    "atlas", "layer", "heads", "preview", "range", "strip", "received", "qk", "rows", "anatomy"
]
ITEM_KINDS: tuple[ItemKind, ...] = get_args(ItemKind)
#: Items of no single step.
_OF_THE_RUN = ("range", "strip", "anatomy")


class Compare(TypedDict, total=False):
    """What B has in place of what A has."""

    step: int
    head: Head
    layer: str
    token: Token | str
    branch: str
    image: int
    direction: Direction
    #: 1: the second capture.
    capture: int


class Pin(TypedDict):
    """A view that is kept, with a note."""

    state: dict[str, Any]
    note: str


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
    kind: ItemKind
    step: int | None
    image: int
    branch: str
    layer: NotRequired[str | None]
    #: Of ``qk`` the head, of ``rows`` the cell, counted row by row.
    part: NotRequired[int | None]
    #: 1: of the second capture.
    capture: NotRequired[int]


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
    """A captured layer, of one kind."""

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
    #: The dtype in which its maps are kept; of self-attention, its queries and keys.
    stored: str


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
    kinds: list[Kind]
    tokens: list[TokenEntry]
    tokens_known: bool
    truncated: str | None
    layers: list[LayerEntry]
    missing: list[MissingEntry]
    #: Of cross-attention only.
    mass: dict[str, list[list[float | None]]]
    #: Whether ``anatomy`` can be asked for.
    anatomy: bool
    #: Whether this is a file, which answers what is in its index, and nothing else.
    parts: bool
    #: The second capture.
    other: Manifest | None
    #: In code: the capture, or the part of one that holds several texts or frames, as ``cap.sel(branch="uncond")``.
    source: str
    live: bool
    note: str


class StepMessage(TypedDict):
    """Kernel to browser, unasked, with one buffer: a step of the run was finished, and this is its atlas."""

    type: Literal["step"]
    step: StepEntry
    mass: dict[str, list[float | None]]
    items: list[PutItem]


def item_key(item: Item) -> str:
    """Name an item: its identity in messages and in the index of an HTML file.

    Examples
    --------
    >>> item_key({"id": "", "kind": "layer", "step": 3, "image": 0, "branch": "cond", "layer": "up.1.0"})
    'layer|3|0|cond|up.1.0'
    >>> make_item("qk", 3, 0, "cond", "up.1.0", part=2, capture=1)["id"]
    '1:qk|3|0|cond|up.1.0|2'
    """
    step = "" if item["kind"] in _OF_THE_RUN or item["step"] is None else item["step"]
    key = f"{item['kind']}|{step}|{item['image']}|{item['branch']}|{item.get('layer') or ''}"
    part = item.get("part")
    return ("1:" if item.get("capture") else "") + key + ("" if part is None else f"|{part}")


def make_item(
    kind: ItemKind,
    step: int | None,
    image: int,
    branch: str,
    layer: str | None = None,
    *,
    part: int | None = None,
    capture: int = 0,
) -> Item:
    """Make a request, named by its key."""
    item: Item = {"id": "", "kind": kind, "step": step, "image": image, "branch": branch}
    if layer is not None:
        item["layer"] = layer
    if part is not None:
        item["part"] = part
    if capture:
        item["capture"] = capture
    item["id"] = item_key(item)
    return item
