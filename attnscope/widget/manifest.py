"""What was captured, for the browser: the manifest, and the pictures beside it."""

from __future__ import annotations

import io
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.figures.view import heading
from attnscope.widget.anatomy import has_anatomy
from attnscope.widget.choosing import shown_array
from attnscope.widget.protocol import PROTOCOL

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import xarray as xr

    from attnscope.maps.capture import Capture
    from attnscope.widget.packets import Packets
    from attnscope.widget.protocol import LayerEntry, Manifest, StepEntry, TokenEntry

__all__ = ["manifest", "mass_row", "nothing", "step_entry"]

#: The sparklines read every kept map once. Beyond this many bytes the finest layers go without.
_MASS_BYTES = 1_000_000_000
#: The same where they must be read from disk first.
_MASS_BYTES_STORED = 100_000_000


def manifest(
    cap: Capture,
    packets: Packets,
    mass: dict[str, list[list[float | None]]] | None = None,
    *,
    other: Manifest | None = None,
) -> tuple[Manifest, bytes]:
    """Describe a capture.

    Parameters
    ----------
    cap, packets
        The capture, and its reader.
    mass
        Mean of each layer, step and token, where it is known; else all maps are read for it.
    other
        Of the second capture.

    Returns
    -------
    Manifest, bytes
        The second is the final picture of every image as PNG, one after the other.
    """
    attrs, images, branches = cap.attrs, packets.axes.images, packets.axes.branches
    pictures, where = _pictures(cap, len(images))
    array = shown_array(cap)
    tokens = _tokens(cap.tokens) if "cross" in packets.kinds else []
    height, width = array.attrs["size"]
    previews = cap.previews
    # A view of another branch has the words of that branch's text, which is no prompt.
    plain = "cross" not in packets.kinds or branches in (["unknown"], ["perturbed"]) or "cond" in branches
    prompt = _text(attrs.get("prompt")) if plain else None
    title = prompt or (str(attrs.get("model") or "attention") if plain else heading(cap))
    described: Manifest = {
        "protocol": PROTOCOL,
        "version": _version(),
        "title": title,
        "prompt": prompt,
        "negative_prompt": _text(attrs.get("negative_prompt")),
        "model": str(attrs.get("model") or ""),
        "scheduler": _text(attrs.get("scheduler")),
        "guidance_scale": number(attrs.get("guidance_scale")),
        # A list where every picture has a seed of its own.
        "seed": attrs["seed"] if isinstance(attrs.get("seed"), int) else None,
        "width": int(width),
        "height": int(height),
        "images": images,
        "branches": branches,
        "pictures": where,
        "preview": None if previews is None else [int(previews.sizes["row"]), int(previews.sizes["column"])],
        "steps": _steps(array),
        "run_steps": None if attrs.get("steps") is None else int(attrs["steps"]),
        "averaged_steps": attrs.get("averaged_steps"),
        "kinds": packets.kinds,
        "tokens": tokens,
        "tokens_known": bool(attrs.get("tokens_known", True)),
        "truncated": _text(attrs.get("truncated")),
        "layers": _layers(cap.layers, packets, averaged="head" in attrs.get("reduced", ())),
        "missing": cap.missing_sites.to_dict("records"),  # type: ignore[typeddict-item]
        "mass": _mass(packets, len(tokens)) if mass is None else mass,
        "anatomy": has_anatomy(cap),
        "parts": False,
        "other": other,
        "source": "cap",
        "live": False,
        "note": "",
    }
    return described, pictures


def nothing(title: str, note: str, *, live: bool) -> Manifest:
    """Describe a capture that holds no step.

    Parameters
    ----------
    title, note
        What the scope says, and what it adds in small.
    live
        Whether there will be steps.
    """
    return {
        "protocol": PROTOCOL,
        "version": _version(),
        "title": title,
        "prompt": None,
        "negative_prompt": None,
        "model": "",
        "scheduler": None,
        "guidance_scale": None,
        "seed": None,
        "width": 1,
        "height": 1,
        "images": [],
        "branches": [],
        "pictures": [],
        "preview": None,
        "steps": [],
        "run_steps": None,
        "averaged_steps": None,
        "kinds": [],
        "tokens": [],
        "tokens_known": True,
        "truncated": None,
        "layers": [],
        "missing": [],
        "mass": {},
        "anatomy": False,
        "parts": False,
        "other": None,
        "source": "cap",
        "live": live,
        "note": note,
    }


