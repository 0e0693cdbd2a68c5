"""The front-end in headless Chromium: ``bench.ts`` in js/tests measures, this reads what it says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from report import Figure

_JS = Path(__file__).parent.parent / "js"
#: What is held to a figure, in milliseconds: words that all stand in the name of the number.
_REACH = {
    ("hover", "frame_p95"): 16.0,
    ("step", "frame_p95"): 16.0,
    ("first_paint",): 1000.0,
    ("coarse_ms",): 100.0,
    ("full_ms",): 300.0,
}


def browser(*, quick: bool, pairs: int) -> list[Figure]:
    """Hover and first paint."""
    del quick, pairs
    script = next(iter(sorted((_JS / "tests").rglob("bench.ts"))), None)
    runner = _JS / "node_modules" / ".bin" / "tsx"
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    needed = {"js/tests/**/bench.ts": script, "tsx in js/node_modules": runner.exists(), "chromium": chromium}
    how = "`tsx bench.ts` in js/: headless Chromium without a GPU, without network"
    if lacking := [name for name, found in needed.items() if not found]:
        note = f"{' and '.join(lacking)} is not there"
        return [Figure(" ".join(words), None, "ms", reach, how, note=note) for words, reach in _REACH.items()]
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run(
            [str(runner), str(script), str(_demo(Path(folder) / "demo.html"))],
            cwd=_JS,
            env=os.environ | {"CHROMIUM": str(chromium)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    numbers = dict(_numbers(json.loads(answer.stdout[answer.stdout.index("{") :])))
    figures = [
        Figure(name, number, "ms", reach, how)
        for words, reach in _REACH.items()
        for name, number in numbers.items()
        if all(word in name.lower() for word in words)
    ]
    if not figures:
        msg = f"{script} gave none of {', '.join(' '.join(words) for words in _REACH)}: {numbers}"
        raise ValueError(msg)
    shown = {figure.what for figure in figures}
    figures[-1].note = "also: " + ", ".join(f"{name} {value:g}" for name, value in numbers.items() if name not in shown)
    return figures


def _demo(path: Path) -> Path:
    """Write the page of a run of the demo pipeline."""
    import attnscope

    pipe = attnscope.demo.pipeline()
    pipe.set_progress_bar_config(disable=True)
    with attnscope.capture(pipe) as cap:
        pipe("a red circle above a blue square", num_inference_steps=20, generator=torch.Generator().manual_seed(0))
    return attnscope.Scope(cap, token="circle").to_html(path)


def _numbers(said: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a nested object, by the names on its way."""
    if isinstance(said, dict):
        for name, inner in said.items():
            yield from _numbers(inner, f"{path} {name}".strip())
    elif isinstance(said, list):
        for index, inner in enumerate(said):
            yield from _numbers(inner, f"{path} {index}")
    elif isinstance(said, (int, float)) and not isinstance(said, bool):
        yield path, float(said)
