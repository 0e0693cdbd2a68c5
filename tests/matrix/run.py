"""``make test-matrix``: the tests with the oldest versions that pyproject.toml claims, and with the newest there are.

One row for each constraints file beside this one, in an environment of its own under ``.matrix/``. What needs a browser
or Jupyter is left to ``make test``, which runs everything with the versions of ``constraints.txt``.
"""

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ROWS = sorted(path.stem for path in HERE.glob("*.txt"))
TESTS = ["tests", "attnscope", "--ignore=tests/browser", "--ignore=tests/test_readme.py"]
NAMED = ["diffusers", "transformers", "torch", "numpy", "pandas", "xarray", "zarr"]
VERSIONS = (
    "import sys, importlib.metadata as m; print(*(f'{name} {m.version(name)}' for name in sys.argv[1:]), sep=', ')"
)


def install(name: str) -> Path | None:
    """Bring the environment of a row up to date; its Python, or None where pip failed."""
    folder = ROOT / ".matrix" / name
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    quietly = ["--quiet", "--disable-pip-version-check", "--upgrade", "--upgrade-strategy", "eager"]
    what = ["--constraint", HERE / f"{name}.txt", "--editable", ".[demo]", "peft", "pytest"]
    done = subprocess.run([python, "-m", "pip", "install", *quietly, *what], cwd=ROOT)
    return None if done.returncode else python


def run(name: str) -> tuple[bool, str]:
    """Test one row: whether it passed, and with which versions."""
    print(f"\n--- {name}: installing ---", flush=True)
    python = install(name)
    if python is None:
        return False, "could not be installed"
    versions = subprocess.check_output([python, "-c", VERSIONS, *NAMED], text=True).strip()
    print(f"--- {name}: {versions} ---", flush=True)
    done = subprocess.run([python, "-m", "pytest", "--quiet", "--disable-warnings", *TESTS], cwd=ROOT)
    return done.returncode == 0, versions


def main(names: list[str]) -> int:
    """Test the rows that are named, or all; 1 if one failed."""
    unknown = set(names) - set(ROWS)
    if unknown:
        print(f"No row is called {', '.join(sorted(unknown))}. Available: {', '.join(ROWS)}")
        return 1
    lines, good = [], True
    for name in names or ROWS:
        started = time.monotonic()
        passed, versions = run(name)
        good = good and passed
        lines.append(f"{name:8} {'passed' if passed else 'FAILED'} {time.monotonic() - started:4.0f} s  {versions}")
    print("", *lines, sep="\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
