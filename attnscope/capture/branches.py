"""Whose each row of a batch is: read off the text that it gets, never by halving."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor

from attnscope.capture.recording import Row
from attnscope.errors import CaptureError

__all__ = ["Branches", "Layout"]

#: Branches that get the text of another one.
_TEXT_OF = {"image": "uncond", "perturbed": "cond"}

Layout: TypeAlias = Sequence[str] | Callable[[int], Sequence[str]] | None


@dataclass
class Branches:
    """Tells the rows of the denoiser's batch apart.

    Every pipeline joins whole groups of rows, one row for each picture. What the groups are is expected from the
    pipeline's settings, and read off their text: a row whose text is the embedding that the pipeline made of its
    negative prompt is unconditional, wherever it stands. Where the two disagree the text is right.

    Parameters
    ----------
    images
        Pictures that are made at once; None for a bare model, of which nothing is known.
    expected
        Branch of each group, given how many groups there are; None where it does not know.
    layout
        The user's own word: names of the groups in order, or a function that gives one for each row.
    """

    images: int | None = None
    expected: Callable[[int], list[str] | None] = lambda groups: None
    layout: Layout = None
    _texts: dict[str, Tensor] = field(default_factory=dict)
    _told: tuple[Tensor | None, tuple[str, ...] | None, list[str]] | None = None

    def learn(self, branch: str, embeddings: Tensor) -> None:
        """Remember what the pipeline made of its prompts: ``(image, position, channel)``."""
        self._texts[branch] = embeddings
        self._told = None

    @property
    def known(self) -> set[str]:
        """Branches of which the pipeline has made embeddings, in this call or a later one of the model."""
        return set(self._texts)

    def rows(self, batch: int, text: Tensor | None, frames: int | None = None) -> list[Row] | None:
        """Say whose the rows are.

        Parameters
        ----------
        batch
            Rows of the latents.
        text
            ``(batch, position, channel)`` that the model is called with, or ``(batch * frame, ...)``.
        frames
            Frames of a video, which follow each other within a row of the latents.

        Returns
        -------
        list of Row or None
            One for each row (and frame) of the batch that attention modules get; None where it cannot be told.
        """
        names = self._names(batch, text, frames)
        if names is None:
            return None
        count: Counter[str] = Counter()
        rows = []
        for name in names:
            image = count[name]
            count[name] += 1
            rows += [Row(name, image, frame) for frame in (range(frames) if frames else (None,))]
        return rows

    def _names(self, batch: int, text: Tensor | None, frames: int | None) -> list[str] | None:
        if self.layout is not None:
            return self._as_told(batch)
        if self.images is None:
            return ["unknown"] * batch
        groups, rest = divmod(batch, self.images)
        if rest:
            return None
        expected = self.expected(groups)
        branches = expected if text is None or not self._texts else self._by_text(expected, text, batch, frames)
        return None if branches is None else [name for name in branches for _ in range(self.images)]

    def _as_told(self, batch: int) -> list[str]:
        layout = self.layout(batch) if callable(self.layout) else self.layout
        assert layout is not None
        names = list(layout)
        if not callable(self.layout) and names and batch % len(names) == 0:
            names = [name for name in names for _ in range(batch // len(names))]
        if len(names) != batch:
            msg = (
                f"layout={self.layout!r} names {len(names)} part(s), and the batch has {batch} rows. Give a name for "
                "each of its equal parts, in order, or a function that takes the number of rows and names each."
            )
            raise CaptureError(msg)
        return names

    def _by_text(self, expected: list[str] | None, text: Tensor, batch: int, frames: int | None) -> list[str] | None:
        key = None if expected is None else tuple(expected)
        # The same tensor goes in at every step; comparing it again would stall a GPU each time.
        if self._told is None or self._told[0] is not text or self._told[1] != key:
            once = text[::frames] if frames and text.shape[0] == batch * frames else text
            self._told = (text, key, self._compare(expected, once) or [])
        return self._told[2] or None

    def _compare(self, expected: list[str] | None, text: Tensor) -> list[str] | None:
        groups = text.split(self.images or 1)
        found = [{name for name, known in self._texts.items() if _same(group, known)} for group in groups]
        if not any(found):
            return expected  # the pipeline changes its embeddings before the model gets them
        if expected is not None and len(expected) == len(found):
            pairs = zip(expected, found, strict=True)
            if all(not names or _TEXT_OF.get(name, name) in names for name, names in pairs):
                return expected
        alone = [next(iter(names)) for names in found if len(names) == 1]
        # The same branch several times over: views of one picture (MultiDiffusion), each of which is an image here.
        often = set(Counter(alone).values())
        return alone if len(alone) == len(found) and len(often) == 1 else None


def _same(group: Tensor, known: Tensor) -> bool:
    return group.shape == known.shape and group.device == known.device and torch.equal(group, known)
