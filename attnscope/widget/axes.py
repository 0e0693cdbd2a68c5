"""The steps, images and branches of a capture: by which label each is asked for, and where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.errors import UnknownLayerError, ViewError, choices

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr

__all__ = ["Axes", "a_layer", "a_part", "place_among"]


class Axes:
    """What all grids and kinds of a capture have in common.

    Parameters
    ----------
    array
        Maps of any grid and kind.
    """

    def __init__(self, array: xr.DataArray) -> None:
        self.steps = [int(step) for step in array["step"].values]
        self.images = [str(one) for one in np.atleast_1d(array["image"].values)] if "image" in array.coords else ["0"]
        self.branches = (
            [str(one) for one in np.atleast_1d(array["branch"].values)] if "branch" in array.coords else ["cond"]
        )

    def at(self, step: Any, image: Any, branch: Any) -> dict[str, int]:
        """Find where something lies, by dim.

        Raises
        ------
        ViewError
            If it was not captured.
        """
        return {"step": place_among(step, self.steps, "step"), **self.row(image, branch)}

    def row(self, image: Any, branch: Any) -> dict[str, int]:
        """Find where an image and a branch lie, by dim."""
        if isinstance(image, bool) or not isinstance(image, (int, np.integer)) or not 0 <= image < len(self.images):
            msg = f"image {image!r} was not captured. Available: 0 to {len(self.images) - 1}."
            raise ViewError(msg)
        return {"image": int(image), "branch": place_among(branch, self.branches, "branch")}


def place_among(value: Any, labels: list[Any], name: str) -> int:
    """Find a label.

    Raises
    ------
    ViewError
        If it is none.
    """
    if value not in labels or isinstance(value, bool):
        msg = f"{name} {value!r} was not captured. {choices(value, labels)}"
        raise ViewError(msg)
    return labels.index(value)


def a_layer(label: Any, available: Iterable[str], kind: str) -> str:
    """Check the label of a layer.

    Raises
    ------
    UnknownLayerError
        If it is none.
    """
    if not isinstance(label, str) or label not in (available := list(available)):
        of = "" if kind == "cross" else f" of {kind}-attention"
        msg = f"No captured layer{of} is called {label!r}. {choices(label, available)}"
        raise UnknownLayerError(msg)
    return label


def a_part(value: Any, size: int, what: str) -> int:
    """Check the part of an item: a head or a cell; ``what`` begins the sentence that says what there is.

    Raises
    ------
    ViewError
        If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < size:
        msg = f"part={value!r} does not exist. {what} 0 to {size - 1}."
        raise ViewError(msg)
    return int(value)
