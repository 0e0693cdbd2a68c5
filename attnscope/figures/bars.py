"""The tokens' bars beside a map: what each token has at a point, in a box, or on the whole map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.figures.layout import clip, text_width
from attnscope.figures.shown import field, without
from attnscope.figures.spec import Bar, Bars, Box
from attnscope.figures.view import cell_at, cells_in

if TYPE_CHECKING:
    from attnscope.figures.shown import Shown

__all__ = ["token_bars"]

_MOST = 14


def token_bars(shown: Shown, box: Box) -> tuple[Bars, float]:
    """Describe the bars of a view of words; also gives where they end."""
    cap, view = shown.cap, shown.view
    values = shown.values if view.strongest else field(cap, view.at(token=()))
    table = without(cap.tokens, view.drop)
    numbers, title = _numbers(values, view.uv, view.region)
    largest = np.argsort(-numbers, kind="stable")[:_MOST].tolist()
    kept = largest if view.order == "value" else sorted(largest)
    bars = []
    for index in kept:
        row: Any = table.iloc[index]
        label = str(row["token_text"]).strip()
        if row["token_kind"] != "prompt":
            count = int(row["token_count"])
            label = f"⟨{row['token_kind']}×{count}⟩" if count > 1 else f"⟨{row['token_kind']}⟩"
        bars.append(Bar(clip(label, 6.8, 48), float(numbers[index]), int(row["token"]) in view.token))
    if len(kept) < len(table):
        title += f", {len(kept)} largest of {len(table)}"
    box = Box(box.x, box.y, box.width, min(box.height, 11.5 * len(bars)))
    widest = max(text_width(bar.label, 6.8) for bar in bars)
    return Bars(box, clip(title, 7, box.width), tuple(bars), min(50.0, widest + 4)), box.y + box.height


def _numbers(values: np.ndarray, uv: Any, region: Any) -> tuple[np.ndarray, str]:
    grid = values.shape[0], values.shape[1]
    if uv is not None:
        return values[cell_at(grid, uv)], f"tokens at ({uv[0]:.2f}, {uv[1]:.2f})"
    if region is not None:
        inside = cells_in(grid, region)
        return values[inside].mean(axis=0), f"tokens, mean over the box of {int(inside.sum())} cells"
    return np.nanmean(values, axis=(0, 1)), "tokens, mean over the map"
