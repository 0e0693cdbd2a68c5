"""``budget=``: a bound on what a capture keeps in memory, and what to do about a run that is beyond it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attnscope.capture.planner import Planner, fitting_choices
from attnscope.capture.sizes import show_bytes
from attnscope.errors import BudgetError

if TYPE_CHECKING:
    from attnscope.capture.plan import Plan

__all__ = ["BudgetGuard", "check_budget"]


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
    if plan.peak_nbytes <= budget:
        return plan
    size, bound = show_bytes(plan.peak_nbytes), show_bytes(budget)
    if size == bound:  # they differ by less than is shown
        size, bound = f"{plan.peak_nbytes:,} bytes", f"{budget:,} bytes"
    if plan.working_nbytes:
        size += f" (the sums that means over steps are made of are {show_bytes(plan.working_nbytes)} of it)"
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
