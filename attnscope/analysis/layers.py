"""Self-attention of all layers on one grid: what pixels get, and what one pixel gives or gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from attnscope.errors import UnknownLayerError, choices
from attnscope.maps.resample import resample
from attnscope.maps.schema import LAYER_COORDS, pixel_coords

if TYPE_CHECKING:
    from attnscope.maps.capture import Capture

__all__ = ["pixel_stack", "received_stack"]

#: Labels of one layer and of one cell of it, which say nothing of a stack.
_OF_ONE = {"layer", *LAYER_COORDS, "pixel", "y", "x", "key", "key_y", "key_x"}


def received_stack(cap: Capture, **where: Any) -> xr.DataArray:
    """How much each pixel is looked at, in every layer of self-attention: the sums of the columns.

    The sum over queries is the accumulated score of Zhang et al., H2O (NeurIPS 2023); as a row sums to 1, it is 1
    for all pixels that are looked at evenly, whatever the grid, so that layers can be averaged.

    Parameters
    ----------
    cap
        A capture with self-attention.
    **where
        Labels to select first: ``step``, and ``image`` and ``branch`` where there are several.

    Returns
    -------
    xarray.DataArray
        ``(layer, head, pixel)``, with the dims that were not selected in front; on the finest captured grid, by
        nearest cell. NaN for heads that a layer does not have, and for what was not seen.

    Examples
    --------
    >>> import attnscope
    >>> pipe = attnscope.demo.pipeline()
    >>> with attnscope.capture(pipe, kinds="self", layers="mid.0") as cap:
    ...     image = pipe("a red circle", num_inference_steps=1).images[0]
    >>> float(received_stack(cap, step=0).mean("pixel").isel(layer=0, head=0).round(3))
    1.0
    """
    return _stack(cap, where, lambda layer: layer.sum("pixel", skipna=False), "received attention")


def pixel_stack(
    cap: Capture, uv: Sequence[float], direction: Literal["row", "column"] = "row", **where: Any
) -> xr.DataArray:
    """Where one point of the picture looks, or what looks at it, in every layer of self-attention.

    Parameters
    ----------
    cap
        A capture with self-attention.
    uv
        The point, in [0, 1], ``u`` along x; in each layer it is the cell that holds it.
    direction
        ``"row"``: where it looks. ``"column"``: what looks at it.
    **where
        Labels to select first: ``step``, and ``image`` and ``branch`` where there are several.

    Returns
    -------
    xarray.DataArray
        ``(layer, head, pixel)``, with the dims that were not selected in front; on the finest captured grid, by
        nearest cell. Each layer is multiplied by its number of pixels, so that 1 is an even share in all of them.

    Raises
    ------
    ValueError
        If the direction is another one, or the point lies outside of the picture.

    Examples
    --------
    >>> import attnscope
    >>> pipe = attnscope.demo.pipeline()
    >>> with attnscope.capture(pipe, kinds="self", layers="mid.0") as cap:
    ...     image = pipe("a red circle", num_inference_steps=1).images[0]
    >>> float(pixel_stack(cap, uv=[0.3, 0.9], step=0).mean("pixel").isel(layer=0, head=0).round(3))
    1.0
    """
    if direction not in ("row", "column"):
        msg = f"direction={direction!r} is unknown. {choices(direction, ['row', 'column'])}"
        raise ValueError(msg)
    u, v = uv
    if not (0 <= u <= 1 and 0 <= v <= 1):
        msg = f"uv={list(uv)} lies outside of the picture, which is [0, 1] along both u and v."
        raise ValueError(msg)

    def one(layer: xr.DataArray) -> xr.DataArray:
        rows, columns = layer.attrs["grid"]
        cell = min(rows - 1, int(v * rows)) * columns + min(columns - 1, int(u * columns))
        part = layer.isel({"pixel" if direction == "row" else "key": cell})
        return part * np.float32(rows * columns)

    return _stack(cap, where, one, f"attention, {direction} of one pixel")


def _stack(
    cap: Capture, where: dict[str, Any], reduce: Callable[[xr.DataArray], xr.DataArray], name: str
) -> xr.DataArray:
    labels = [str(label) for label in cap.layers.query("kind == 'self'")["layer"]]
    if not labels:
        msg = f"Self-attention was not captured, but {', '.join(cap.kinds)}. Capture it with kinds=('cross', 'self')."
        raise UnknownLayerError(msg)
    arrays = [cap.layer(label, kind="self") for label in labels]
    finest = max((tuple(array.attrs["grid"]) for array in arrays), key=lambda grid: grid[0] * grid[1])
    heads = max(array.sizes["head"] for array in arrays)
    parts = [_brought(reduce(array.sel(where)), array, finest, heads) for array in arrays]
    stacked: xr.DataArray = xr.concat(parts, "layer", coords="minimal", compat="override", combine_attrs="override")
    return stacked.assign_coords(layer=labels).rename(name)


def _brought(map_: xr.DataArray, layer: xr.DataArray, grid: tuple[int, int], heads: int) -> xr.DataArray:
    """Bring what was made of a layer onto a grid, and give it as many heads as the others have."""
    (cells,) = [dim for dim in map_.dims if dim in ("pixel", "key")]
    size = tuple(layer.attrs["size"])
    plain = xr.DataArray(
        np.asarray(map_.transpose(..., cells).values, dtype=np.float32),
        dims=[*(dim for dim in map_.dims if dim != cells), "pixel"],
        attrs=layer.attrs,
    )
    kept = [name for name, coord in map_.coords.items() if not coord.ndim and name not in _OF_ONE]
    kept += [dim for dim in plain.dims if dim not in ("pixel", "head")]
    plain = plain.assign_coords({name: map_[name].variable for name in kept})
    plain = plain.assign_coords(pixel_coords(tuple(layer.attrs["grid"]), size))
    plain = resample(plain, grid, "nearest")
    return plain.pad(head=(0, heads - plain.sizes["head"])).assign_coords(head=np.arange(heads))
