"""A run as far as it is known before it happens, and the plans of it that other options would give."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attnscope.capture.options import DTYPES, Options
from attnscope.capture.plan import Plan, SiteShape, item_bytes
from attnscope.capture.sites import Site, select_sites
from attnscope.capture.sizes import show_bytes
from attnscope.capture.tokens import Text, choose_columns

__all__ = ["Choice", "Planner", "fitting_choices"]

#: Of steps that are kept, every second one, every third, ...
_STRIDES = (2, 3, 4, 5, 8, 10, 20, 25, 50, 100, 250, 500, 1000)
#: Choices that are named at most.
_NAMED = 8


@dataclass(frozen=True)
class Planner:
    """What is known of a run before its first step.

    Parameters
    ----------
    sites
        Every attention of the model.
    options
        Of `attnscope.capture`, by name: ``kinds``, ``layers``, ``steps``, ``branches``, ``tokens``, ``dtype``,
        ``reduce``.
    images
        Rows of a branch: pictures, times frames.
    total
        Number of steps.
    texts
        Of each branch, those of its pictures: together they say how many columns are kept.
    model_dtype
        In which the model computes.
    pictures
        Number of tokens of image prompts.
    notes
        What had to be assumed.
    settled
        Options that are not open to another choice.
    """

    sites: tuple[SiteShape, ...]
    options: Mapping[str, Any]
    images: int
    total: int
    texts: Mapping[str, Sequence[Text]]
    model_dtype: str
    pictures: int = 0
    notes: tuple[str, ...] = ()
    settled: frozenset[str] = frozenset()

    def plan(self, **changes: Any) -> Plan:
        """Plan the capture, with ``changes`` to its options."""
        asked = {**self.options, **changes}
        chosen = set(select_sites((one.site for one in self.sites), asked["layers"]))
        called = [one for one in self.sites if one.site in chosen]
        branches = (asked["branches"],) if isinstance(asked["branches"], str) else asked["branches"]
        return Plan(
            sites=tuple(one for one in called if one.kind in asked["kinds"]),
            rows=self.images * len(branches),
            steps=len(self.kept_steps(asked["steps"])),
            tokens={"cross": self._columns(branches, asked["tokens"], called), "image": self.pictures},
            dtype=asked["dtype"],
            model_dtype=self.model_dtype,
            reduce=tuple(asked["reduce"]),
            notes=self.notes,
        )

    def _columns(self, branches: Sequence[str], tokens: str, called: Sequence[SiteShape]) -> int:
        texts = [text for branch in branches for text in self.texts[branch]]
        # The first layer that looks at the text says what the columns of all are.
        joint = next((one.joint for one in called if one.kind == "cross"), False)
        return len(choose_columns(texts, tokens)[0][0]) + joint if texts else 0

    def kept_steps(self, steps: Any) -> list[int]:
        """Indices of the steps that ``steps`` keeps."""
        options = Options(steps=steps)
        return [step for step in range(self.total) if options.wants(step, self.total)]


@dataclass(frozen=True)
class Choice:
    """Options that fit a budget.

    Parameters
    ----------
    options
        To give to `attnscope.capture` in place of those that did not fit; all others stay as they were.
    nbytes
        What is kept with them.
    working_nbytes
        What they take beside it until the run ends; the two together fit.
    """

    options: dict[str, Any]
    nbytes: int
    working_nbytes: int = 0

    def __str__(self) -> str:
        size = show_bytes(self.nbytes)
        size += f" and {show_bytes(self.working_nbytes)} of sums" if self.working_nbytes else ""
        return f"{', '.join(f'{name}={value!r}' for name, value in self.options.items())}: {size}"


def fitting_choices(planner: Planner, budget: int) -> list[Choice]:
    """Find options that fit a budget.

    Parameters
    ----------
    planner
        Of the run that does not fit.
    budget
        In bytes.

    Returns
    -------
    list of Choice
        Single options that fit, the smallest loss first; where there is none, as few together as fit. Of an option
        that can lose more or less (every second step, every third, ...) what loses least. Empty where nothing fits.
    """
    ways = _ways(planner)
    for together in range(1, len(ways) + 1):
        found = [
            choice
            for several in itertools.combinations(ways, together)
            if len({name for levels in several for name in levels[0]}) == together
            and (choice := _mildest(planner, budget, several)) is not None
        ]
        if found:
            return found[:_NAMED]
    return []


def _mildest(planner: Planner, budget: int, ways: Sequence[list[dict[str, Any]]]) -> Choice | None:
    """Of the levels of several options, those that keep most within the budget."""

    def choice(levels: Iterable[dict[str, Any]]) -> Choice:
        options = {name: value for level in levels for name, value in level.items()}
        plan = planner.plan(**options)
        return Choice(options, plan.nbytes, plan.working_nbytes)

    def fits(choice: Choice) -> bool:
        return choice.nbytes + choice.working_nbytes <= budget

    if not fits(choice(levels[-1] for levels in ways)):  # the harshest of each
        return None
    every = (choice(levels) for levels in itertools.product(*ways))
    return max(filter(fits, every), key=lambda one: one.nbytes, default=None)


def _ways(planner: Planner) -> list[list[dict[str, Any]]]:
    """What can be changed, the smallest loss first; of each its levels, the mildest first."""
    asked = planner.options
    probabilities = {"cross", "image"} & set(asked["kinds"])
    smaller = sorted(DTYPES, key=item_bytes, reverse=True)[1:]
    dtypes = [[{"dtype": name}] for name in smaller]
    ways: list[list[dict[str, Any]]] = [
        *dtypes[:1],
        [{"tokens": "prompt"}],
        *dtypes[1:],
        [{"branches": "cond"}] if "cond" in asked["branches"] else [],
        [{"reduce": ("head",)}] if probabilities else [],
        [{"steps": steps} for steps in _fewer_steps(planner)],
        [{"layers": layers} for layers in _fewer_layers(planner)],
        [{"kinds": ("cross",)}] if "cross" in asked["kinds"] else [],
        [{"reduce": ("head", "step")}] if "self" not in asked["kinds"] else [],
    ]
    ways = [levels for levels in ways if levels and not set(levels[0]) & planner.settled]
    now = planner.plan().peak_nbytes
    return [kept for levels in ways if (kept := [one for one in levels if planner.plan(**one).peak_nbytes < now])]


def _fewer_steps(planner: Planner) -> list[Any]:
    kept = planner.kept_steps(planner.options["steps"])
    strides = [*(stride for stride in _STRIDES if stride < len(kept)), len(kept)]  # the last leaves one step
    gaps = {after - before for before, after in itertools.pairwise(kept)}
    if len(gaps) != 1:
        return [kept[::stride] for stride in strides if stride > 1]
    (gap,) = gaps
    start = kept[0] or None
    stop = None if kept[-1] + gap >= planner.total else kept[-1] + 1
    return [slice(start, stop, gap * stride) for stride in strides]


def _fewer_layers(planner: Planner) -> list[list[str]]:
    """Leave out the finest grid, the two finest, ..."""
    kept = planner.plan().sites
    grids = sorted({one.grid for one in kept}, key=lambda grid: grid[0] * grid[1], reverse=True)
    every = [one.site for one in planner.sites]
    return [
        _globs([one.site for one in kept if one.grid not in grids[:count]], every) for count in range(1, len(grids))
    ]


def _globs(wanted: Sequence[Site], every: Sequence[Site]) -> list[str]:
    """Name layers, by block where all layers of the block are wanted."""
    labels = {site.layer for site in wanted}
    named: dict[str, None] = {}
    for site in wanted:
        block = _block(site)
        whole = block is not None and all(one.layer in labels for one in every if _block(one) == block)
        named[f"{block}.*" if whole else site.layer] = None
    return list(named)


def _block(site: Site) -> str | None:
    if site.place == "mid":
        return "mid"
    return f"{site.place}.{site.block}" if site.place in ("down", "up") else None
