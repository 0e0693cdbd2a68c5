"""Self-attention as the browser asks for it: queries and keys, exact rows, and how much each pixel is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnscope.maps.lazy import LazyAttention
from attnscope.widget.axes import Axes, a_layer, a_part
from attnscope.widget.protocol import EXACT_BYTES

if TYPE_CHECKING:
    from attnscope.maps.capture import Capture
    from attnscope.maps.scores import Scores
    from attnscope.widget.cross_packets import Part
    from attnscope.widget.memo import Memo

__all__ = ["SelfPackets"]


class SelfPackets:
    """Reader of the self-attention of one capture. Nothing is computed before it is asked for.

    Parameters
    ----------
    cap
        The capture; of one that grows the steps that are finished when something is asked for.
    axes
        Its steps, images and branches.
    memo
        Where received attention is kept at hand.
    """

    def __init__(self, cap: Capture, axes: Axes, memo: Memo) -> None:
        table = cap.layers.query("kind == 'self'").to_dict("records")
        self._cap, self._axes, self._memo = cap, axes, memo
        self._grids = {str(row["layer"]): (int(row["height"]), int(row["width"])) for row in table}
        self._read: tuple[int, dict[str, tuple[Scores, list[str]]]] = (-1, {})

    @property
    def layers(self) -> list[str]:
        """Labels of the captured layers, in network order."""
        return list(self._grids)

    def heads(self, layer: str) -> int:
        """How many heads a layer has."""
        return self._scores(layer)[0].heads

    def entries(self, layer: str) -> int:
        """How many weights a layer has at one step: heads times pixels times pixels."""
        scores, _ = self._scores(layer)
        return scores.heads * scores.pixels**2

    def stored(self, layer: str) -> str:
        """In which dtype a layer's queries and keys are kept."""
        return self._scores(layer)[0].dtype

    def received(self, layer: Any, step: Any, image: Any, branch: Any) -> np.ndarray:
        """How much each pixel is looked at: ``(head, row, column)`` float32, NaN where the layer was not seen.

        The sum of its column over all queries, so that 1 is an even share. See `attnscope.analysis.received`, which
        gives the mean.
        """
        scores, at = self._at(layer, step, image, branch)
        key = (self, layer, step, image, branch)
        return self._memo.get(key, lambda: self._received(scores, at)).reshape(-1, *self._grids[layer])

    def _received(self, scores: Scores, at: tuple[int, ...]) -> np.ndarray:
        every, total = np.arange(scores.pixels), np.zeros((scores.heads, scores.pixels))
        for heads, _, block in scores.blocks(at, np.arange(scores.heads), every, every):
            total[heads] += block.sum(axis=1)
        return total.astype(np.float32)

    def qk(self, layer: Any, step: Any, image: Any, branch: Any, head: Any, *, compact: bool = False) -> list[Part]:
        """What one head is computed from: the weight of a key is ``exp(scale * q . k + bias - lse)``.

        Parameters
        ----------
        layer, step, image, branch, head
            Which.
        compact
            Queries and keys in half precision, whatever their size.
        """
        scores, at = self._at(layer, step, image, branch)
        query, key, lse, bias = scores.factors(at, a_part(head, scores.heads, f"Layer {layer} has heads"))
        large = query.nbytes + key.nbytes > EXACT_BYTES
        # What is kept in half precision loses nothing in it.
        encoding = "f16" if compact or large or scores.dtype == "float16" else "f32"
        parts: list[Part] = [("query", query, encoding), ("key", key, encoding), ("lse", lse, "f32")]
        parts.append(("scale", np.array([scores.scale], np.float32), "f32"))
        return parts if bias is None else [*parts, ("bias", bias, "f32")]

    def rows(self, layer: Any, step: Any, image: Any, branch: Any, cell: Any) -> list[Part]:
        """Where one pixel looks, and who looks at it, in every head: ``(head, row, column)`` each, exact.

        Parameters
        ----------
        layer, step, image, branch
            Which.
        cell
            The pixel, counted row by row.
        """
        scores, at = self._at(layer, step, image, branch)
        heads, every = np.arange(scores.heads), np.arange(scores.pixels)
        one = np.array([a_part(cell, scores.pixels, f"Layer {layer} has cells")])
        shape = (scores.heads, *self._grids[layer])
        found = {}
        for name, rows, keys in (("row", one, every), ("column", every, one)):
            found[name] = np.empty((scores.heads, len(rows), len(keys)), np.float32)
            for some, part, block in scores.blocks(at, heads, rows, keys):
                found[name][some, part] = block
        return [(name, values.reshape(shape), "f32") for name, values in found.items()]

    def _at(self, layer: Any, step: Any, image: Any, branch: Any) -> tuple[Scores, tuple[int, ...]]:
        where = self._axes.at(step, image, branch)
        scores, lead = self._scores(a_layer(layer, self._grids, "self"))
        return scores, tuple(where[dim] for dim in lead)

    def _scores(self, layer: str) -> tuple[Scores, list[str]]:
        """What a layer is computed from, and the dims that lead in it."""
        version, read = self._read
        if version != self._cap.version:
            version = self._cap.version  # before what is read, which then is of this version or a newer one
            read = dict(self._layers())
            self._read = version, read
        return read[layer]

    def _layers(self) -> Any:
        nodes: Any = self._cap.tree["self"].children.values()
        for node in nodes:
            array = node["attention"]
            data = array.variable._data
            assert isinstance(data, LazyAttention)
            lead = [str(dim) for dim in array.dims[:-4]]
            for label, scores in zip(array["layer"].values, data.layers, strict=True):
                yield str(label), (scores, lead)
