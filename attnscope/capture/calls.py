"""What a model calls while it runs: a tree of modules, methods and functions, with the shapes that go in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["LAYOUT", "Call", "Value", "trace"]

#: Functions that only say in another way where the same numbers stand.
LAYOUT = frozenset(
    (
        *("reshape", "view", "flatten", "unflatten", "squeeze", "unsqueeze", "expand", "getitem"),
        *("permute", "transpose", "movedim", "swapaxes"),
    )
)
#: Functions that leave shape and meaning as they are.
_SILENT = frozenset(["to", "type", "float", "half", "contiguous", "clone", "detach"])
#: Methods of an attention that the processors call.
_METHODS = ("head_to_batch_dim", "batch_to_head_dim", "get_attention_scores", "norm_encoder_hidden_states")
_NAMES = {"iadd": "add", "radd": "add", "imul": "mul", "rmul": "mul", "truediv": "div", "itruediv": "div"}


@dataclass(frozen=True)
class Value:
    """A tensor that was seen: ``number`` counts them, so that two of one shape are told apart."""

    number: int
    shape: tuple[int, ...]


@dataclass
class Call:
    """One call of a module, of a method of an attention, or of a torch function.

    Parameters
    ----------
    kind
        What was called.
    name
        Dotted path of a module, else the name of the function.
    module
        The module, or the attention whose method it is.
    inputs, outputs
        Tensors that went in and came out, each once; constants and scratch memory are left out.
    calls
        What was called from within, in order; of modules that have no parts nothing is seen.
    off
        The setting of the model that skips this step, where there is one.
    residual
        Whether it adds a tensor to what was made from it.
    """

    kind: Literal["module", "method", "function"]
    name: str
    module: nn.Module | None = None
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    off: str = ""
    residual: bool = False


def trace(model: nn.Module, arguments: dict[str, Any]) -> Call:
    """Run ``model`` once, and give the tree of what it called.

    The model is changed: it gets hooks, and optional steps of ``AttnProcessor`` that are switched off are switched on,
    doing nothing, to see where they stand. So give a copy of no weights (`attnscope.capture.shapes.shape_model`).

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(4, 2), nn.SiLU())
    >>> [(call.name, call.outputs[0].shape) for call in trace(model, {"input": torch.zeros(1, 4)}).calls]
    [('0', (1, 2)), ('1', (1, 2))]
    """
    tracer = _Tracer()
    for name, module in list(model.named_modules()):
        module.register_forward_pre_hook(partial(tracer.enter_module, name), with_kwargs=True)
        module.register_forward_hook(tracer.leave_module)
        if isinstance(module, Attention):
            tracer.watch_attention(module)
    with torch.no_grad(), torch.device(next(model.parameters()).device), tracer:
        model(**arguments)
    return tracer.root


class _Tracer(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.root = Call("module", "")
        self._stack: list[Call] = []
        self._values: dict[int, Value] = {}
        self._alive: list[Tensor] = []  # an id is unique only as long as its tensor lives
        self._parents: list[list[Value]] = []
        self._skipped: dict[nn.Module | None, dict[str, str]] = {}  # per attention: step, and the setting that skips it

    def enter_module(self, name: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        self._enter(Call("module", name, module, self._read((args, kwargs), new=True)))

    def leave_module(self, module: nn.Module, args: Any, result: Any) -> None:
        self._leave(result)

    def watch_attention(self, attention: Any) -> None:
        """See the methods that a processor calls, and the optional steps that it would skip."""
        skipped: dict[str, str] = {}
        if type(attention.processor) is AttnProcessor:
            if not attention.residual_connection:
                attention.residual_connection = True
                skipped["add"] = "residual_connection=False"
            if attention.norm_cross is None:
                # Never called: the method that would call it passes on.
                attention.norm_cross = nn.Identity()
                skipped["norm_encoder_hidden_states"] = "norm_cross=None"
                attention.norm_encoder_hidden_states = _pass_on
        self._skipped[attention] = skipped
        for name in _METHODS:
            method = getattr(attention, name)
            setattr(attention, name, partial(self._method, attention, method, name))

    def _method(self, attention: Attention, method: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> Any:
        call = Call("method", name, attention, self._read((args, kwargs), new=True))
        call.off = self._skipped[attention].get(name, "")
        self._enter(call)
        result = method(*args, **kwargs)
        self._leave(result)
        return result

    def _enter(self, call: Call) -> None:
        if self._stack:
            self._stack[-1].calls.append(call)
        else:
            self.root = call
        self._stack.append(call)

    def _leave(self, result: Any) -> None:
        call = self._stack.pop()
        call.outputs = self._read(result, new=True, parents=call.inputs)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        here = self._stack[-1] if self._stack else None
        # What happens inside a module without parts (a Linear, a norm) is the module's own business.
        if here is None or (here.kind == "module" and not _has_parts(here.module)):
            return result
        read = self._read((args, kwargs))
        made = list(_tensors(result))
        if not read or not made:
            return result
        name = func.__name__.strip("_")
        name = _NAMES.get(name, name)
        if name in _SILENT or _neutral(name, args):
            self._values[id(made[0])] = read[0]
            self._alive.append(made[0])
            return result
        call = Call("function", name, None, read)
        call.outputs = self._read(result, new=True, parents=read)
        if name == "add" and len(read) == 2:
            call.residual = self._descends(read[0], read[1]) or self._descends(read[1], read[0])
        if call.residual:
            call.off = self._skipped.get(here.module, {}).get("add", "")
        here.calls.append(call)
        return result

    def _read(self, arguments: Any, *, new: bool = False, parents: list[Value] | None = None) -> list[Value]:
        """Values of all tensors among ``arguments``, each once; ``new`` ones too, or only those seen before."""
        found = []
        for tensor in _tensors(arguments):
            if id(tensor) not in self._values:
                if not new or isinstance(tensor, nn.Parameter):
                    continue
                self._values[id(tensor)] = Value(len(self._parents), tuple(tensor.shape))
                self._alive.append(tensor)
                self._parents.append(parents or [])
            found.append(self._values[id(tensor)])
        return list(dict.fromkeys(found))

    def _descends(self, young: Value, old: Value) -> bool:
        """Whether ``young`` was made from ``old``: then a sum of both is a residual connection."""
        seen, todo = set(), [young]
        while todo:
            value = todo.pop()
            if value == old:
                return True
            fresh = [one for one in self._parents[value.number] if one.number >= old.number and one not in seen]
            seen.update(fresh)
            todo.extend(fresh)
        return False


def _has_parts(module: nn.Module | None) -> bool:
    return module is not None and any(True for _ in module.children())


def _pass_on(states: Tensor) -> Tensor:
    return states


def _neutral(name: str, args: tuple[Any, ...]) -> bool:
    """Whether a product or quotient is by one, as diffusers writes scalings that a model does not use."""
    return name in ("mul", "div") and any(isinstance(one, (int, float)) and one == 1 for one in args[1:2])


def _tensors(arguments: Any) -> Iterator[Tensor]:
    if isinstance(arguments, Tensor):
        yield arguments
    elif isinstance(arguments, dict):
        for one in arguments.values():
            yield from _tensors(one)
    elif isinstance(arguments, (list, tuple)):
        for one in arguments:
            yield from _tensors(one)
