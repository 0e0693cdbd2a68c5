"""An xarray index that never drops its dimension and takes repeated labels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from xarray.core.indexing import IndexSelResult
from xarray.indexes import PandasIndex

from attnscope.errors import UnknownWordError, choices

__all__ = ["GroupIndex"]


class GroupIndex(PandasIndex):
    """Select by a coordinate that names groups, such as ``place`` or ``word``.

    ``.sel(word="red")`` gives every token of every "red", as ``.sel(word=["red", "blue"])`` gives those of both, in
    the array's own order. xarray's own index would drop the dimension where one entry matches, and refuse lists.
    """

    def sel(
        self, labels: dict[Hashable, Any], method: str | None = None, tolerance: float | None = None
    ) -> IndexSelResult:
        """Find the positions of one label or several."""
        ((name, label),) = labels.items()
        if method is not None or tolerance is not None:
            msg = f"{name!r} holds names, not places on a scale: method= and tolerance= have no meaning for it."
            raise ValueError(msg)
        if isinstance(label, (slice, Mapping)):
            msg = f".sel({name}=...) takes one label or a list of labels, not {label!r}."
            raise TypeError(msg)
        wanted = np.atleast_1d(np.asarray(getattr(label, "values", label)))
        if wanted.size == 0:
            msg = f".sel({name}=...) got an empty list. {choices('', self.index)}"
            raise UnknownWordError(msg)
        for one in wanted.tolist():
            if one not in self.index:
                msg = f"No {name} is {one!r}. {choices(one, self.index)}"
                raise UnknownWordError(msg)
        return IndexSelResult({self.dim: np.flatnonzero(self.index.isin(wanted))})
