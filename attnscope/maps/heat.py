"""The heat map of a word: its tokens summed, then the mean over steps, layers and heads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from attnscope.errors import UnknownWordError
from attnscope.maps.narrow import labels, text_dims
from attnscope.maps.resample import How, resample
from attnscope.maps.schema import parse_grid
from attnscope.maps.words import word_positions

if TYPE_CHECKING:
    import pandas as pd

    from attnscope.maps.capture import Capture

__all__ = ["branch_meant", "elsewhere", "heat_of"]


def heat_of(
    cap: Capture, arrays: list[xr.DataArray], word: str, occurrence: int | None, grid: Any, how: How
) -> xr.DataArray:
    """Make the heat map; see `Capture.word`.

    Parameters
    ----------
    cap
        The capture, of one branch.
    arrays
        Its maps over the text.
    word, occurrence
        Which word.
    grid, how
        Grid of the result, None for the finest, and the way onto it.
    """
    if "image" not in text_dims(arrays[0]):
        return _one_text(arrays, word, word_positions(cap.tokens, word, occurrence), grid, how)
    each = {image: cap.sel(image=image) for image in labels(arrays[0], "image")}
    positions: dict[Any, list[int]] = {}
    wrong: list[UnknownWordError] = []
    for image, one in each.items():
        try:
            positions[image] = word_positions(one.tokens, word, occurrence)
        except UnknownWordError as error:
            wrong.append(error)
    if wrong and not positions:
        msg = f"In no image: {wrong[0]}"
        raise UnknownWordError(msg)
    if wrong:
        without = [image for image in each if image not in positions]
        msg = (
            f"The prompts differ, and {word!r} is in those of image {_listed(list(positions))}, not in those of image "
            f"{_listed(without)}. Choose an image first: cap.sel(image={next(iter(positions))}).word({word!r})."
        )
        raise UnknownWordError(msg)
    maps = [one.word(word, occurrence, size=grid, how=how) for one in each.values()]
    heat = xr.concat(maps, "image", coords="minimal", compat="override", combine_attrs="override")
    heat = heat.assign_coords(image=list(each))
    tokens = list(positions.values())
    same = all(one == tokens[0] for one in tokens)
    whole = {name: value for name, value in arrays[0].attrs.items() if name in ("prompt", "negative_prompt", "seed")}
    return heat.assign_attrs(**whole, token=tokens[0] if same else tokens)


def branch_meant(several: Sequence[str]) -> str:
    """Choose the conditional branch of several; the first where none is called so."""
    return "cond" if "cond" in several else several[0]


def elsewhere(tokens: pd.DataFrame, word: str, branch: str) -> str:
    """Say in which other branch a word is; nothing where it is in none."""
    if "branch" not in tokens:
        return ""
    found = tokens[tokens["word"].str.casefold() == word.strip().casefold()]["branch"].tolist()
    others = [name for name in found if name != branch][:1]
    return "".join(f" It is a word of branch {name!r}: cap.sel(branch={name!r}).word({word!r})." for name in others)


def _one_text(arrays: list[xr.DataArray], word: str, positions: list[int], grid: Any, how: How) -> xr.DataArray:
    size = tuple(arrays[0].attrs["grid"]) if grid is None else parse_grid(grid)
    total, layers = xr.DataArray(0.0), 0
    for array in arrays:
        maps = array.sel(token=positions).sum("token", skipna=False, keep_attrs=True)
        maps = maps.mean(("step", "head"), keep_attrs=True)
        seen = maps.dropna("layer", how="all")
        layers += seen.sizes["layer"]
        total = total + resample(seen.sum("layer", keep_attrs=True), size, how)
    heat = (total / layers).unstack("pixel")
    return heat.rename(f"attention to {word}").assign_attrs(word=word, token=positions, layers=layers)


def _listed(images: list[Any]) -> str:
    return " and ".join(map(str, images)) if len(images) < 3 else ", ".join(map(str, images))
