"""What each sub-layer adds to the residual stream: seen in the very sum that the transformer block forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from diffusers.models.attention import BasicTransformerBlock
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attnscope.capture.aside import leave

if TYPE_CHECKING:
    from attnscope.capture.recording import Step
    from attnscope.capture.sites import Site

__all__ = ["Measured", "Measures"]

_SUMS = ("add", "iadd", "radd")


@dataclass
class Measured:
    """The norms that a run left behind.

    Parameters
    ----------
    sites
        The transformer blocks: label, place, and the block's own dotted path for ``module``; in network order.
    steps
        For each captured step ``(quantity, row, layer, part)`` float32; NaN where nothing was seen.
    at
        Those steps; all of them, also where maps are averaged over steps.
    counts
        In how many steps each layer and part was seen.
    reasons
        Why a layer and part was not, where that is known.
    """

    #: Sub-layers of a transformer block, in the order in which they run.
    parts: ClassVar = ("attn1", "attn2", "ff")
    #: The summands that are measured: what a sub-layer adds, and the residual stream that it is added to.
    quantities: ClassVar = ("added", "stream")

    sites: list[Site]
    steps: list[np.ndarray] = field(default_factory=list)
    at: list[Step] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)

    def append(self, norms: Mapping[tuple[str, str], np.ndarray], rows: int) -> None:
        """Add a step: for each layer and part that was seen in it ``(quantity, row)``."""
        step = np.full((len(self.quantities), rows, len(self.sites), len(self.parts)), np.nan, np.float32)
        for index, site in enumerate(self.sites):
            for column, part in enumerate(self.parts):
                if (site.layer, part) in norms:
                    step[:, :, index, column] = norms[site.layer, part]
        self.steps.append(step)
        self.counts.update(norms.keys())

    @property
    def unseen(self) -> list[dict[str, str]]:
        """What is NaN in some step, or in all: ``layer``, ``part``, ``module`` and ``reason``."""
        return [
            {"layer": site.layer, "part": part, "module": f"{site.module}.{part}", "reason": self._reason(site, part)}
            for site in self.sites
            for part in self.parts
            if self.counts[site.layer, part] < len(self.steps)
        ]

    def _reason(self, site: Site, part: str) -> str:
        seen, steps = self.counts[site.layer, part], len(self.steps)
        if not seen:
            return self.reasons.get((site.layer, part), "the model did not reach it")
        why = self.reasons.get((site.layer, part), "the model did not reach it in the others")
        return f"seen in {seen} of {steps} steps: {why}"


class Measures:
    """Measures the sub-layers of the transformer blocks that attention sites stand in.

    Parameters
    ----------
    model
        A diffusers UNet.
    sites
        The captured attention sites; with none of them nothing is hooked and nothing measured.
    """

    def __init__(self, model: nn.Module, sites: Sequence[Site]) -> None:
        self.measured = Measured(_blocks(model, sites)) if sites else None
        self._model = model
        self._sums: list[_ResidualSums] = []
        self._rows: list[int] = []
        self._places: list[int] = []
        self._count = self._batch = 0
        # Norms (quantity, batch row) that still lie on the model's device: asking for one would wait for the device.
        self._norms: dict[tuple[str, str], Tensor] = {}

    def attach(self, stack: ExitStack, add: Callable[..., None]) -> None:
        """Hook the blocks with ``add(module, before, after)``; leaving ``stack`` takes the hooks away."""
        for site in self.measured.sites if self.measured else ():
            block = self._model.get_submodule(site.module)
            if not isinstance(block, BasicTransformerBlock):
                for part in Measured.parts:
                    self._say(site, part, "it stands in no BasicTransformerBlock")
                continue
            sums = _ResidualSums(partial(self._measure, site))
            self._sums.append(sums)
            add(block, *self._around_block(site, sums))
            for part in Measured.parts:
                layer = getattr(block, part, None)
                if layer is None:
                    self._say(site, part, "this block has none")
                    continue
                # Appended, so that hooks which change what the sub-layer gives have done so.
                stack.callback(layer.register_forward_hook(_follow(sums, part)).remove)

    def begin(
        self, rows: Sequence[int], batch: int, places: Sequence[int] | None = None, count: int | None = None
    ) -> None:
        """Measure the step that begins.

        Parameters
        ----------
        rows, batch
            Rows to keep, of a batch of so many.
        places, count
            Where they lie in the arrays, which have so many; a branch that is not in a step is NaN. One after the
            other, and all of them, where it is not given.
        """
        self._rows, self._batch = list(rows), batch
        self._places = list(range(len(rows)) if places is None else places)
        self._count = len(rows) if count is None else count
        self._norms = {}

    def interrupt(self) -> None:
        """Leave the block under way, which no hook has ended."""
        for sums in self._sums:
            sums.leave()

    def keep(self, now: Step) -> None:
        """Add the step that ends, as far as it went."""
        if self.measured is not None:
            norms = {name: self._spread(both) for name, both in _on_host(self._norms)}
            self.measured.append(norms, self._count)
            self.measured.at.append(now)
        self.begin([], 0)

    def _spread(self, both: np.ndarray) -> np.ndarray:
        """``(quantity, batch row)`` to ``(quantity, row)``."""
        laid = np.full((len(both), self._count), np.nan, np.float32)
        laid[:, self._places] = both[:, self._rows]
        return laid

    def _around_block(self, site: Site, sums: _ResidualSums) -> tuple[Callable[..., None], Callable[..., None]]:
        def before(module: nn.Module, args: Any, kwargs: Any) -> None:
            if self._rows:
                sums.watch()

        def after(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            unmet = sums.leave()
            if output is not None:  # None where the block raised
                for part in unmet:
                    self._say(site, part, f"no sum of what it gives and a residual was seen in {type(module).__name__}")

        return before, after

    def _measure(self, site: Site, part: str, added: Tensor, stream: Tensor) -> None:
        if stream.shape[0] != self._batch:
            self._say(site, part, f"it ran on {stream.shape[0]} rows, and the model on {self._batch}")
            return
        with torch.no_grad():
            self._norms[site.layer, part] = torch.stack((_mean_norm(added), _mean_norm(stream)))

    def _say(self, site: Site, part: str, reason: str) -> None:
        if self.measured is not None:
            self.measured.reasons.setdefault((site.layer, part), reason)


class _ResidualSums(TorchFunctionMode):
    """Follows what a sub-layer gives to the sum that it ends in; the other summand is the residual stream.

    Between the two a block may do what it likes (gates, chunks put together, a dropout): what is measured are the
    tensors that are really added, whatever the block's norm type, and nothing is computed a second time. Of several
    sums the last counts: the first may be a hook's, which adds up what sub-layers give.

    Parameters
    ----------
    met
        Is told of each sum, before it is formed: part, what is added, the stream.
    """

    def __init__(self, met: Callable[[str, Tensor, Tensor], None]) -> None:
        super().__init__()
        self._met = met
        self._watching = False
        self._part = ""
        self._made: list[Tensor] = []
        self._unmet: set[str] = set()

    def watch(self) -> None:
        """Begin, as the block does."""
        self.leave()  # what an interrupt left
        self._made, self._unmet, self._watching = [], set(), True
        self.__enter__()

    def leave(self) -> set[str]:
        """End with the block; gives the parts whose sum was not met."""
        if self._watching:
            leave(self)
        self._made, self._watching = [], False
        return self._unmet

    def follow(self, part: str, output: Any) -> None:
        """Follow what a sub-layer gave; of one that is called for several chunks, all of it."""
        if not self._watching:
            return
        self._unmet.add(part)
        self._made = [*(self._made if part == self._part else ()), *_tensors(output)]
        self._part = part

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not self._made:
            return func(*args, **kwargs)
        read = list(_tensors((args, kwargs)))
        made = [any(tensor is one for one in self._made) for tensor in read]
        if not any(made):
            return func(*args, **kwargs)
        if _is_sum(func, read, kwargs) and made[0] != made[1]:
            self._met(self._part, read[made.index(True)], read[made.index(False)])
            self._unmet.discard(self._part)
            return func(*args, **kwargs)
        result = func(*args, **kwargs)
        self._made.extend(_tensors(result))
        return result


def _is_sum(func: Callable[..., Any], read: Sequence[Tensor], kwargs: Mapping[str, Any]) -> bool:
    """Whether two tensors of one shape are added as they are; with ``alpha=`` one would be scaled."""
    added = func.__name__.strip("_") in _SUMS and "alpha" not in kwargs
    return added and len(read) == 2 and read[0].shape == read[1].shape


def _follow(sums: _ResidualSums, part: str) -> Callable[..., None]:
    def after(module: nn.Module, args: Any, output: Any) -> None:
        sums.follow(part, output)

    return after


def _blocks(model: nn.Module, sites: Sequence[Site]) -> list[Site]:
    """Give the blocks that the sites stand in, each once, labelled as the sites are."""
    blocks: dict[str, Site] = {}
    for site in sites:
        path, _, part = site.module.rpartition(".")
        if isinstance(model.get_submodule(path), nn.ModuleList):  # an attention that stands alone
            blocks[site.module] = site
        else:
            # Two attentions of one kind in a block carry their own names at the end (`find_sites`).
            blocks[path] = replace(site, layer=site.layer.removesuffix(f".{part}"), module=path)
    return list(blocks.values())


def _mean_norm(states: Tensor) -> Tensor:
    """L2 norm over the channels, the last axis, and its mean over the pixels: ``(batch row,)`` float32."""
    norms = torch.linalg.vector_norm(states, dim=-1, dtype=torch.promote_types(states.dtype, torch.float32))
    return norms.flatten(1).mean(1).float()


def _on_host(norms: Mapping[tuple[str, str], Tensor]) -> Iterator[tuple[tuple[str, str], np.ndarray]]:
    """Bring the norms over in one transfer from each device."""
    for device in {both.device for both in norms.values()}:
        names = [name for name, both in norms.items() if both.device == device]
        yield from zip(names, torch.stack([norms[name] for name in names]).cpu().numpy(), strict=True)


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, (list, tuple)):
        for one in values:
            yield from _tensors(one)
    elif isinstance(values, dict):
        yield from _tensors(list(values.values()))
