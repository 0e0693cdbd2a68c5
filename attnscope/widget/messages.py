"""The kernel's side of the conversation: every request is answered, a failed one too."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from attnscope.errors import ViewError, choices
from attnscope.widget.encode import pack
from attnscope.widget.protocol import MESSAGE_BYTES, item_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnscope.widget.packets import Packets
    from attnscope.widget.protocol import ErrMessage, PutItem

__all__ = ["answer"]


def answer(packets: Packets, content: Any) -> Iterator[tuple[dict[str, Any], list[bytes]]]:
    """Answer one message from the browser.

    Synchronous and read-only; a generator, so that the first items leave while later ones are still read.

    Parameters
    ----------
    packets
        Reader of the capture.
    content
        The message as it came; it may be anything.

    Yields
    ------
    dict, list of bytes
        A ``put`` with its buffer, or an ``err``. Never raises.
    """
    gen = content.get("gen") if isinstance(content, dict) else None
    try:
        items = _items(content)
    except Exception as error:
        yield _error(error, gen, None), []
        return
    done: list[PutItem] = []
    buffer = b""
    for item in items:
        try:
            sections, data = pack(packets.parts(item), start=len(buffer))
        except Exception as error:
            yield _error(error, gen, _name(item)), []
            continue
        done.append({"id": _name(item), "sections": sections})
        buffer += data
        # What took a while to compute need not wait for the next.
        if len(buffer) > MESSAGE_BYTES or item.get("kind") in ("received", "anatomy"):
            yield {"type": "put", "gen": gen, "items": done}, [buffer]
            done, buffer = [], b""
    if done:
        yield {"type": "put", "gen": gen, "items": done}, [buffer]


def _items(content: Any) -> list[Any]:
    if not isinstance(content, dict):
        msg = f"A message must be an object, not {type(content).__name__}."
        raise ViewError(msg)
    if content.get("type") != "get":
        msg = f"Message type {content.get('type')!r} is unknown. {choices(content.get('type'), ['get'])}"
        raise ViewError(msg)
    if not isinstance(content.get("items"), list):
        msg = "A 'get' needs a list of items."
        raise ViewError(msg)
    return content["items"]


def _name(item: Any) -> Any:
    if not isinstance(item, dict):
        return None
    if "id" in item:
        return item["id"]
    try:
        return item_key(item)  # type: ignore[arg-type]
    except KeyError:
        return None


def _error(error: Exception, gen: Any, name: Any) -> dict[str, Any]:
    message: ErrMessage = {
        "type": "err",
        "gen": gen,
        "id": name,
        "text": f"{type(error).__name__}: {error}",
        "trace": "".join(traceback.format_exception(error)),
    }
    return dict(message)
