"""Numbers as the legend writes them. Twin: ``js/src/maps/numbers.ts``; the rules stand in ``docs/architecture.md``."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

__all__ = ["figure", "timestep_text"]


def figure(value: float) -> str:
    """Three significant digits, no trailing zeros; below 1e-4 two digits and an exponent.

    Examples
    --------
    >>> figure(0.3125), figure(0.5), figure(0.000031), figure(0.0), figure(1234.0)
    ('0.313', '0.5', '3.1e-5', '0', '1230')
    """
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    small = abs(value) < 1e-4
    exact = Decimal(float(value))
    rounded = _significant(exact, 2 if small else 3)
    if not small:
        return _plain(rounded)
    exponent = rounded.adjusted()
    return f"{_plain(rounded.scaleb(-exponent))}e{exponent}"


def timestep_text(timestep: float) -> str:
    """At most one decimal.

    Examples
    --------
    >>> timestep_text(741.25), timestep_text(951.0)
    ('741.3', '951')
    """
    return _plain(Decimal(float(timestep)).quantize(Decimal("0.1"), ROUND_HALF_UP))


def _significant(value: Decimal, digits: int) -> Decimal:
    # Half goes away from zero, on the exact binary value, as in JavaScript's toPrecision.
    return value.quantize(Decimal(1).scaleb(value.adjusted() - digits + 1), ROUND_HALF_UP)


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
