"""From arrays to the bytes of a packet, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnscope.widget.protocol import ALIGNMENT, COMPACT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from attnscope.widget.protocol import Encoding, Section

__all__ = ["decode", "encode", "map_encoding", "pack"]

_RAW: dict[str, str] = {"f16": "<f2", "f32": "<f4", "u8": "u1"}
#: Codes 0 to 254 are values, 255 is NaN.
_TOP, _NAN = 254, 255


def map_encoding(cells: int, *, compact: bool = False) -> Encoding:
    """Choose how a packet of this many map cells travels: exact to f16, or 8-bit when it is large."""
    return "q8" if compact or 2 * cells > COMPACT_BYTES else "f16"


def encode(array: np.ndarray, encoding: Encoding) -> bytes:
    """Write an array, little-endian.

    ``q8`` keeps a float32 maximum for each map (the last two axes), then one byte a cell: attention is small almost
    everywhere and never negative, so the bytes count in steps of the square root.

    Parameters
    ----------
    array
        Values; for ``q8`` at least two axes.
    encoding
        ``"f16"``, ``"f32"``, ``"u8"`` or ``"q8"``.

    Examples
    --------
    >>> len(encode(np.zeros((3, 2, 2)), "q8"))
    24
    """
    if encoding != "q8":
        return np.ascontiguousarray(array, dtype=_RAW[encoding]).tobytes()
    values = np.asarray(array, dtype=np.float32)
    seen = np.isfinite(values)
    values = np.where(seen, np.maximum(values, 0), 0)
    hi = values.max(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        codes = np.rint(np.sqrt(values / hi[..., None, None]) * _TOP)
    codes = np.where(seen, np.nan_to_num(codes, nan=0.0), _NAN)
    return hi.astype("<f4").tobytes() + codes.astype(np.uint8).tobytes()


def decode(section: Section, buffer: bytes | memoryview) -> np.ndarray:
    """Read one section of a buffer: what the browser does, for tests and for reading files."""
    data = memoryview(buffer)[section["offset"] : section["offset"] + section["length"]]
    shape = tuple(section["shape"])
    if section["encoding"] != "q8":
        return np.frombuffer(data, dtype=_RAW[section["encoding"]]).reshape(shape)
    maps = int(np.prod(shape[:-2]))
    hi = np.frombuffer(data[: 4 * maps], dtype="<f4").reshape(*shape[:-2], 1, 1)
    codes = np.frombuffer(data[4 * maps :], dtype=np.uint8).reshape(shape)
    values = hi * (codes.astype(np.float32) / _TOP) ** 2
    return np.where(codes == _NAN, np.float32(np.nan), values)


def pack(parts: Iterable[tuple[str, np.ndarray, Encoding]], start: int = 0) -> tuple[list[Section], bytes]:
    """Lay arrays behind one another, each at a multiple of eight bytes.

    Parameters
    ----------
    parts
        Name, array and encoding of each.
    start
        Where the buffer begins inside a larger one, itself a multiple of eight.

    Returns
    -------
    list of Section, bytes
        Offsets count from the start of the larger buffer; the bytes end aligned too.
    """
    sections: list[Section] = []
    chunks: list[bytes] = []
    end = start
    for name, array, encoding in parts:
        data = encode(array, encoding)
        shape = [int(size) for size in array.shape]
        sections.append({"name": name, "encoding": encoding, "shape": shape, "offset": end, "length": len(data)})
        padding = -len(data) % ALIGNMENT
        chunks += [data, bytes(padding)]
        end += len(data) + padding
    return sections, b"".join(chunks)
