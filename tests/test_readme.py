"""What README and notebooks show, runs."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]


def test_the_tour_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    tour = "\n".join(blocks[1:]).replace("num_inference_steps=20", "num_inference_steps=13")
    names = {}
    exec(compile(tour, "README.md", "exec"), names)
    assert (tmp_path / "circle.pdf").read_bytes().startswith(b"%PDF")
    assert "attnscope" in (tmp_path / "circle.html").read_text()
    assert names["scope"].selected.dims == ("key",)  # where one pixel looks, at last


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_run_and_are_stored_without_outputs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    shown = [set(output.get("data", {})) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any({"application/vnd.jupyter.widget-view+json", "image/png", "text/html"} <= kinds for kinds in shown)
