"""Refusing compiled code, which does not show its attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnscope.errors import CaptureError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["compiled_error", "refuse_compiled"]


def compiled_error(model: Any) -> CaptureError:
    """Say what to do instead."""
    return CaptureError(
        f"{type(model).__name__} is compiled (torch.compile), and compiled code does not show its attention. "
        "Capture the model before it is compiled, or the original: `pipe.unet = pipe.unet._orig_mod`."
    )


def refuse_compiled(model: nn.Module) -> None:
    """Raise if any part is compiled: it does not call hooks that are added, and would be seen as not running."""
    if any(
        hasattr(part, "_orig_mod")
        or getattr(part, "_compiled_call_impl", None) is not None
        or hasattr(part.forward, "_torchdynamo_orig_callable")
        for part in (model, *model.modules())
    ):
        raise compiled_error(model)
