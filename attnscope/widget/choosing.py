"""What a scope shows of a capture that holds several texts, or frames: one of them, and it says so."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attnscope.errors import NarrowedScopeWarning, ViewError, choices
from attnscope.figures.view import any_array, code
from attnscope.maps.heat import branch_meant
from attnscope.maps.narrow import LEADING, labels, text_dims
from attnscope.maps.tables import contents

if TYPE_CHECKING:
    import xarray as xr

    from attnscope.maps.capture import Capture
    from attnscope.widget.protocol import Kind

__all__ = ["chosen_part", "one_text", "shown_array", "shown_kinds", "source_of"]


def shown_kinds(cap: Capture) -> list[Kind]:
    """Name the kinds of a capture that a scope shows, the first of which it opens with."""
    return [kind for kind in ("cross", "self") if kind in cap.kinds]


def shown_array(cap: Capture) -> xr.DataArray:
    """Maps of one grid, for what all that a scope shows has in common."""
    return any_array(cap, shown_kinds(cap)[0])


def chosen_part(cap: Capture, wished: Mapping[str, Any]) -> dict[str, Any]:
    """Choose along the dims that a scope cannot switch: those along which texts differ, and frames.

    Parameters
    ----------
    cap
        The capture.
    wished
        What was asked for, by dim.

    Returns
    -------
    dict
        For `Capture.sel`; empty where the whole capture can be shown.
    """
    array = shown_array(cap)
    chosen: dict[str, Any] = {}
    for dim in LEADING:
        if dim not in array.dims or not (dim == "frame" or dim in text_dims(array)):
            continue
        there = labels(array, dim)
        first = branch_meant(there) if dim == "branch" else there[0]
        chosen[dim] = wished.get(dim, first)
        if chosen[dim] not in there or isinstance(chosen[dim], bool):
            msg = f"{dim}={chosen[dim]!r} was not captured. {choices(chosen[dim], there)}"
            raise ViewError(msg)
    return chosen


def one_text(cap: Capture, wished: Mapping[str, Any], *, stacklevel: int = 3) -> tuple[Capture, dict[str, Any]]:
    """Narrow a capture to what a scope can show at once; warns where nobody has asked for that part.

    Returns
    -------
    Capture, dict
        The second is what was chosen, for `Capture.sel`.
    """
    chosen = chosen_part(cap, wished)
    if unasked := {dim: label for dim, label in chosen.items() if dim not in wished}:
        array = shown_array(cap)
        others = {dim: next(one for one in labels(array, dim) if one != label) for dim, label in unasked.items()}
        of = ", ".join(f"{dim} {label!r}" for dim, label in chosen.items())
        msg = (
            f"A scope shows one text and one frame at a time, and this capture holds {', '.join(contents(array))}. "
            f"This scope shows {of}; show others with attnscope.Scope({source_of({**chosen, **others})})."
        )
        warnings.warn(msg, NarrowedScopeWarning, stacklevel=stacklevel)
    return (cap.sel(**chosen) if chosen else cap), chosen


def source_of(chosen: Mapping[str, Any], name: str = "cap") -> str:
    """Write the Python that narrows the capture of that name.

    Examples
    --------
    >>> source_of({}), source_of({"branch": "uncond", "image": 0})
    ('cap', 'cap.sel(branch="uncond", image=0)')
    """
    return code([("sel", (), dict(chosen))], name) if chosen else name
