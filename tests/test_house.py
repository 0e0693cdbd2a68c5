"""Arrows in the house run one way, and nothing heavy comes in by the front door."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import attnscope

PACKAGE = Path(attnscope.__file__).parent
#: Left to right; a room may import from itself and from what lies left of it.
ROOMS = ["errors", "capture", "maps", "analysis", "figures", "widget"]
MODELS = {"torch", "diffusers", "transformers"}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(path):
    """Every imported module, and whether it is imported when the file is."""
    tree = ast.parse(path.read_text())
    lazy = {id(node) for outer in ast.walk(tree) if isinstance(outer, ast.FunctionDef) for node in ast.walk(outer)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((name, id(node) not in lazy) for name in [node.module, *names])


def room(module):
    parts = module.split(".")
    return parts[1] if parts[0] == "attnscope" and len(parts) > 1 else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_imports_from_its_right(path):
    here = room(".".join(["attnscope", *path.relative_to(PACKAGE).with_suffix("").parts]))
    for module, _ in imports(path):
        if here != "__main__":  # a program of its own, which runs the pipeline
            assert module.split(".")[0] not in MODELS or here in ("capture", "demo"), f"{here} imports {module}"
        there = room(module)
        if here in ROOMS and there in ROOMS:
            assert ROOMS.index(there) <= ROOMS.index(here), f"{here} imports {module}, which lies right of it"
        if here in ROOMS:
            assert there not in ("api", "demo"), f"{here} imports {module}"
        if here == "demo":
            assert there in ("demo", None), f"demo imports {module}"


def test_the_front_door_is_light():
    heavy = ["torch", "diffusers", "transformers", "anywidget", "ipywidgets", "plotly", "matplotlib", "PIL"]
    code = f"import attnscope, sys; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_capture_stays_the_function():
    import attnscope.capture.probe
    import attnscope.capture.session

    assert callable(attnscope.capture)
    assert attnscope.capture.__module__ == "attnscope.api"


def test_every_public_name_is_there():
    for name in attnscope.__all__:
        assert getattr(attnscope, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'captur'"):
        attnscope.captur  # noqa: B018
