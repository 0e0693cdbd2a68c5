"""A training loop that ends on time and can be resumed.

The length of a stage is given in minutes, not in steps: the same recipe then suits a laptop and
a GPU. Everything random is seeded by the number of the step, so a resumed stage needs no saved
state of random number generators.

A step is computed in parts, by several threads: on a CPU whose cores are also used by others,
threads that take the next part when they are free lose less than operations that are each split
over all cores, where every operation waits for the slowest core.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """How long and how fast one stage trains.

    Parameters
    ----------
    minutes
        Wall-clock length, over all resumptions.
    rate
        Highest learning rate; it rises linearly, then falls along a cosine.
    max_steps
        Ends the stage earlier, for smoke tests.
    ema_decay
        Share of the averaged weights that each step keeps.
    warmup
        Steps over which the learning rate rises.
    save_seconds
        Time between two checkpoints.
    parts
        Number of parts in which the batch of a step is computed.
    workers
        Number of threads that compute parts.
    """

    minutes: float
    rate: float
    max_steps: int | None = None
    ema_decay: float = 0.995
    warmup: int = 50
    save_seconds: float = 60.0
    parts: int = 1
    workers: int = 1

    def progress(self, seconds: float, step: int) -> float:
        """Return the share of the stage that is done, from 0 to 1."""
        done = seconds / (60 * self.minutes)
        if self.max_steps is not None:
            done = max(done, step / self.max_steps)
        return min(done, 1.0)

    def rate_at(self, progress: float, step: int) -> float:
        """Return the learning rate of a step."""
        falling = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))
        return self.rate * falling * min(1.0, (step + 1) / self.warmup)


def train(
    module: torch.nn.Module,
    loss_of_part: Callable[[int], torch.Tensor],
    recipe: Recipe,
    path: Path,
    on_save: Callable[[torch.nn.Module], None] | None = None,
) -> torch.nn.Module:
    """Train a module in place, or go on where its checkpoint ends.

    Parameters
    ----------
    module
        What is trained.
    loss_of_part
        Computes the loss of a part of a step from its number, counted through all steps.
    recipe
        Length and rate.
    path
        The checkpoint file; read if it exists, written every `save_seconds` and at the end.
    on_save
        Called with the averaged module after each checkpoint.

    Returns
    -------
    torch.nn.Module
        A copy of the module with averaged weights (exponential moving average).
    """
    import torch
    from tqdm.auto import tqdm

    averaged = copy.deepcopy(module).requires_grad_(False).eval()
    optimizer = torch.optim.AdamW(module.parameters(), lr=recipe.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    step, seconds = 0, 0.0
    if path.exists():
        saved = torch.load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(saved["module"])
        averaged.load_state_dict(saved["averaged"])
        optimizer.load_state_dict(saved["optimizer"])
        step, seconds = saved["step"], saved["seconds"]
        logger.info("%s: resumed at step %d, minute %.1f", path.stem, step, seconds / 60)

    def save() -> None:
        state = {
            "module": module.state_dict(),
            "averaged": averaged.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": step,
            "seconds": seconds,
        }
        # Written beside and moved, so that an interruption never leaves half a checkpoint.
        unfinished = path.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(path)
        if on_save is not None:
            on_save(averaged)

    recent, unsaved, started = None, 0.0, time.monotonic()
    progress = recipe.progress(seconds, step)
    # Each worker computes its operations alone; the number of threads is set per thread.
    alone = partial(torch.set_num_threads, 1) if recipe.workers > 1 else None
    with (
        ThreadPoolExecutor(recipe.workers, initializer=alone) as pool,
        tqdm(total=100, desc=path.stem, unit="%", mininterval=10) as bar,
    ):
        while progress < 1:
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate_at(progress, step)
            value = _fill_gradients(module, loss_of_part, step, recipe.parts, pool)
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            step += 1
            _average(averaged, module, min(recipe.ema_decay, step / (step + 10)))
            now = time.monotonic()
            seconds, unsaved, started = seconds + now - started, unsaved + now - started, now
            progress = recipe.progress(seconds, step)
            recent = value if recent is None else 0.98 * recent + 0.02 * value
            bar.set_postfix(step=step, loss=f"{recent:.4f}", refresh=False)
            bar.update(100 * progress - bar.n)
            if unsaved > recipe.save_seconds or progress >= 1:
                save()
                unsaved, started = 0.0, time.monotonic()
    return averaged


def _fill_gradients(
    module: torch.nn.Module,
    loss_of_part: Callable[[int], torch.Tensor],
    step: int,
    parts: int,
    pool: ThreadPoolExecutor,
) -> float:
    """Compute the parts of a step, fill in their mean gradient and return their mean loss."""
    import torch

    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]

    def part(number: int) -> tuple[float, tuple[torch.Tensor | None, ...]]:
        loss = loss_of_part(number) / parts
        return loss.item(), torch.autograd.grad(loss, parameters, allow_unused=True)

    for parameter in parameters:
        parameter.grad = None
    total = 0.0
    for value, gradients in pool.map(part, range(step * parts, (step + 1) * parts)):
        total += value
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
    return total


def _average(averaged: torch.nn.Module, module: torch.nn.Module, decay: float) -> None:
    """Move the averaged weights a little toward the trained ones."""
    import torch

    with torch.no_grad():
        foreach = torch._foreach_lerp_  # pyright: ignore[reportPrivateImportUsage]
        foreach(list(averaged.parameters()), list(module.parameters()), 1 - decay)
