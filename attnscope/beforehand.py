"""What can be known of a model before anything runs: what a capture will take, and every step of the UNet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from attnscope.capture.branches import Layout
    from attnscope.capture.options import StepSelection
    from attnscope.capture.plan import Plan
    from attnscope.capture.sites import LayerSelection
    from attnscope.widget.scope import Scope

__all__ = ["anatomy", "estimate"]


def estimate(
    unet_or_pipe: Any,
    *,
    height: int | None = None,
    width: int | None = None,
    num_inference_steps: int = 50,
    prompt: str | Sequence[str] | None = None,
    negative_prompt: str | Sequence[str] | None = None,
    prompt_2: str | Sequence[str] | None = None,
    negative_prompt_2: str | Sequence[str] | None = None,
    num_images_per_prompt: int = 1,
    kinds: str | Sequence[str] = ("cross",),
    layers: LayerSelection = None,
    steps: StepSelection = None,
    branches: str | Sequence[str] = "cond",
    layout: Layout = None,
    tokens: str = "prompt",
    labels: Sequence[str] | None = None,
    dtype: Any = None,
    measure: bool = False,
    budget: int | str | None = None,
    reduce: str | Sequence[str] = (),
    store: str | Path | None = None,
    scope: Scope | None = None,
    model_dtype: Any = None,
) -> Plan:
    """Tell how much memory a capture will take, without running it.

    From shapes alone, as `anatomy`: a UNet of the same configuration runs on the meta device, which takes some seconds
    for the largest. No weights are read, so that there need not be any.

    Parameters
    ----------
    unet_or_pipe
        A diffusers pipeline with a ``UNet2DConditionModel``, such a UNet (also one on the meta device), or the
        configuration of one as a dict (``UNet2DConditionModel.load_config(...)``).
    height, width
        Of the picture, in pixels. What the model is made for where they are not given.
    num_inference_steps
        As the pipeline is called. Its scheduler tells how many calls of the UNet that makes (``n`` steps of Heun's
        method make ``2n - 1``); a UNet alone is called once a step.
    prompt, negative_prompt, prompt_2, negative_prompt_2
        As the pipeline is called. Where the text of a branch is not known (no ``prompt``, no tokenizer, an editing
        prompt), every position of it counts, and the result says so.
    num_images_per_prompt
        As the pipeline is called; the size of the batch where there is none.
    kinds, layers, steps, branches, layout, tokens, labels, dtype, measure, reduce, store, scope
        As `capture` takes them, so that one set of options goes to both. Tokens of image prompts are not known before
        the pipeline is called, and ``"image"`` alone is refused. Nothing is written to ``store``, or shown in
        ``scope``.
    budget
        As `capture` takes it: what is larger raises, unless it goes to a ``store``.
    model_dtype
        In which the model will compute, and so queries and keys are kept; its own where it is not given.

    Returns
    -------
    Plan
        With ``nbytes``, what `Capture.nbytes` is going to be; ``bytes_per_step``; ``working_nbytes``, what means over
        steps take beside it until the run ends; ``table``, by kind and grid; and ``notes``, what had to be assumed.
        Pictures, previews, labels and the norms of ``measure`` are not counted.

    Raises
    ------
    BudgetError
        If it is more than ``budget``; its ``choices`` fit.
    CaptureError
        If there is no UNet, or it cannot be run at this size.
    UnknownLayerError
        If ``layers`` names no layer of the model.
    ValueError
        If a size, a kind or another option is none that there is.

    Examples
    --------
    >>> import attnscope
    >>> pipe = attnscope.demo.pipeline()
    >>> plan = attnscope.estimate(pipe, prompt="a green star", num_inference_steps=2, layers="up.*")
    >>> plan
    <attnscope.Plan: ...B: 2 steps of ...B, 1 row, ... tokens, float16>
    ...kind...grid...layers...heads...a step...bytes
    ...
    >>> with attnscope.capture(pipe, layers="up.*") as cap:
    ...     image = pipe("a green star", num_inference_steps=2).images[0]
    >>> cap.nbytes == plan.nbytes
    True
    """
    from attnscope.capture.estimate import estimate
    from attnscope.capture.options import read_options

    return estimate(
        unet_or_pipe,
        read_options(
            kinds=kinds,
            layers=layers,
            steps=steps,
            branches=branches,
            layout=layout,
            tokens=tokens,
            labels=labels,
            dtype=dtype,
            measure=measure,
            budget=budget,
            reduce=reduce,
        ),
        height=height,
        width=width,
        num_inference_steps=num_inference_steps,
        prompts={
            "prompt": prompt,
            "negative_prompt": negative_prompt,
            "prompt_2": prompt_2,
            "negative_prompt_2": negative_prompt_2,
        },
        num_images_per_prompt=num_images_per_prompt,
        model_dtype=model_dtype,
        on_disk=store is not None,
    )


def anatomy(unet_or_pipe: Any, height: int = 512, width: int = 512) -> pd.DataFrame:
    """Take a UNet apart: every step that it takes, with shapes, as a table.

    The model does not run and its weights are not read: one of the same configuration runs on the meta device, where
    tensors have shapes only, with the processors that form their scores (``AttnProcessor``). So adapters that were
    loaded (LoRA, IP-Adapter) are not in it. All that is listed was seen in that run, but for ``keep residual``, which
    is no operation: it stands at the head of a part whose last step adds the part's own input.

    Parameters
    ----------
    unet_or_pipe
        A ``UNet2DConditionModel``, or a diffusers pipeline that has one.
    height, width
        Of the picture, in pixels: multiples of the pipeline's ``vae_scale_factor``, of 8 for a UNet alone.

    Returns
    -------
    pandas.DataFrame
        One row a step, in order; the rows of what a step calls follow it, under a ``part`` of their own.

        * ``layer``: label as in captures (``up.1.0``; with depth ``down.1.0.3``); the UNet's block (``down.1``)
          outside the transformers, and empty outside the blocks.
        * ``part``: where the step stands: ``Transformer2DModel``, ``BasicTransformerBlock``, ``attn1``, ``attn2``,
          ``ff``, ... An attention is there twice: in stages as ``attn2``, and step by step as ``attn2.processor``,
          its scores as ``attn2.get_attention_scores``.
        * ``operation``: the module as its parent calls it, or the method, or the function.
        * ``module``: dotted path of the module, else of that which the step stands in. A processor's path is
          its key in ``unet.attn_processors``.
        * ``definition``: ``Linear(768 -> 320)``, or the functions that ran (``permute & reshape``). ``off: ...`` is an
          optional step of the processor, with the setting by which this model skips it.
        * ``input``, ``output``: the shape, for one picture and no guidance, so that the batch is 1 (and 8 where 8
          heads are folded into it). Of several tensors a tuple of shapes.

    Raises
    ------
    CaptureError
        If there is no UNet, or it cannot be walked at this size.
    ValueError
        If ``height`` or ``width`` is no positive multiple of what one cell of the latents stands for.

    Examples
    --------
    >>> import attnscope
    >>> table = attnscope.anatomy(attnscope.demo.pipeline(), height=64, width=96)
    >>> stages = table.query("layer == 'down.1.0' and part == 'attn2'")
    >>> stages["operation"].tolist()
    ['query, key, value', 'split heads', 'attention', 'merge heads', 'to_out']
    >>> table[table["module"].str.endswith(".processor")]["module"].nunique()
    32
    """
    from attnscope.capture.anatomy import anatomy

    return anatomy(unet_or_pipe, height, width)
