"""What one waits for: the import, a saved capture, the demo; and the size of what is sent."""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from report import Figure, Samples, repeat

import attnscope

_STATIC = Path(attnscope.__file__).parent / "static"
_PROMPT = "a red circle above a blue square"
_DEMO_STEPS = 20


def _in_new_process(code: str) -> list[float]:
    """Numbers that ``code`` prints."""
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [float(number) for number in answer.stdout.split()]


# --- import -----------------------------------------------------------------------------------------------------------

_IMPORT = """
import time, numpy, xarray
start = time.perf_counter()
import attnscope
print(time.perf_counter() - start)
"""


def importing(*, quick: bool, pairs: int) -> list[Figure]:
    """Seconds of ``import attnscope`` once numpy and xarray are there."""
    del pairs
    _in_new_process(_IMPORT)
    seconds = repeat(lambda: _in_new_process(_IMPORT)[0], 3 if quick else 9)
    how = f"median of {len(seconds)} new processes, files cached: seconds of `import attnscope` after numpy and xarray"
    return [Figure("import attnscope, beyond numpy and xarray", seconds.median, "s", 0.3, how, seconds.spread)]


# --- open -------------------------------------------------------------------------------------------------------------

_OPEN = """
import time, attnscope
for _ in range(2):
    start = time.perf_counter()
    attnscope.open({path!r})
    print(time.perf_counter() - start)
start = time.perf_counter()
attnscope.open({path!r}).layer("up.1.0.0").isel(step=0, head=0).load()
print(time.perf_counter() - start)
"""
#: Depths of SDXL's transformers and its heads, by grid.
_SDXL: dict[str, Any] = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
}


def opening(*, quick: bool, pairs: int) -> list[Figure]:
    """Seconds of ``attnscope.open`` of a large capture."""
    del pairs
    steps = 2 if quick else 22
    with tempfile.TemporaryDirectory(prefix="attnscope-bench-") as folder:
        path = Path(folder) / "run.zarr"
        cap = attnscope.Capture(sdxl_recording(steps))
        size, layers = cap.nbytes, len(cap.layers)
        cap.save(path)
        del cap
        code = _OPEN.format(path=str(path))
        _in_new_process(code)
        times = [_in_new_process(code) for _ in range(3 if quick else 7)]
        files = sum(1 for file in path.rglob("*") if file.is_file())
    first, again, map_too = (Samples(list(column)) for column in zip(*times, strict=True))
    how = (
        f"median of {len(times)} new processes, files cached; a synthetic capture of SDXL's {layers} layers, {steps} "
        f"steps, 14 tokens: {size / 1e9:.2f} GB of maps in {files} files, written by Capture.save to a temporary folder"
    )
    return [
        Figure(
            "attnscope.open of a 1 GB capture, first in a process",
            first.median,
            "s",
            0.2,
            how,
            first.spread,
            note="with the import of zarr in it, which `import attnscope` leaves for when it is needed",
            judged=not quick,
        ),
        Figure("attnscope.open of it again", again.median, "s", 0.2, how, again.spread, judged=not quick),
        Figure("attnscope.open and one map of one head read", map_too.median, "s", None, how, map_too.spread),
    ]


def sdxl_recording(steps: int) -> Any:
    """What a run of SDXL at 1024x1024 would leave behind, of random numbers."""
    import torch
    from diffusers import UNet2DConditionModel

    from attnscope.capture.recording import GridStore, Recording, Step, Token
    from attnscope.capture.sites import find_sites

    with torch.device("meta"):
        unet = UNet2DConditionModel(**_SDXL)
    sites = [site for site in find_sites(unet) if site.kind == "cross"]
    words = ["an", "oil", "painting", "of", "a", "fox", "in", "a", "field", "of", "poppies", "at"]
    tokens = [Token(0, "<|startoftext|>", "<|startoftext|>", -1, "bos")]
    tokens += [Token(place + 1, word, word, place, "prompt") for place, word in enumerate(words[:11])]
    tokens += [Token(12, "<|endoftext|>", "<|endoftext|>", -1, "eos")]
    tokens += [Token(13, "<|endoftext|>", "<|endoftext|>", -1, "pad", 64)]
    rng = np.random.default_rng(0)
    stores = []
    for grid, heads in (((64, 64), 10), ((32, 32), 20)):
        here = [site for site in sites if site.heads == heads]
        store = GridStore(grid, here, 1, len(tokens), np.dtype(np.float16), steps)
        # One map of random numbers, of which each layer and step takes another turn: nothing to compress.
        maps = rng.random((heads, grid[0] * grid[1], len(tokens)), dtype=np.float32) ** 4
        maps = (maps / maps.sum(-1, keepdims=True)).astype(np.float16)
        for step in range(steps):
            store.append({site.layer: np.roll(maps, 7 * step + i, 1)[None] for i, site in enumerate(here)})
        stores.append(store)
    attrs = {
        "prompt": " ".join(words[:11]),
        "negative_prompt": None,
        "model": "random numbers",
        "pipeline": None,
        "scheduler": None,
        "guidance_scale": 7.5,
        "steps": steps,
        "seed": None,
        "height": 1024,
        "width": 1024,
        "tokens_known": True,
        "truncated": None,
        "missing": [],
    }
    return Recording(
        stores=stores,
        head_widths={site.module: 64 for site in sites},
        steps=[Step(step, 1000 - 1000 * step / steps) for step in range(steps)],
        tokens=tokens,
        size=(1024, 1024),
        attrs=attrs,
        version=1,
    )


