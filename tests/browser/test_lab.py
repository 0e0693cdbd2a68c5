"""Scopes in a real JupyterLab: the quickstart notebook, and a kernel that talks back."""

import shutil
from pathlib import Path

import nbformat
import notebook_page
import pytest
from nbclient import NotebookClient
from pages import ScopePage

QUICKSTART = Path(__file__).parents[2] / "notebooks/01_quickstart.ipynb"


@pytest.fixture
def quickstart(open_notebook, host_folder):
    shutil.copy(QUICKSTART, host_folder)
    notebook = open_notebook(QUICKSTART.name)
    notebook.run_all()
    notebook.page.wait_for_selector(".jp-OutputArea-output .attnscope")
    return notebook


def test_the_quickstart_from_first_cell_to_last(quickstart, artifacts):
    page = quickstart.page
    scope = ScopePage(page)
    scope.root.scroll_into_view_if_needed()
    assert scope.level == "unet"
    assert len(scope.layers()) == 16
    page.screenshot(path=artifacts / "lab-overview-light.png")

    scope.choose(3)
    scope.open_layer("up.2.1")
    assert scope.level == "layer"
    scope.open_head(1)
    assert scope.level == "head"
    scope.arrived()

    scope.hover(0.2, 0.2)
    before = scope.bars()
    scope.hover(0.5, 0.35)
    assert scope.bars() != before
    page.mouse.move(2, 2)
    scope.arrived()
    late = scope.look()
    scope.scrub(0)
    scope.arrived()
    assert "step 0/20" in scope.legend()
    assert "head 1" in scope.legend()
    assert scope.look() != late
    assert scope.errors() == []

    quickstart.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
    page.wait_for_selector('body[data-jp-theme-light="false"]', state="attached")
    page.wait_for_timeout(800)
    background = scope.root.evaluate("root => getComputedStyle(root).backgroundColor")
    red, green, blue = (int(part) for part in background.strip("rgba()").split(",")[:3])
    assert max(red, green, blue) < 80, background
    page.screenshot(path=artifacts / "lab-head-dark.png")

    quickstart.wait_for_cells()
    assert not quickstart.errors_said()


def test_keys_stay_in_the_scope(open_notebook, saved):
    """``d d`` deletes a cell in JupyterLab; typed into a scope it does not."""
    notebook = open_notebook("keys.ipynb", saved, "attnscope.Scope(cap)")
    notebook.run_all()
    scope = ScopePage(notebook.page)
    count = notebook.cell_count()
    scope.root.locator('.as-tile[data-layer="mid.0"]').focus()
    for key in "ddar1":
        notebook.page.keyboard.press(key)
    notebook.page.wait_for_timeout(300)
    assert notebook.cell_count() == count


def test_a_notebook_of_someone_else_shows_the_picture(open_notebook, host_folder, saved):
    """It is not trusted, so no widget of it runs; and of this one there is no kernel any more."""
    theirs = notebook_page.new(saved, "attnscope.Scope(cap)")
    nbformat.write(NotebookClient(theirs, store_widget_state=False).execute(), host_folder / "theirs.ipynb")
    page = open_notebook("theirs.ipynb").page
    assert page.wait_for_selector("figure img").evaluate("img => img.naturalWidth") > 600
    assert page.locator(".attnscope").count() == 0


def test_python_moves_the_view_and_the_view_moves_python(open_notebook, saved):
    notebook = open_notebook("both_ways.ipynb", saved, "scope = attnscope.Scope(cap)\nscope", "attnscope.Scope(cap)")
    notebook.run_all()
    notebook.wait_for_cells()
    first, other = ScopePage(notebook.page), ScopePage(notebook.page, index=1)

    notebook.run("scope.layer, scope.level, scope.token = 'up.1.0', 'layer', 'red'")
    notebook.page.wait_for_selector('.attnscope >> nth=0 >> .as-tile[data-head="1"]')
    first.arrived()
    assert "up.1.0" in first.legend()
    assert "token ‘red’" in first.legend()
    assert (first.level, other.level) == ("layer", "unet")

    first.open_head(2)
    first.click_picture(0.25, 0.75)
    notebook.wait_for_kernel()
    assert notebook.run("print(scope.level, scope.head, [round(at, 2) for at in scope.uv])") == "head 2 [0.25, 0.75]"
    assert notebook.run("print(scope.code())").startswith('cap.layer("up.1.0")')

    assert "head=99 does not exist" in notebook.run("scope.head = 99")
    assert first.level == "head"
    assert first.errors() == []


