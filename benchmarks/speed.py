"""What capturing costs, in time and in bytes, against a run that is not looked at and against other ways to look."""

from __future__ import annotations

import functools
import gc
import time
from dataclasses import dataclass
from typing import Any

import pipelines
import torch
import variants
from pipelines import paint
from report import Figure, Samples
from torch import Tensor
from variants import RIVALS, Variant, captured, plain

#: Denoising steps of one timed run.
STEPS = 2
#: A run of this length is what bytes are told for.
USUAL_STEPS = 20

pipeline = functools.cache(pipelines.build)


@dataclass
class Comparison:
    """One way to run against another: seconds of the pairs, and what the last of each gave."""

    ratios: Samples
    seconds: tuple[float, float]
    nbytes: tuple[int, int]
    outputs: tuple[list[Tensor], list[Tensor]]

    @property
    def same(self) -> bool:
        """Whether the latents of every step and the picture are equal to the bit."""
        return all(torch.equal(one, other) for one, other in zip(*self.outputs, strict=True))


def timed(pipe: Any, variant: Variant, steps: int) -> tuple[float, int, list[Tensor]]:
    """Seconds a step, from before entering the variant to after leaving it; bytes kept; what was painted."""
    gc.collect()
    start = time.perf_counter()
    with variant(pipe) as kept:
        output = paint(pipe, steps)
    seconds = time.perf_counter() - start
    return seconds / steps, kept(), output


def compare(pipe: Any, one: Variant, other: Variant, pairs: int, steps: int = STEPS) -> Comparison:
    """Run both in turn, every second pair in the other order, so that a drift cancels. The first is not counted."""
    ratios, seconds = Samples(), (Samples(), Samples())
    for pair in range(-1, pairs):
        order = (0, 1) if pair % 2 else (1, 0)
        runs = {which: timed(pipe, (one, other)[which], steps) for which in order}
        if pair < 0:
            continue
        ratios.values.append(runs[0][0] / runs[1][0])
        for which, samples in enumerate(seconds):
            samples.values.append(runs[which][0])
    return Comparison(
        ratios,
        seconds=(seconds[0].median, seconds[1].median),
        nbytes=(runs[0][1], runs[1][1]),
        outputs=(runs[0][2], runs[1][2]),
    )


def capture(*, quick: bool, pairs: int) -> list[Figure]:
    """Capture against none."""
    pipe = pipeline(quick=quick)
    figures = _captured(pipe, pairs, "all cross-attention, all heads", 1.03, kinds=("cross",))
    if variants.can_capture(pipe, kinds=("cross", "self")):
        return figures + _captured(pipe, pairs, "cross- and self-attention", 1.10, kinds=("cross", "self"))
    missing = "this version does not capture self-attention"
    return [*figures, Figure("capture of cross- and self-attention: time", None, "x", 1.10, missing, note=missing)]


def _captured(pipe: Any, pairs: int, what: str, reach: float, **options: Any) -> list[Figure]:
    found = compare(pipe, captured(**options), plain, pairs)
    if not found.same:
        msg = f"the run of {what} painted other latents than the one that was not captured"
        raise AssertionError(msg)
    how = (
        f"{_interleaved(pairs)}: seconds of `with attnscope.capture(pipe, {_call(options)})` around a run, over those "
        "of the same run without it"
    )
    step = found.nbytes[0] / STEPS / 1e6
    return [
        Figure(
            f"capture of {what}: time",
            found.ratios.median,
            "x",
            reach,
            how,
            found.ratios.spread,
            note=f"{found.seconds[0]:.2f} s a step against {found.seconds[1]:.2f} s. "
            "Latents of every step and the picture bit-identical (torch.equal, asserted)",
        ),
        Figure(
            f"capture of {what}: kept a step",
            step,
            "MB",
            None,
            how,
            note=f"{step * USUAL_STEPS:.0f} MB for {USUAL_STEPS} steps, by cap.nbytes; default options: fp16, prompt "
            "tokens, conditional branch",
        ),
    ]


def live(*, quick: bool, pairs: int) -> list[Figure]:
    """A capture that fills a scope against one that does not."""
    pipe = pipeline(quick=quick)
    steps = 2 * STEPS  # what is made once, at the first step and at the end, is not to stand for what every step costs
    found = compare(pipe, variants.live(kinds=("cross",)), captured(kinds=("cross",)), pairs, steps)
    if not found.same:
        msg = "the run that filled a scope painted other latents than the one that did not"
        raise AssertionError(msg)
    return [
        Figure(
            "capture that fills a scope: time",
            found.ratios.median,
            "x",
            1.02,
            f"median of {pairs} interleaved pairs in one process, of runs of {steps} steps: seconds of `with "
            "attnscope.capture(pipe, scope=scope)` around a run, over those of the same without a scope; the making of "
            "the scope, of the picture's PNG and of the final state is in it",
            found.ratios.spread,
            note=f"{found.seconds[0]:.2f} s a step against {found.seconds[1]:.2f} s. Bit-identical (asserted)",
        ),
        *_pushes(pipe, steps),
    ]


def _pushes(pipe: Any, steps: int) -> list[Figure]:
    """What one step of it takes, without the model."""
    from attnscope.widget.live import Live

    taken, push = Samples(), Live._push

    def timed_push(self: Live) -> None:
        start = time.perf_counter()
        push(self)
        taken.values.append(1000 * (time.perf_counter() - start))

    Live._push = timed_push
    try:
        timed(pipe, variants.live(kinds=("cross",)), steps)
    finally:
        Live._push = push
    first, *others = taken.values
    found = Samples(others)
    how = "milliseconds of making and sending the message of one step, of the steps after the first, in one such run"
    note = f"the first step, which finds out what there is, takes {first:.0f} ms"
    return [Figure("capture that fills a scope: a step", found.median, "ms", None, how, found.spread, note=note)]


def rivals(*, quick: bool, pairs: int) -> list[Figure]:
    """Capture against the other ways."""
    pipe, figures = pipeline(quick=quick), []
    pairs = max(1, pairs // 2)  # these ratios are far from 1, and there are many
    ours = captured(kinds=("cross",))
    for rival in RIVALS:
        found = compare(pipe, ours, rival, pairs)
        how = (
            f"{_interleaved(pairs)}: attnscope.capture over the other. It is our re-implementation of the idea, which "
            f"{rival.what}"
        )
        figures.append(
            Figure(
                f"time against {rival.name} capture",
                found.ratios.median,
                "x",
                1.0,
                how,
                found.ratios.spread,
                note=f"{found.seconds[0]:.2f} s a step against {found.seconds[1]:.2f} s",
            )
        )
        mine, theirs = (kept / STEPS * USUAL_STEPS for kept in found.nbytes)
        if rival.sums:
            theirs = found.nbytes[1]
        note = f"{mine / 1e6:.0f} MB against {theirs / 1e6:.0f} MB"
        if rival.sums:
            a_step = found.nbytes[0] / STEPS / found.nbytes[1]
            note += (
                f". It keeps the sum over steps: no single step can be seen. One of our steps is {a_step:.3f}x of it"
            )
        figures.append(
            Figure(
                f"bytes kept of {USUAL_STEPS} steps against {rival.name}",
                mine / theirs,
                "x",
                1.0,
                f"bytes kept by the runs above, for a run of {USUAL_STEPS} steps by arithmetic",
                note=note,
            )
        )
    return figures


def _call(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def _interleaved(pairs: int) -> str:
    return f"median of {pairs} interleaved pairs in one process, of runs of {STEPS} steps"
