"""The figures that attnscope is held to, measured here and now: ``python benchmarks/bench.py``.

Times of a capture are ratios, measured side by side in one process in interleaved pairs, on models of random weights;
nothing is downloaded. ``--quick`` shrinks models and files: it shows that the bench works and judges no time. On two
cores the whole takes about half an hour; the machine must be quiet.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import browser
import memory
import pipelines
import report
import speed
import startup
import torch
from report import Figure

#: By name, in the order of running.
GROUPS: dict[str, Callable[..., list[Figure]]] = {
    "import": startup.importing,
    "open": startup.opening,
    "bundle": startup.bundle,
    "browser": browser.browser,
    "demo": startup.demo,
    "memory": memory.memory,
    "capture": speed.capture,
    "live": speed.live,
    "rivals": speed.rivals,
}
#: Judged in full only: a narrow model has other ratios.
_NARROW = {"memory", "capture", "live", "rivals"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small models and files, few repetitions")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results there too")
    parser.add_argument("--only", nargs="+", choices=GROUPS, metavar="NAME", help=f"some of: {', '.join(GROUPS)}")
    parser.add_argument("--pairs", type=int, metavar="N", help="pairs of runs for each ratio (7; --quick 3)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of torch (its own choice)")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
        os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # for the processes that are started from here
    where = report.conditions(sys.argv[1:], torch.get_num_threads())
    if where["load_average"] > report.QUIET:
        _say(f"WARNING: load average {where['load_average']}: other work is running, and times will say little.")
    where["model"] = pipelines.describe(quick=arguments.quick)
    figures: list[Figure] = []
    failed = False
    for name in arguments.only or GROUPS:
        started = time.perf_counter()
        _say(f"{name} ...")
        try:
            found = GROUPS[name](quick=arguments.quick, pairs=arguments.pairs or (3 if arguments.quick else 7))
        except Exception as error:
            traceback.print_exc()
            failed = True
            found = [Figure(name, None, "", None, "not measured", note=f"{type(error).__name__}: {error}", failed=True)]
        for figure in found:
            figure.group = name
            figure.judged = figure.judged and not (arguments.quick and name in _NARROW)
        figures += found
        gc.collect()
        _say(f"{name}: {time.perf_counter() - started:.0f} s")
    where["load_average_at_the_end"] = round(os.getloadavg()[0], 2)
    print(report.show(figures, where))
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_json(figures, where), indent=2) + "\n", encoding="utf-8")
    return int(failed)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
