"""Every error and warning of attnscope: what was wrong, what there is, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

__all__ = [
    "AttnscopeError",
    "AttnscopeWarning",
    "BudgetError",
    "CaptureError",
    "ExportError",
    "ExtraCallsWarning",
    "FrontEndError",
    "LateBranchWarning",
    "LiveScopeWarning",
    "NarrowedScopeWarning",
    "NotMeasuredError",
    "NothingCapturedError",
    "SavedCaptureError",
    "TooLargeError",
    "TruncatedPromptWarning",
    "UnknownGridError",
    "UnknownLayerError",
    "UnknownRowError",
    "UnknownTokensWarning",
    "UnknownWordError",
    "ViewError",
    "choices",
]


class AttnscopeError(Exception):
    """The base of all errors that attnscope raises."""

    # KeyError prints its argument's repr; a sentence should be printed as it is.
    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class CaptureError(AttnscopeError, RuntimeError):
    """A capture cannot be made, or not in this way."""


class NothingCapturedError(CaptureError):
    """A capture holds no attention at all."""


class NotMeasuredError(AttnscopeError, LookupError):
    """A capture was not asked to measure the sub-layers."""


class UnknownLayerError(AttnscopeError, KeyError):
    """No captured layer has this label."""


class UnknownRowError(AttnscopeError, KeyError):
    """A capture holds no such branch, image or frame."""


class UnknownGridError(AttnscopeError, KeyError):
    """No captured layer has this native grid."""


class UnknownWordError(AttnscopeError, KeyError):
    """The prompt has no such word, or not so many of it."""


class SavedCaptureError(AttnscopeError, OSError):
    """A path holds no capture, a damaged one, or one of a newer version."""


class TooLargeError(AttnscopeError, MemoryError):
    """More of a map would have to be formed at once than is bearable."""


class BudgetError(AttnscopeError, MemoryError):
    """A capture would keep more in memory than its ``budget=``.

    Parameters
    ----------
    message
        The size, and what would fit.
    plan
        The `attnscope.capture.plan.Plan` that does not fit.
    choices
        What does, each an `attnscope.capture.planner.Choice`: it has ``options`` to give
        to `attnscope.capture` instead, and ``nbytes``.
    """

    def __init__(self, message: str, plan: Any = None, choices: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.plan = plan
        self.choices = list(choices)


class ViewError(AttnscopeError, ValueError):
    """A scope cannot show this."""


class ExportError(AttnscopeError, ValueError):
    """A view cannot be written, or not in this way."""


class FrontEndError(AttnscopeError, FileNotFoundError):
    """The built front-end is not there."""


class AttnscopeWarning(UserWarning):
    """The base of all warnings that attnscope gives."""


class ExtraCallsWarning(AttnscopeWarning):
    """A step of the scheduler held more than one call of the denoiser."""


class LateBranchWarning(AttnscopeWarning):
    """A branch began after the first step that is kept, and has no place in the arrays."""


class LiveScopeWarning(AttnscopeWarning):
    """A scope cannot follow a run, or not as it was told; the run goes on."""


class NarrowedScopeWarning(AttnscopeWarning):
    """A scope shows one text of several, or one frame."""


class TruncatedPromptWarning(AttnscopeWarning):
    """The tokenizer dropped the end of a prompt."""


class UnknownTokensWarning(AttnscopeWarning):
    """The tokens of the prompt are not known; columns carry positions."""


def choices(wanted: object, available: Iterable[object]) -> str:
    """Name what is available, and what may have been meant.

    Examples
    --------
    >>> choices("foxx", ["a", "red", "fox"])
    "Available: a, red, fox. Did you mean 'fox'?"
    """
    names = list(dict.fromkeys(str(name) for name in available))
    shown = ", ".join(names[:40]) + (", ..." if len(names) > 40 else "")
    near = get_close_matches(str(wanted), names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Available: {shown or 'none'}.{hint}"