def step_entry(step: int, timestep: float | None, sigma: float | None) -> StepEntry:
    """Describe a step."""
    return {"step": int(step), "timestep": number(timestep), "sigma": number(sigma, 6)}


def number(value: Any, digits: int | None = None) -> float | None:
    """Make a JSON number; None for what JSON cannot say."""
    if value is None or not math.isfinite(value):
        return None
    value = float(value) if digits is None else float(f"{float(value):.{digits}g}")
    return int(value) if value == int(value) else value


def _version() -> str:
    import attnscope

    return attnscope.__version__


def _text(value: Any) -> str | None:
    if isinstance(value, (list, tuple)):
        return " | ".join(str(one) for one in value)
    return None if value is None else str(value)


def _pictures(cap: Capture, images: int) -> tuple[bytes, list[list[int]]]:
    files, where, end = [], [], 0
    pictures = cap.images
    # Where views of one panorama are captured as images, none of them is the picture.
    for picture in pictures if len(pictures) == images else []:
        file = io.BytesIO()
        picture.save(file, "PNG")
        files.append(file.getvalue())
        where.append([end, len(files[-1])])
        end += len(files[-1])
    return b"".join(files), where


def _steps(array: xr.DataArray) -> list[StepEntry]:
    nothing = np.full(array.sizes["step"], np.nan)
    timesteps = array["timestep"].values if "timestep" in array.coords else nothing
    sigmas = array["sigma"].values if "sigma" in array.coords else nothing
    return [
        step_entry(step, timestep, sigma)
        for step, timestep, sigma in zip(array["step"].values, timesteps, sigmas, strict=True)
    ]


def _tokens(table: pd.DataFrame) -> list[TokenEntry]:
    return [
        {
            "token": int(row["token"]),
            "text": str(row["token_text"]),
            "word": str(row["word"]),
            "word_index": int(row["word_index"]),
            "kind": row["token_kind"],
            "count": int(row["token_count"]),
        }
        for row in table.to_dict("records")
    ]


def _layers(table: pd.DataFrame, packets: Packets, *, averaged: bool) -> list[LayerEntry]:
    stored: dict[Any, Callable[[str], str]] = {
        kind: packets.cross.stored if kind == "cross" else packets.pixels.stored for kind in packets.kinds
    }
    return [
        {
            "layer": str(row["layer"]),
            "kind": str(row["kind"]),
            "place": str(row["place"]),
            "block": None if row["block"] < 0 else int(row["block"]),
            "attention": int(row["attention"]),
            "depth": None if row["depth"] is None or row["depth"] < 0 else int(row["depth"]),
            "module": str(row["module"]),
            "height": int(row["height"]),
            "width": int(row["width"]),
            "heads": int(row["heads"]),
            # Queries and keys have no mean.
            "single_heads": 0 if averaged and row["kind"] == "cross" else int(row["heads"]),
            "head_width": int(row["head_width"]),
            "stored": stored[row["kind"]](row["layer"]),
        }
        for row in table.to_dict("records")
        if row["kind"] in stored
    ]


def mass_row(means: np.ndarray) -> list[float | None]:
    """Round the means of all tokens for the wire; None where the layer was not seen."""
    return [number(value, 3) for value in means]


def _mass(packets: Packets, tokens: int) -> dict[str, list[list[float | None]]]:
    if "cross" not in packets.kinds:
        return {}
    cross, steps = packets.cross, packets.axes.steps
    room, affordable = _MASS_BYTES if cross.in_memory else _MASS_BYTES_STORED, []
    for layer in sorted(cross.layers, key=cross.cells):
        room -= 2 * cross.cells(layer) * len(steps) * tokens
        affordable += [layer] if room >= 0 else []

    def rows(layer: str) -> list[list[float | None]]:
        return [mass_row(cross.mass(layer, step)) for step in steps]

    # numpy lets go of the interpreter while it sums, so layers can be read side by side.
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(affordable, pool.map(rows, affordable), strict=True))
