"""What a measurement says, and how all of them are shown."""

from __future__ import annotations

import os
import platform
import statistics
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

#: Above this the machine is busy with something else, and times say little.
QUIET = 0.5
_WIDTH = 120
_PACKAGES = ("attnscope", "torch", "diffusers", "transformers", "numpy", "xarray", "zarr")


@dataclass
class Figure:
    """One line of the table.

    Parameters
    ----------
    what
        What was measured.
    value
        The figure; None where it could not be measured (`note` says why).
    unit
        ``"x"`` for ratios, ``"s"``, ``"ms"``, ``"kB"``, ``"MB"``, ``"%"``.
    reach
        At most this is to be reached; None where nothing was promised.
    how
        What was run, and how the figure follows from it.
    spread
        Smallest and largest of the repetitions.
    note
        What else is worth knowing.
    judged
        False where the conditions are not those of the promise (``--quick``).
    """

    what: str
    value: float | None
    unit: str
    reach: float | None
    how: str
    spread: tuple[float, float] | None = None
    note: str = ""
    judged: bool = True
    group: str = ""
    failed: bool = False

    @property
    def met(self) -> str:
        if self.failed:
            return "FAILED"
        if self.reach is None:
            return ""
        if self.value is None:
            return "NOT MEASURED"
        if not self.judged:
            return "(quick)"
        return "yes" if self.value <= self.reach else "NO"

    def shown(self, number: float) -> str:
        """With three significant digits or so, and its unit."""
        if self.unit == "x":
            return f"{number:.3f}x"
        digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2
        return f"{number:.{digits}f} {self.unit}"


@dataclass
class Samples:
    """Repetitions of one measurement: the median stands for them."""

    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.values), max(self.values)

    def __len__(self) -> int:
        return len(self.values)


def repeat(measure: Callable[[], float], times: int) -> Samples:
    return Samples([measure() for _ in range(times)])


def conditions(arguments: Sequence[str], threads: int) -> dict[str, Any]:
    """Where and with what the figures were measured."""
    return {
        "command": " ".join(["python benchmarks/bench.py", *arguments]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "torch_threads": threads,
        "load_average": round(os.getloadavg()[0], 2),
        "system": platform.platform(aliased=True, terse=True),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def show(figures: Iterable[Figure], where: dict[str, Any]) -> str:
    """The table, and under it how each figure was measured."""
    figures = list(figures)
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    lines = [
        f"{where['command']}    ({where['date']})",
        f"{where['processor']}, {where['cores']} cores, {where['torch_threads']} torch threads, {where['system']}",
        f"Python {where['python']}, {versions}",
        f"model of memory, capture, live and rivals: {where['model']}",
        f"load average at the start: {where['load_average']}, at the end: {where['load_average_at_the_end']}",
    ]
    if where["load_average"] > QUIET:
        lines.append(f"WARNING: the load average was above {QUIET}: other work was running, and times say little.")
    rows = [("", "what", "figure", "spread", "to reach", "met")]
    for number, figure in enumerate(figures, 1):
        spread = "" if figure.spread is None else " to ".join(figure.shown(edge) for edge in figure.spread)
        value = "-" if figure.value is None else figure.shown(figure.value)
        reach = (
            ""
            if figure.reach is None
            else f"{figure.reach:g}{figure.unit if figure.unit == 'x' else f' {figure.unit}'}"
        )
        rows.append((str(number), figure.what, value, spread, reach, figure.met))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))
    lines += ["", *("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows), ""]
    said: dict[str, list[str]] = {}
    for number, figure in enumerate(figures, 1):
        said.setdefault(f"--only {figure.group}: {figure.how}", []).append(str(number))
    for how, numbers in said.items():
        lines += _wrapped(f"[{', '.join(numbers)}]", how)
    for number, figure in enumerate(figures, 1):
        lines += _wrapped(f"[{number}] note:", figure.note) if figure.note else []
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(f"{label} {text}", _WIDTH, subsequent_indent="    ", break_on_hyphens=False)


def as_json(figures: Iterable[Figure], where: dict[str, Any]) -> dict[str, Any]:
    return {"conditions": where, "figures": [asdict(figure) | {"met": figure.met} for figure in figures]}