def test_a_busy_kernel_still_answers(open_notebook, saved, tmp_path):
    """Maps come while a cell runs: requests are heard in a thread of their own."""
    done = tmp_path / "done"
    wait = f"import time\nfrom pathlib import Path\nwhile not Path({str(done)!r}).exists(): time.sleep(0.1)"
    notebook = open_notebook("busy.ipynb", saved, "scope = attnscope.Scope(cap)\nscope", wait)
    notebook.run_all()
    scope = ScopePage(notebook.page)
    scope.open_layer("up.1.1")
    scope.open_head(1)
    scope.arrived()
    assert "head 1" in scope.legend()
    assert notebook.page.locator(".jp-InputPrompt").last.inner_text() == "[*]:"
    done.touch()
    notebook.wait_for_cells()
    notebook.wait_for_kernel()
    assert notebook.run("print(scope.level, scope.layer, scope.head)") == "head up.1.1 1"


LIVE = """
import time
from pathlib import Path
import torch, attnscope
pipe = attnscope.demo.pipeline()
pipe.set_progress_bar_config(disable=True)
go_on = Path({folder!r})

def wait(pipe, step, timestep, tensors):
    while step >= 2 and not (go_on / str(step)).exists():
        time.sleep(0.05)
    return tensors
"""
RUN = """
with attnscope.capture(pipe, scope=scope) as cap:
    pipe("a red circle above a blue square", num_inference_steps=6, callback_on_step_end=wait,
         generator=torch.Generator().manual_seed(0))
"""


def test_a_scope_fills_while_a_cell_runs(open_notebook, tmp_path, artifacts):
    """It is displayed before anything ran; steps come while the cell goes on, and can be opened meanwhile."""
    cells = [LIVE.format(folder=str(tmp_path)), "scope = attnscope.Scope(token='circle')\nscope", "scope", "", RUN]
    notebook = open_notebook("live.ipynb", *cells)
    page = notebook.page
    notebook.run_all()
    first = ScopePage(page)
    page.wait_for_function("() => document.querySelector('.as-follow')?.textContent === 'live 3/6'")
    scope = ScopePage(page)
    assert "step 2/6" in scope.legend()
    assert "token ‘circle’" in scope.legend()
    page.screenshot(path=artifacts / "lab-live.png")

    # The kernel is busy, and answers.
    running = page.locator(".jp-InputPrompt").last
    scope.open_layer("up.2.1")
    scope.open_head(1)
    scope.arrived()
    assert "head 1" in scope.legend()
    scope.hover(0.5, 0.3)
    assert scope.bars()
    assert running.inner_text() == "[*]:"

    # Gone back: the next step comes, and what is looked at stays; the other display shows the same.
    scope.scrub(0)
    (tmp_path / "2").touch()
    page.wait_for_function("() => document.querySelector('.as-follow').textContent === 'follow 4/6'")
    scope.arrived()
    assert "step 0/6" in scope.legend()
    assert "step 0/6" in ScopePage(page, index=1).legend()
    scope.root.locator(".as-follow").click()
    scope.arrived()
    assert "step 3/6" in scope.legend()
    (tmp_path / "3").touch()
    page.wait_for_function("() => document.querySelector('.as-legend').textContent.includes('step 4/6')")
    scope.arrived()
    assert running.inner_text() == "[*]:"

    for step in (4, 5):
        (tmp_path / str(step)).touch()
    notebook.wait_for_cells()
    notebook.wait_for_kernel()
    page.wait_for_function("() => !document.querySelector('.as-follow')")
    assert page.locator(".as-picture-pane.as-bare").count() == 0
    assert "step 5/6" in first.legend()
    assert notebook.run("print(scope.step, scope.level, scope.head)") == "5 head 1"
    assert first.errors() == []
