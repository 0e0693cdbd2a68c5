"""Sizes in bytes, read and shown."""

from __future__ import annotations

import re
from numbers import Integral
from typing import Any

__all__ = ["read_bytes", "show_bytes"]

_AMOUNT = re.compile(r"(?P<number>\d[\d_]*\.?\d*|\.\d+)\s*(?P<prefix>[kmgt]?)(?P<binary>i?)b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def read_bytes(budget: Any) -> int:
    """Read a number of bytes.

    Parameters
    ----------
    budget
        A whole number, or a text: ``"2GB"``, ``"500 MB"``, ``"1.5 GiB"``. kB, MB, GB and TB count in thousands (as
        do k, M, G and T), KiB, MiB, GiB and TiB in 1024; case does not matter.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If the text is none of these, or not a byte is left.

    Examples
    --------
    >>> [read_bytes(one) for one in (1_000, "2GB", "500 mb", "1.5 GiB")]
    [1000, 2000000000, 500000000, 1610612736]
    """
    accepted = "Give bytes as a whole number, or a text such as '500 MB', '2GB' or '1.5 GiB'."
    if isinstance(budget, str):
        found = _AMOUNT.fullmatch(budget.strip())
        if found is None or (found["binary"] and not found["prefix"]):
            msg = f"budget={budget!r} is no size. {accepted}"
            raise ValueError(msg)
        base = 1024 if found["binary"] else 1000
        nbytes = int(float(found["number"].replace("_", "")) * base ** _POWERS[found["prefix"].lower()])
    elif isinstance(budget, Integral) and not isinstance(budget, bool):
        nbytes = int(budget)
    else:
        msg = f"budget={budget!r} is no size. {accepted}"
        raise TypeError(msg)
    if nbytes <= 0:
        msg = f"budget={budget!r} leaves no room. {accepted}"
        raise ValueError(msg)
    return nbytes


def show_bytes(nbytes: int) -> str:
    """Show a number of bytes in decimal units, three digits of it.

    Examples
    --------
    >>> [show_bytes(one) for one in (0, 999, 33_226_752, 999_999_999)]
    ['0 B', '999 B', '33.2 MB', '1 GB']
    """
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if nbytes >= 0.9995 * size:
            return f"{nbytes / size:.3g} {unit}" if nbytes < 999.5 * size else f"{nbytes / size:.0f} {unit}"
    return f"{nbytes} B"
