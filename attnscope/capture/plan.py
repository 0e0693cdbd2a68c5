"""How much memory a capture takes, from shapes alone: no model, no tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

import pandas as pd

from attnscope.capture.options import REDUCE
from attnscope.capture.sizes import show_bytes
from attnscope.errors import choices

if TYPE_CHECKING:
    from attnscope.capture.sites import Site

__all__ = ["Plan", "SiteShape", "dtype_name", "item_bytes"]

_ITEM_BYTES = {"uint8": 1, "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
#: Log-sum-exps are float32, whatever the model is; so are biases, and sums over steps.
_SUM_BYTES = 4
#: The order of a table's rows, the last kind first.
_KINDS = ("self", "image", "cross")


@dataclass(frozen=True)
class SiteShape:
    """The attention that a site computes in a call of the model.

    Parameters
    ----------
    site
        Which one.
    kind
        ``"cross"``, ``"self"`` or ``"image"``, as the call was.
    grid
        Rows and columns of its queries.
    head_width
        Width of a head.
    keys
        Number of its keys.
    joint
        Of cross-attention, whether the pixels behind the text are in its softmax: one column more sums them.
    masked
        Whether there is a mask, which self-attention is kept with.
    """

    site: Site
    kind: str
    grid: tuple[int, int]
    head_width: int
    keys: int
    joint: bool = False
    masked: bool = False


@dataclass(frozen=True, repr=False)
class Plan:
    """What a capture is going to keep, and how many bytes that takes.

    Made by `attnscope.estimate`, and found in ``BudgetError.plan``.

    Parameters
    ----------
    sites
        The attention that is kept.
    rows
        Batch rows that are kept: branches times images times frames.
    steps
        Number of steps that are kept.
    tokens
        Number of columns that are kept of each kind of attention that is kept as probabilities.
    dtype
        In which probabilities are kept: ``"float16"``, ``"float32"`` or ``"uint8"``.
    model_dtype
        In which the model computes, and so queries and keys are kept.
    reduce
        Dims over which the mean of probabilities is kept: any of ``"head"`` and ``"step"``. Self-attention has none.
    notes
        What had to be assumed.

    Raises
    ------
    ValueError
        If ``dtype``, ``model_dtype`` or ``reduce`` is none of these.

    Examples
    --------
    >>> from attnscope.capture.sites import Site
    >>> site = Site("mid.0", "cross", "mid", -1, 0, 0, "mid_block.attn2", "mid_block", heads=8)
    >>> plan = Plan((SiteShape(site, "cross", (8, 8), 160, 77),), rows=1, steps=50, tokens={"cross": 77})
    >>> plan.nbytes == 50 * 8 * 64 * 77 * 2
    True
    >>> plan
    <attnscope.Plan: 3.94 MB: 50 steps of 78.8 kB, 1 row, 77 tokens, float16>
     kind grid  layers  heads  a step   bytes
    cross  8x8       1      8 78.8 kB 3.94 MB
    """

    sites: tuple[SiteShape, ...]
    rows: int
    steps: int
    tokens: Mapping[str, int]
    dtype: str = "float16"
    model_dtype: str = "float32"
    reduce: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        for name in self.reduce:
            if name not in REDUCE:
                msg = f"reduce={name!r} is not available. {choices(name, REDUCE)}"
                raise ValueError(msg)
        for name in (self.dtype, self.model_dtype):
            item_bytes(name)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each kind and grid, the finest first.

        * ``kind``, ``grid``: as in `Capture.tree`.
        * ``layers``: how many share the grid.
        * ``heads``: the largest number among them.
        * ``bytes_per_step``: of one step.
        * ``nbytes``: of all that are kept.
        """
        rows = []
        by_node = sorted(self.sites, key=lambda one: (_KINDS.index(one.kind), one.grid), reverse=True)
        for (kind, grid), group in groupby(by_node, lambda one: (one.kind, one.grid)):
            layers = list(group)
            each = self._step_bytes(kind, grid, layers)
            steps = min(self.steps, 1) if kind != "self" and "step" in self.reduce else self.steps
            heads = max(one.site.heads for one in layers)
            rows.append((kind, f"{grid[0]}x{grid[1]}", len(layers), heads, each, each * steps))
        return pd.DataFrame(rows, columns=["kind", "grid", "layers", "heads", "bytes_per_step", "nbytes"])

    @cached_property
    def nbytes(self) -> int:
        """Bytes of all that is kept; what `Capture.nbytes` is going to say."""
        return sum(self.table["nbytes"].tolist())

    @cached_property
    def bytes_per_step(self) -> int:
        """Bytes of one step."""
        return sum(self.table["bytes_per_step"].tolist())

    @cached_property
    def working_nbytes(self) -> int:
        """Bytes of the float32 sums that means over steps are made of; given back when the run ends."""
        if "step" not in self.reduce or not self.steps:
            return 0
        return sum(
            self.rows
            * (1 if "head" in self.reduce else one.site.heads)
            * one.grid[0]
            * one.grid[1]
            * self.tokens[one.kind]
            * _SUM_BYTES
            for one in self.sites
            if one.kind != "self"
        )

    @property
    def peak_nbytes(self) -> int:
        """Bytes of all that is kept, and of sums beside it; what a budget bounds."""
        return self.nbytes + self.working_nbytes

    def _step_bytes(self, kind: str, grid: tuple[int, int], layers: Sequence[SiteShape]) -> int:
        pixels = grid[0] * grid[1]
        if kind == "self":
            # Each layer has arrays of its own: queries, keys and log-sum-exps, and a bias where there is a mask.
            two = 2 * item_bytes(self.model_dtype)
            each = [
                one.site.heads * pixels * (two * one.head_width + _SUM_BYTES) + one.masked * pixels * _SUM_BYTES
                for one in layers
            ]
            return self.rows * sum(each)
        # One array for all layers of a grid, as many heads in it as the layer has that has most.
        heads = 1 if "head" in self.reduce else max(one.site.heads for one in layers)
        return self.rows * len(layers) * heads * pixels * self.tokens[kind] * item_bytes(self.dtype)

    # --- shown --------------------------------------------------------------------------------------------------

    def _title(self) -> str:
        kept = [f"{_count(self.steps, 'step')} of {show_bytes(self.bytes_per_step)}", _count(self.rows, "row")]
        kinds = set(self.table["kind"])
        probabilities = [kind for kind in self.tokens if kind in kinds]
        kept += [_count(self.tokens[kind], "token") for kind in probabilities]
        kept += [self.dtype] if probabilities else []
        kept += [f"queries and keys in {self.model_dtype}"] if "self" in kinds else []
        kept += [f"mean over {' and '.join(self.reduce)}"] if self.reduce and probabilities else []
        kept += [f"and {show_bytes(self.working_nbytes)} of sums until it ends"] if self.working_nbytes else []
        return f"{show_bytes(self.nbytes)}: {', '.join(kept)}"

    def _shown(self) -> pd.DataFrame:
        shown = self.table.assign(
            bytes_per_step=self.table["bytes_per_step"].map(show_bytes), nbytes=self.table["nbytes"].map(show_bytes)
        )
        return shown.rename(columns={"bytes_per_step": "a step", "nbytes": "bytes"})

    def __repr__(self) -> str:
        table = [self._shown().to_string(index=False)] if len(self.table) else []
        return "\n".join([f"<attnscope.Plan: {self._title()}>", *table, *self.notes])

    def _repr_html_(self) -> str:
        paragraphs = [f"<p><b>attnscope.Plan</b>: {escape(self._title())}</p>", self._shown().to_html(index=False)]
        return "".join(paragraphs + [f"<p>{escape(note)}</p>" for note in self.notes])


def item_bytes(dtype: str) -> int:
    """Bytes of one number.

    Raises
    ------
    ValueError
        If there is no such dtype.
    """
    if dtype not in _ITEM_BYTES:
        msg = f"dtype={dtype!r} is not available. {choices(dtype, _ITEM_BYTES)}"
        raise ValueError(msg)
    return _ITEM_BYTES[dtype]


def dtype_name(dtype: object) -> str:
    """Name a dtype of torch or numpy, or one that is already a name.

    Examples
    --------
    >>> import numpy as np
    >>> [dtype_name(one) for one in ("float16", np.float16, np.dtype("float16"))]
    ['float16', 'float16', 'float16']
    """
    name = str(dtype).removeprefix("torch.")
    return name if name in _ITEM_BYTES else getattr(dtype, "__name__", name)


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