# --- sizes and the demo -----------------------------------------------------------------------------------------------


def bundle(*, quick: bool, pairs: int) -> list[Figure]:
    """Kilobytes of the front-end that a notebook loads, script and stylesheet in one."""
    del quick, pairs
    size = len((_STATIC / "widget.js").read_bytes())
    plain = [len((_STATIC / name).read_bytes()) for name in ("standalone.js", "widget.css")]
    note = f"before it is packed: script {plain[0] / 1e3:.1f}, stylesheet {plain[1] / 1e3:.1f}"
    return [Figure("bundle, packed", size / 1e3, "kB", 100, "bytes of attnscope/static/widget.js", note=note)]


_LOAD = """
import time
start = time.perf_counter()
from diffusers import StableDiffusionPipeline
from transformers import CLIPTextModel, CLIPTokenizer
imported = time.perf_counter()
import attnscope
attnscope.demo.pipeline()
print(time.perf_counter() - start, imported - start)
"""


def demo(*, quick: bool, pairs: int) -> list[Figure]:
    """The demo pipeline: load, paint, capture, export."""
    import torch
    from speed import compare
    from variants import captured, plain

    times = [_in_new_process(_LOAD) for _ in range(1 if quick else 3)]
    loads, imports = (Samples(list(column)) for column in zip(*times, strict=True))
    pipe = attnscope.demo.pipeline()
    pipe.set_progress_bar_config(disable=True)
    steps = 4 if quick else _DEMO_STEPS
    found = compare(pipe, captured(), plain, pairs, steps)
    with attnscope.capture(pipe) as cap:
        pipe(_PROMPT, num_inference_steps=_DEMO_STEPS, generator=torch.Generator().manual_seed(0))
    folder = Path(tempfile.mkdtemp(prefix="attnscope-bench-"))
    try:
        scope = attnscope.Scope(cap)
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()) as said:
            size = scope.to_html(folder / "demo.html").stat().st_size
        exported = time.perf_counter() - start
    finally:
        shutil.rmtree(folder)
    how = f"demo pipeline, {_DEMO_STEPS} steps with guidance, {torch.get_num_threads()} threads"
    same = "bit-identical" if found.same else "NOT bit-identical"
    timing = f"median of {pairs} interleaved pairs of runs of {steps} steps in one process, per run; demo pipeline"
    return [
        Figure(
            "self-contained HTML of a 20-step demo capture",
            size / 1e6,
            "MB",
            5,
            f"Scope(cap).to_html(...); {how}",
            note=f"{cap.nbytes / 1e6:.1f} MB of maps, written in {exported:.1f} s; it said {said.getvalue().strip()!r}",
        ),
        Figure(
            "demo: load",
            loads.median,
            "s",
            None,
            f"median of {len(loads)} new processes: attnscope.demo.pipeline(), the first thing done there",
            loads.spread,
            note=f"of which {imports.median:.2f} s the imports of torch, diffusers and transformers",
        ),
        Figure(f"demo: one picture of {steps} steps", found.seconds[1] * steps, "s", None, timing),
        Figure(
            "demo: capture of all cross-attention, time",
            found.ratios.median,
            "x",
            None,
            timing,
            found.ratios.spread,
            note=f"a model of 5 M parameters, where a capture's Python shows most; latents and picture {same}",
        ),
    ]
