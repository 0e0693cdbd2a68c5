"""Watching calls of one object's method, without touching its class or what it answers."""

from __future__ import annotations

import copyreg
import functools
import inspect
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Protocol

__all__ = ["Watcher", "watch"]

_WATCHERS = "_attnscope_watchers"


class Watcher(Protocol):
    """Is told of every call."""

    def before(self, arguments: dict[str, Any]) -> None:
        """Before the call, with its arguments by name, defaults filled in."""

    def after(self, arguments: dict[str, Any], result: Any, error: BaseException | None) -> None:
        """After the call, with what it gave or raised."""


def watch(instance: Any, method: str, watcher: Watcher) -> Callable[[], None]:
    """Tell ``watcher`` of every call of ``instance.method(...)``, until the function that comes back is called.

    ``pipe(...)`` looks ``__call__`` up on the class, so an attribute of the instance would not be seen. The instance
    gets a subclass of its own, made for it alone, and its old class back when the last watcher leaves, in whatever
    order.
    """
    cls = type(instance)
    if _WATCHERS not in vars(cls):
        namespace = {
            _WATCHERS: {},
            "__module__": cls.__module__,
            "__qualname__": cls.__qualname__,
            "__doc__": cls.__doc__,
            "__reduce_ex__": _reduced_as(cls),
        }
        object.__setattr__(instance, "__class__", type(cls.__name__, (cls,), namespace))
        cls = type(instance)
    watchers: dict[str, list[Watcher]] = vars(cls)[_WATCHERS]
    if method not in watchers:
        watchers[method] = []
        setattr(
            cls, method, _told(getattr(cls.__mro__[1], method), _overridden(cls.__mro__[1], method), watchers[method])
        )
    watchers[method].append(watcher)

    def unwatch() -> None:
        watchers[method].remove(watcher)
        if not any(watchers.values()) and type(instance) is cls:
            object.__setattr__(instance, "__class__", cls.__mro__[1])

    return unwatch


def _reduced_as(cls: type) -> Callable[[Any, int], Any]:
    """Let copies and pickles that are made meanwhile be of the class as it was found."""

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        reduced: Any = cls.__reduce_ex__(self, protocol)  # type: ignore[call-arg]
        if not isinstance(reduced, tuple):
            return reduced
        function, arguments, *rest = reduced
        arguments = tuple(cls if one is type(self) else one for one in arguments)
        if function.__name__ == "__newobj__":  # pickle insists that this one makes the object's own class
            function, arguments = copyreg._reconstructor, (cls, object, None)  # type: ignore[attr-defined]
        return (function, arguments, *rest)

    return __reduce_ex__


def _overridden(cls: type, method: str) -> list[Callable[..., Any]]:
    return [vars(base)[method] for base in cls.__mro__[1:] if method in vars(base)]


def _signatures(original: Callable[..., Any], overridden: list[Any]) -> list[inspect.Signature]:
    """The method's own, or, where it takes anything to pass it on, first those of the methods that it overrides."""
    own = inspect.signature(original)
    open_ended = any(one.kind is one.VAR_POSITIONAL or one.kind is one.VAR_KEYWORD for one in own.parameters.values())
    return [*(map(inspect.signature, overridden) if open_ended else ()), own]


def _named(signatures: list[inspect.Signature], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """Give the arguments of a call by name, defaults filled in; None where they do not fit."""
    for signature in signatures:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            continue
        bound.apply_defaults()
        return bound.arguments | kwargs
    return None


def _told(original: Callable[..., Any], overridden: list[Any], watchers: list[Watcher]) -> Callable[..., Any]:
    signatures = _signatures(original, overridden)

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        arguments = _named(signatures, (self, *args), kwargs)
        if arguments is None:
            return original(self, *args, **kwargs)  # raises the method's own error
        present = list(watchers)
        for watcher in present:
            watcher.before(arguments)
        result, error = None, None
        with ExitStack() as told:  # each is told, also where another one raises
            for watcher in reversed(present):
                told.callback(lambda watcher=watcher: watcher.after(arguments, result, error))
            try:
                result = original(self, *args, **kwargs)
            except BaseException as raised:
                error = raised
                raise
        return result

    return method
