"""Peak memory of a run, by the operating system's own count: run in a process of its own.

The C library is told to give every larger block back to the system when it is freed (`ENVIRONMENT`), so that the
resident set is what is in use, and not what was once. Then the kernel's high-water mark (VmHWM, reset through
/proc/self/clear_refs) is the peak of a part of a program. Linux only.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from report import Figure

ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}
STEPS = 20
#: The other way holds all probabilities of a step at once; more steps would only add what it keeps.
RIVAL_STEPS = 2


def memory(*, quick: bool, pairs: int) -> list[Figure]:
    """What a capture needs at the peak, beyond the uncaptured run and what it keeps."""
    del pairs
    if not Path("/proc/self/clear_refs").exists():
        msg = "this system has no /proc/self/clear_refs to reset the high-water mark with"
        raise OSError(msg)
    command = [sys.executable, str(Path(__file__)), "quick" if quick else "full"]
    answer = subprocess.run(command, env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True)
    seen = json.loads(answer.stdout.splitlines()[-1])
    none, ours, article = seen["plain"], seen["capture"], seen["article"]
    extra = ours["peak"] - none["peak"] - ours["kept"]
    how = (
        "in a process of its own: high-water mark of the resident set (VmHWM, reset before each run) of a run of "
        f"{STEPS} steps with capture, less that of a run without, less the bytes kept; over the bytes kept. Blocks "
        "above 64 kB go back to the system when they are freed (glibc's MALLOC_MMAP_THRESHOLD_)"
    )
    again = abs(seen["plain again"]["peak"] - none["peak"])
    theirs = article["peak"] - none["peak"]
    return [
        Figure(
            f"peak memory beyond the data kept of {STEPS} steps",
            100 * extra / ours["kept"],
            "%",
            10,
            how,
            note=f"{extra / 1e6:.1f} MB beyond {ours['kept'] / 1e6:.1f} MB kept; below zero where the run's own peak "
            f"comes before all is kept. The uncaptured run needs {none['peak'] / 1e6:.0f} MB above the weights; "
            f"measured a second time it differed by {again / 1e6:.1f} MB",
        ),
        Figure(
            "peak memory of a storing AttnProcessor's run, against the uncaptured",
            article["peak"] / none["peak"],
            "x",
            None,
            how,
            note=f"{theirs / 1e6:.0f} MB more with {RIVAL_STEPS} steps; {article['kept'] / 1e6:.0f} MB of it is kept. "
            f"attnscope's run of {STEPS} steps, against the uncaptured: {ours['peak'] / none['peak']:.3f}x",
        ),
    ]


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def _measure(pipe: Any, variant: Any, steps: int) -> dict[str, int]:
    from pipelines import paint

    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # resets VmHWM
    before = _status("VmRSS")
    with variant(pipe) as kept:
        paint(pipe, steps)
    return {"peak": _status("VmHWM") - before, "kept": kept()}


def main() -> None:
    import pipelines
    from variants import ARTICLE, captured, plain

    pipe = pipelines.build(quick=sys.argv[1] == "quick")
    runs = {
        "plain": (plain, 2),
        "capture": (captured(kinds=("cross",)), STEPS),
        "plain again": (plain, 2),
        "article": (ARTICLE, RIVAL_STEPS),
    }
    for variant, _ in runs.values():
        _measure(pipe, variant, 1)  # what is loaded and set up once is no part of it
    print(json.dumps({name: _measure(pipe, *run) for name, run in runs.items()}))


if __name__ == "__main__":
    main()
