"""``anatomy``: every step of a UNet as a table, from shapes alone."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple

import pandas as pd
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import nn

from attnscope.capture.calls import LAYOUT, Call, Value, trace
from attnscope.capture.shapes import find_unet, inputs, latent_size, shape_model, text_length
from attnscope.capture.sites import find_sites
from attnscope.errors import CaptureError

__all__ = ["anatomy", "anatomy_of_capture"]

_SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "getitem": "[...]"}
_PROJECTIONS = ("to_q", "to_k", "to_v")


class Row(NamedTuple):
    """One step; see `attnscope.anatomy` for the columns."""

    layer: str
    part: str
    operation: str
    module: str
    definition: str
    input: tuple[Any, ...]
    output: tuple[Any, ...]


def anatomy(unet_or_pipe: Any, height: int = 512, width: int = 512) -> pd.DataFrame:
    """Take a UNet apart; `attnscope.anatomy` documents it."""
    unet = find_unet(unet_or_pipe)
    size = latent_size(unet_or_pipe, height, width)
    model = shape_model(unet.config, type(unet))
    try:
        return _walk(model, *size, text_length(unet_or_pipe))
    except Exception as error:
        msg = (
            f"This {type(model).__name__} could not be walked at {height}x{width} pixels, with inputs that its "
            f"configuration asks for: {error}. Try the pipeline instead of its UNet, or another size."
        )
        raise CaptureError(msg) from error


def anatomy_of_capture(attrs: Mapping[Any, Any]) -> pd.DataFrame:
    """Take apart the UNet of a capture, at the size at which it ran.

    Parameters
    ----------
    attrs
        Of the capture: ``model_config``, and ``model_inputs``, the sizes that `attnscope.capture.shapes.inputs` takes.

    Raises
    ------
    CaptureError
        If the model is no ``UNet2DConditionModel``, or cannot be walked, or if the capture does not say what it is.
    """
    config, sizes = attrs.get("model_config"), attrs.get("model_inputs")
    if config is None or sizes is None:
        msg = (
            "This capture does not hold its model's configuration: the model is none of diffusers', or an older "
            "attnscope saved it. Take the pipeline apart instead: attnscope.anatomy(pipe, height, width)."
        )
        raise CaptureError(msg)
    if config["_class_name"] != UNet2DConditionModel.__name__:
        msg = (
            f"This capture is one of a {config['_class_name']}, whose anatomy is not known. "
            f"Available: {UNet2DConditionModel.__name__}."
        )
        raise CaptureError(msg)
    try:
        return _walk(shape_model(config), **sizes)
    except Exception as error:
        msg = (
            f"The {config['_class_name']} of this capture, written with diffusers {config.get('_diffusers_version')}, "
            f"could not be built from its configuration and walked: {error}. Install that version, or take the "
            "pipeline apart instead: attnscope.anatomy(pipe, height, width)."
        )
        raise CaptureError(msg) from error


def _walk(model: UNet2DConditionModel, height: int, width: int, text: int) -> pd.DataFrame:
    """Walk a model of shapes; ``height`` and ``width`` are those of the latents."""
    labels = _labels(model)  # before the trace, which adds modules to the copy
    root = trace(model, inputs(model, height, width, text))
    return pd.DataFrame.from_records(list(_Reader(labels).rows(root)), columns=list(Row._fields))


def _labels(model: nn.Module) -> dict[str, str]:
    """Label of every block, transformer and attention, by dotted path, as captures have them."""
    labels = {"": "", "mid_block": "mid"}
    for place in ("down", "up"):
        for name, _ in model.get_submodule(f"{place}_blocks").named_children():
            labels[f"{place}_blocks.{name}"] = f"{place}.{name}"
    for site in find_sites(model):
        labels[site.module] = site.layer
        if site.place in ("down", "mid", "up"):
            container = f"{labels[site.container.partition('.attentions.')[0]]}.{site.attention}"
            deep = f"{container}.{site.depth}"
            labels[site.container] = container
            labels[site.module.rpartition(".")[0]] = deep if site.layer.startswith(deep) else container
    return labels


class _Reader:
    """Turns the tree of calls into rows: those of a part, and after each step the rows of what it calls."""

    def __init__(self, labels: dict[str, str]) -> None:
        self._labels = labels

    def rows(self, call: Call) -> Iterator[Row]:
        """Rows of a module that has parts."""
        layer, part = self._label(call.name), _part(call)
        if not isinstance(call.module, Attention):
            yield from self._steps(call, layer, part, call.name)
            return
        # A processor is no module. It does all of the attention's work: first in short, then step by step.
        yield from self._overview(call, layer, part)
        yield from self._steps(call, layer, f"{part}.processor", f"{call.name}.processor")

    def _steps(self, call: Call, layer: str, part: str, path: str) -> Iterator[Row]:
        if _keeps_residual(call):
            kept = call.inputs[:1]
            yield _row(layer, part, "keep residual", path, f"residual = {_first_argument(call.module)}", kept, kept)
        for is_layout, group in groupby(call.calls, lambda step: step.kind == "function" and step.name in LAYOUT):
            steps = list(group)
            if is_layout:
                yield _row(layer, part, "reshape", path, _functions(steps), *_ends(steps))
                continue
            for step in steps:
                yield self._step(step, layer, part, path)
                if step.kind == "module" and step.calls:
                    yield from self.rows(step)
                elif step.kind == "method" and any(inner.name not in LAYOUT for inner in step.calls):
                    yield from self._steps(step, layer, f"{part.partition('.')[0]}.{step.name}", path)

    def _step(self, step: Call, layer: str, part: str, path: str) -> Row:
        if step.kind == "module":
            operation, path = step.name.removeprefix(f"{path.removesuffix('.processor')}."), step.name
            definition = _define(step.module)
        else:
            operation = "add residual" if step.residual else step.name
            definition = _functions(step.calls) if step.kind == "method" else _SYMBOLS.get(step.name, step.name)
        if step.off:
            definition = f"off: {step.off}"
        return _row(layer, part, operation, path, definition, step.inputs, step.outputs)

    def _overview(self, attention: Call, layer: str, part: str) -> Iterator[Row]:
        """The stages of an attention: steps in a row that do one thing."""
        ran = [step for step in attention.calls if not step.off and not isinstance(step.module, nn.Dropout)]
        for stage, group in groupby(ran, lambda step: _stage(step, attention)):
            steps = list(group)
            if all(step.kind == "module" for step in steps):
                names = [step.name.removeprefix(f"{attention.name}.") for step in steps]
                path = steps[0].name if len(steps) == 1 else attention.name
                definitions = [_define(step.module) for step in steps]
                several = zip(names, definitions, strict=True)
                definition = definitions[0] if len(steps) == 1 else ", ".join(f"{a}: {b}" for a, b in several)
            else:
                path = f"{attention.name}.processor" if stage == "attention" else attention.name
                definition = _functions(steps)
            yield _row(layer, part, stage, path, definition, *_ends(steps))

    def _label(self, path: str) -> str:
        while path not in self._labels:
            path = path.rpartition(".")[0]
        return self._labels[path]


def _stage(step: Call, attention: Call) -> str:
    name = step.name.removeprefix(f"{attention.name}.")
    if step.kind == "module":
        return "query, key, value" if name in _PROJECTIONS else name.partition(".")[0]
    names = {"head_to_batch_dim": "split heads", "batch_to_head_dim": "merge heads"} | dict.fromkeys(LAYOUT, "reshape")
    return "add residual" if step.residual else names.get(name, "attention")


def _keeps_residual(call: Call) -> bool:
    """Whether the part's last step, but for a scaling, adds the part's own input, so that the first is to keep it.

    Keeping a tensor is no operation and leaves no trace; that it was kept shows only where it is used again.
    """
    steps = [step for step in call.calls if step.name not in ("mul", "div")]
    return bool(steps and steps[-1].residual and call.inputs and call.inputs[0] in steps[-1].inputs)


def _first_argument(module: Any) -> str:
    return list(inspect.signature(type(module).forward).parameters)[1]


def _ends(steps: list[Call]) -> tuple[list[Value], list[Value]]:
    """What several steps in a row take from outside, and what they make and do not use up themselves."""
    made = [value for step in steps for value in step.outputs]
    read = [value for step in steps for value in step.inputs]
    return [value for value in read if value not in made], [value for value in made if value not in read]


def _row(
    layer: str, part: str, operation: str, module: str, definition: str, read: list[Value], made: list[Value]
) -> Row:
    return Row(layer, part, operation, module, definition, _shapes(read), _shapes(made))


def _shapes(values: list[Value]) -> tuple[Any, ...]:
    shapes = [value.shape for value in dict.fromkeys(values)]
    return shapes[0] if len(shapes) == 1 else tuple(shapes)


def _part(call: Call) -> str:
    """Name of a module among its siblings: its own, or its class where it is one of a numbered list."""
    name = call.name.rpartition(".")[2]
    return type(call.module).__name__ if not name or name.isdigit() else name


def _functions(steps: list[Call]) -> str:
    """Name what ran, down to the functions, each once."""
    return " & ".join(dict.fromkeys(_ran(steps)))


def _ran(steps: list[Call]) -> Iterator[str]:
    for step in steps:
        if step.kind == "method":
            yield from _ran(step.calls)
        else:
            yield _define(step.module) if step.module else _SYMBOLS.get(step.name, step.name)


def _define(module: nn.Module | None) -> str:
    match module:
        case nn.Linear():
            return f"Linear({module.in_features} -> {module.out_features})"
        case nn.Conv2d():
            kernel = "x".join(map(str, module.kernel_size))
            more = "" if kernel == "1x1" else f", {kernel}"
            more += "" if set(module.stride) == {1} else f", stride {module.stride[0]}"
            return f"Conv2d({module.in_channels} -> {module.out_channels}{more})"
        case nn.GroupNorm():
            return f"GroupNorm({module.num_groups}, {module.num_channels})"
        case nn.LayerNorm():
            return f"LayerNorm({', '.join(map(str, module.normalized_shape))})"
        case nn.Dropout():
            return f"Dropout({module.p:g})"
        case Attention():
            return f"Attention({module.heads} heads of {module.inner_dim // module.heads})"
    return type(module).__name__
