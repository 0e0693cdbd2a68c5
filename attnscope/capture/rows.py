"""Which rows of a call's batch are kept, and where they lie in the arrays."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.capture.recording import Row
from attnscope.capture.stores import QueriesKeys
from attnscope.errors import CaptureError, LateBranchWarning

if TYPE_CHECKING:
    from torch import Tensor

    from attnscope.capture.options import Options
    from attnscope.capture.recording import Recording
    from attnscope.capture.run import Run

__all__ = ["Rows"]


class Rows:
    """Reads the batch of every call, and keeps the rows of the branches that are asked for.

    Parameters
    ----------
    recording
        Its rows are those of the first call that is kept.
    options
        What to keep.
    """

    run: Run

    def __init__(self, recording: Recording, options: Options) -> None:
        self._recording, self._options = recording, options
        #: Those of them that are kept, in the order of the arrays.
        self.kept: list[int] = []
        self._places: dict[int, int] = {}
        #: Rows of the batch that attention modules get.
        self.batch = 0
        #: Steps in which a branch that is kept was not.
        self.absent: dict[str, list[int]] = {}
        self._why = ""
        self._shape: tuple[int, ...] | None = None

    def begin(self, model: Any, sample: Tensor, text: Any, step: int) -> None:
        """Read the batch of the call that begins.

        Parameters
        ----------
        model
            The denoiser.
        sample
            Latents ``(batch, channel, row, column)``, or ``(batch, channel, frame, row, column)``, or frame first.
        text
            Embeddings that the model is called with.
        step
            Number of the call.
        """
        frames = _frames(model, sample)
        self.batch = sample.shape[0] * (frames or 1)
        every = self.run.branches.rows(sample.shape[0], text if hasattr(text, "shape") else None, frames)
        wanted = [] if every is None else [(index, row) for index, row in enumerate(every) if self._wants(row, every)]
        self._why = self._refusal(sample.shape[0], every)
        if wanted:
            self._check_shape(max(row.image for _, row in wanted) + 1, *sample.shape[2:])
        if wanted and not self._recording.rows:
            self._recording.rows = self._combined([row for _, row in wanted])
        place = {row: index for index, row in enumerate(self._recording.rows)}
        if late := {row.branch for _, row in wanted if row not in place}:
            msg = f"The branch {' and '.join(sorted(late))} began after the first step that is kept, and is not kept."
            warnings.warn(msg, LateBranchWarning, stacklevel=2)
        for branch in dict.fromkeys(row.branch for row in self._recording.rows):
            if wanted and all(row.branch != branch for _, row in wanted):
                self.absent.setdefault(branch, []).append(step)
        self._places = {index: place[row] for index, row in wanted if row in place}
        self.kept = sorted(self._places, key=self._places.__getitem__)

    def reason(self, batch: int) -> str | None:
        """Why a module that is called with so many rows cannot be kept."""
        if not self.kept:
            return self._why
        if batch != self.batch:
            return f"it was called with {batch} rows, and the model with {self.batch}"
        return None

    def places(self, rows: list[int]) -> list[int]:
        """Where these rows of the batch lie in the arrays."""
        return [self._places[row] for row in rows]

    def spread(self, seen: Any, places: list[int]) -> Any:
        """Lay rows where they belong: ``(seen row, ...)`` to ``(row, ...)``, NaN where nothing was seen."""
        count = len(self._recording.rows)
        if places == list(range(count)):
            return seen
        if isinstance(seen, QueriesKeys):
            parts = {name: getattr(seen, name) for name in ("query", "key", "sums", "bias")}
            missing = {"sums": np.nan}
            laid = {
                name: None if part is None else _laid(part, places, count, missing.get(name, 0))
                for name, part in parts.items()
            }
            return replace(seen, **laid)
        return _laid(seen, places, count, np.nan)

    def _wants(self, row: Row, every: list[Row]) -> bool:
        if self._options.layout is None and row.branch == "unknown":
            return True
        wanted = self._options.branches
        if row.branch in wanted or row.branch.partition(" ")[0] != "edit":
            return row.branch in wanted
        # Where only edits are conditional (LEDITS++), they are what is meant.
        return "edit" in wanted or ("cond" in wanted and all(other.branch != "cond" for other in every))

    def _combined(self, rows: list[Row]) -> list[Row]:
        """All combinations of their branches, images and frames, branches in the order in which they were asked for."""
        asked = {name: index for index, name in enumerate(self._options.branches)}
        # A branch may come with a later call of the model: attend-and-excite looks at the prompt alone first.
        later = self.run.branches.known & asked.keys() if self._options.layout is None else set()
        there = dict.fromkeys([row.branch for row in rows]) | dict.fromkeys(sorted(later))
        branches = sorted(there, key=lambda name: asked.get(name, len(asked)))
        images = sorted({row.image for row in rows})
        frames = list(dict.fromkeys(row.frame for row in rows))
        return [Row(*one) for one in product(branches, images, frames)]

    def _check_shape(self, *shape: int) -> None:
        """One capture has one shape: arrays are not ragged."""
        if self._shape is None:
            self._shape = shape
        if shape[0] > self._shape[0] or shape[1:] != self._shape[1:]:
            one, two = (
                f"{count} picture(s) with latents of {'x'.join(map(str, sizes))}"
                for count, *sizes in (self._shape, shape)
            )
            msg = f"This capture holds {one}; this call has {two}. Use a `with attnscope.capture(...)` block for each."
            raise CaptureError(msg)

    def _refusal(self, batch: int, every: list[Row] | None) -> str:
        if every is None:
            return (
                f"a batch of {batch} rows for {self.run.branches.images} picture(s), guidance "
                f"{self.run.guidance()}, does not tell whose each row is; say it with layout="
            )
        there = ", ".join(repr(name) for name in dict.fromkeys(row.branch for row in every))
        return f"the call has rows of {there}, and branches={self._options.branches!r} was asked for"


def _frames(model: Any, sample: Tensor) -> int | None:
    if sample.ndim != 5:
        return None
    # Stable Video Diffusion has frames before channels; the other video models have them behind.
    return sample.shape[1] if "SpatioTemporal" in type(model).__name__ else sample.shape[2]


def _laid(part: np.ndarray, places: list[int], count: int, missing: float) -> np.ndarray:
    whole = np.full((count, *part.shape[1:]), missing, part.dtype)
    whole[places] = part
    return whole
