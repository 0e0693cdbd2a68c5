"""Which tokens count: maps without some of them, and maps divided by the sum over those that are left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnscope.errors import choices

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["drop_tokens", "positions", "renormalise"]

_KINDS = ("bos", "eos", "pad")


def drop_tokens(maps: xr.DataArray, kinds: Sequence[str]) -> xr.DataArray:
    """Leave tokens out by their kind.

    Parameters
    ----------
    maps
        Cross-attention ``(..., token)``.
    kinds
        Any of ``"bos"``, ``"eos"``, ``"pad"``.

    Returns
    -------
    xarray.DataArray
        The same without these columns; values are as they were.

    Raises
    ------
    ValueError
        If a kind is another one, or nothing would be left.

    Examples
    --------
    >>> import xarray as xr
    >>> maps = xr.DataArray([[0.5, 0.125, 0.375]], dims=("pixel", "token"))
    >>> maps = maps.assign_coords(token_kind=("token", ["bos", "prompt", "eos"]))
    >>> drop_tokens(maps, ["bos", "eos"]).values.tolist()
    [[0.125]]
    """
    return maps.isel(token=np.flatnonzero(_counting(maps, kinds)))


def renormalise(maps: xr.DataArray, *, drop: Sequence[str] = ()) -> xr.DataArray:
    """Divide by the sum over the tokens that count, for each pixel by itself.

    ``p'_t = p_t / sum_s p_s``, ``s`` over all tokens but those of the kinds in ``drop``: the share that a token has of
    what is looked at beside them. The first token takes most of the attention, as Xiao et al., Efficient Streaming
    Language Models with Attention Sinks (ICLR 2024), found; without it the words can be compared.

    Parameters
    ----------
    maps
        Cross-attention ``(..., token)`` with every token.
    drop
        Kinds that do not count: any of ``"bos"``, ``"eos"``, ``"pad"``.

    Returns
    -------
    xarray.DataArray
        The same dims; the tokens that count sum to 1, those that do not are divided by the same sum. NaN where the
        sum is 0.

    Raises
    ------
    ValueError
        If a kind is another one, or no token would count.

    Examples
    --------
    >>> import xarray as xr
    >>> maps = xr.DataArray([[0.5, 0.125, 0.375]], dims=("pixel", "token"))
    >>> maps = maps.assign_coords(token_kind=("token", ["bos", "prompt", "eos"]))
    >>> renormalise(maps, drop=["bos"]).values.tolist()
    [[1.0, 0.25, 0.75]]
    """
    total = drop_tokens(maps, drop).sum("token", skipna=False)
    return (maps / total.where(total > 0)).assign_attrs(maps.attrs)


def positions(maps: xr.DataArray, *, drop: Sequence[str] = ()) -> int:
    """Count the positions of the text that a pixel can look at; chance is 1 divided by it.

    Parameters
    ----------
    maps
        Cross-attention ``(..., token)``; a column may stand for several positions, as that of the padding does.
    drop
        Kinds that do not count: any of ``"bos"``, ``"eos"``, ``"pad"``.

    Examples
    --------
    >>> import xarray as xr
    >>> maps = xr.DataArray([[0.5, 0.125, 0.375]], dims=("pixel", "token"))
    >>> maps = maps.assign_coords(token_kind=("token", ["bos", "prompt", "pad"]), token_count=("token", [1, 1, 75]))
    >>> positions(maps), positions(maps, drop=["pad"])
    (77, 2)
    """
    return int(drop_tokens(maps, drop)["token_count"].sum())


def _counting(maps: xr.DataArray, kinds: Sequence[str]) -> np.ndarray:
    for kind in kinds:
        if kind not in _KINDS:
            msg = f"Tokens of kind {kind!r} cannot be left out. {choices(kind, _KINDS)}"
            raise ValueError(msg)
    counting: np.ndarray = ~np.isin(maps["token_kind"].values, list(kinds)) if kinds else np.ones(len(maps.token), bool)
    if not counting.any():
        msg = f"Nothing is left without {', '.join(kinds)}: every token is of these kinds."
        raise ValueError(msg)
    return counting
