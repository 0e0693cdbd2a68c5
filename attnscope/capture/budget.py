"""``budget=``: a bound on what a capture keeps in memory, and what to do about a run that is beyond it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from numbers import Integral
from typing import Any

from attnscope.capture.options import Options
from attnscope.capture.plan import Plan, show_bytes
from attnscope.capture.planner import Planner, fitting_choices
from attnscope.errors import BudgetError

__all__ = ["BudgetGuard", "check_budget", "read_bytes"]

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


def check_budget(planner: Planner, budget: int, kept: int | None = None) -> Plan:
    """Plan a capture, and refuse one that does not fit.

    Parameters
    ----------
    planner
        Of the run.
    budget
        In bytes.
    kept
        Steps that are kept already, where the run is under way and one more does not fit; None before it begins.

    Returns
    -------
    Plan
        The one that fits.

    Raises
    ------
    BudgetError
        If it does not fit, with what would.
    """
    plan = planner.plan()
    if plan.nbytes <= budget:
        return plan
    size, bound = show_bytes(plan.nbytes), show_bytes(budget)
    if size == bound:  # they differ by less than is shown
        size, bound = f"{plan.nbytes:,} bytes", f"{budget:,} bytes"
    if kept is None:
        first = f"This capture would keep {size} in memory, and its budget is {bound}."
    else:
        first = (
            f"With another step this capture would keep {size} in memory, and its budget is {bound}. "
            f"The {kept} step(s) until here are kept."
        )
    largest = plan.table.nlargest(3, "nbytes")
    rows = [f"{row['kind']} {row['grid']} {show_bytes(row['nbytes'])}" for row in largest.to_dict("records")]
    found = fitting_choices(planner, budget)
    lines = [f"{first} Largest: {', '.join(rows)}."]
    if found:
        lines += ["What would fit:", *(f"  {choice}" for choice in found)]
    else:
        lines += ["No options make it fit: take a smaller picture, or fewer pictures at once."]
    if "store" in {field.name for field in fields(Options)}:
        lines += ["  store='run.zarr': streams to disk, step by step"]
    raise BudgetError("\n".join(lines), plan, found)


class BudgetGuard:
    """Lets steps begin as long as what is kept stays within the budget.

    Parameters
    ----------
    budget
        In bytes.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._planned: Plan | None = None

    def allow_step(self, kept: int, planner: Callable[[int], Planner]) -> None:
        """Let a step begin that is to be kept.

        The whole run is checked before its first step. Where it turns out to be longer (a bare model says nothing of
        its length, and callbacks may call the model again), each further step is.

        Parameters
        ----------
        kept
            Number of steps that are kept already.
        planner
            Gives what is known of the run, if it keeps at least so many steps.

        Raises
        ------
        BudgetError
            If it does not fit.
        """
        planned = self._planned
        if planned is None:
            self._planned = check_budget(planner(1), self._budget)
        elif kept >= planned.steps and (kept + 1) * planned.bytes_per_step > self._budget:
            check_budget(planner(kept + 1), self._budget, kept)
