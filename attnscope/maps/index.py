"""An xarray index that never drops its dimension and takes repeated labels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from xarray.core.indexing import IndexSelResult
from xarray.indexes import Index, PandasIndex

from attnscope.errors import UnknownWordError, choices

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["GroupIndex", "SeveralTexts"]


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


class SeveralTexts(Index):
    """A coordinate of ``token`` that differs along other dims: another prompt for each image, or branch.

    Once those are chosen it is a `GroupIndex`; before, ``.sel(word=...)`` would not be one choice, and says so.
    """

    def __init__(self, name: Hashable, variable: xr.Variable) -> None:
        self.name, self.variable = name, variable

    @classmethod
    def from_variables(cls, variables: Mapping[Any, xr.Variable], *, options: Mapping[str, Any]) -> SeveralTexts:
        """Index one coordinate."""
        ((name, variable),) = variables.items()
        return cls(name, variable)

    def create_variables(self, variables: Mapping[Any, xr.Variable] | None = None) -> dict[Hashable, xr.Variable]:
        """Give the coordinate back."""
        return {self.name: self.variable}

    def isel(self, indexers: Mapping[Any, Any]) -> Index | None:
        """Choose along any dims."""
        rest = self.variable.isel(indexers)
        if rest.ndim > 1:
            return SeveralTexts(self.name, rest)
        return GroupIndex.from_variables({self.name: rest}, options={}) if rest.ndim == 1 else None

    def sel(self, labels: dict[Any, Any], **kwargs: Any) -> IndexSelResult:
        """Say what to choose first."""
        others = [str(dim) for dim in self.variable.dims if dim != "token"]
        first = ", ".join(f"{dim}=..." for dim in others)
        msg = (
            f"The texts differ along {' and '.join(others)}, so {self.name}={next(iter(labels.values()))!r} is not one "
            f"choice of tokens. Choose those first: .sel({first}).sel({self.name}=...)."
        )
        raise UnknownWordError(msg)

    def equals(self, other: Index, *, exclude: frozenset[Hashable] | None = None) -> bool:
        """Whether the texts are the same."""
        return isinstance(other, SeveralTexts) and self.variable.equals(other.variable)

    def rename(self, name_dict: Mapping[Any, Hashable], dims_dict: Mapping[Any, Hashable]) -> SeveralTexts:
        """Rename dims and the coordinate."""
        renamed = self.variable.copy(deep=False)
        renamed.dims = [dims_dict.get(dim, dim) for dim in self.variable.dims]
        return SeveralTexts(name_dict.get(self.name, self.name), renamed)
