"""Computing beside the model, which must not notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch._C import _len_torch_function_stack
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack, _pop_mode, _push_mode

__all__ = ["aside", "leave", "unseen"]


@contextmanager
def unseen() -> Iterator[None]:
    """Compute without gradients, and without any function mode: another capture would take it for the model's."""
    modes = [_pop_mode() for _ in range(_len_torch_function_stack())]
    try:
        with torch.no_grad():
            yield
    finally:
        for mode in reversed(modes):
            _push_mode(mode)


@contextmanager
def aside(device: torch.device) -> Iterator[None]:
    """Compute unseen, in the dtypes that are written down: autocast would do it in half precision."""
    with unseen(), torch.autocast(device.type, enabled=False):
        yield


def leave(mode: TorchFunctionMode) -> None:
    """Take a mode off the stack from wherever it stands: after an interrupt others may have come on top."""
    above = []
    while mode in _get_current_function_mode_stack():
        above.append(_pop_mode())
    for one in reversed(above[:-1]):
        _push_mode(one)
