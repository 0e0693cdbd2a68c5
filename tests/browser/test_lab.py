"""The quickstart notebook in a real JupyterLab."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from pages import ScopePage

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
QUIET = [
    "--no-browser",
    "--allow-root",
    "--expose-app-in-browser",
    "--IdentityProvider.token=",
    "--ServerApp.disable_check_xsrf=True",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A server over a copy of the notebooks, with a home of its own."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(NOTEBOOKS, folder / "notebooks", ignore=shutil.ignore_patterns("*.zarr", ".*"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = folder / ".jupyter/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    env = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    env |= {"HOME": str(folder), "IPYTHONDIR": str(folder / "ipython"), "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-m", "jupyterlab", f"--port={port}", "--ServerApp.ip=127.0.0.1", *QUIET]
    log = (folder / "server.log").open("w")
    server = subprocess.Popen([*command, f"--ServerApp.root_dir={folder}"], env=env, stdout=log, stderr=log, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{url}/api/status", timeout=2)
            break
        except OSError:
            assert server.poll() is None, (folder / "server.log").read_text()[-3000:]
            time.sleep(0.25)
    yield url
    server.terminate()
    server.wait(20)


@pytest.fixture
def open_notebook(lab, open_page):
    """Open a notebook and wait for its kernel; a command given earlier would ask which kernel to take."""

    def open_(path):
        page = open_page(f"{lab}/lab/tree/{path}", width=1400, height=1000)
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
        page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady")
        page.wait_for_function(
            "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
        )
        return page

    return open_


@pytest.fixture
def notebook(open_notebook):
    return open_notebook("notebooks/01_quickstart.ipynb")


def command(page, name, arguments=None):
    """Start a command; what it does is waited for by what it shows."""
    page.evaluate("([name, args]) => void window.jupyterapp.commands.execute(name, args)", [name, arguments or {}])


def test_the_quickstart_from_first_cell_to_last(notebook, artifacts):
    page = notebook
    command(page, "notebook:run-all-cells")
    page.wait_for_selector(".jp-OutputArea-output .attnscope")
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
    scope.scrub(0)
    assert scope.errors() == []

    command(page, "apputils:change-theme", {"theme": "JupyterLab Dark"})
    page.wait_for_selector('body[data-jp-theme-light="false"]', state="attached")
    page.wait_for_timeout(800)
    background = scope.root.evaluate("root => getComputedStyle(root).backgroundColor")
    red, green, blue = (int(part) for part in background.strip("rgba()").split(",")[:3])
    assert max(red, green, blue) < 80, background
    page.screenshot(path=artifacts / "lab-head-dark.png")

    page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-InputPrompt')].every((e) => !e.textContent.includes('*'))",
    )
    failed = page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]').all_inner_texts()
    assert not [text for text in failed if "Traceback" in text or "Error" in text]
    assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0


def test_keys_stay_in_the_scope(notebook):
    """``d d`` deletes a cell in JupyterLab; typed into a scope it does not."""
    page = notebook
    if page.locator(".attnscope").count() == 0:
        command(page, "notebook:run-all-cells")
    page.wait_for_selector(".jp-OutputArea-output .attnscope")
    scope = ScopePage(page)
    cells = "window.jupyterapp.shell.currentWidget.content.model.cells.length"
    count = page.evaluate(cells)
    scope.root.locator('.as-tile[data-layer="mid.0"]').focus()
    for key in "ddar1":
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    assert page.evaluate(cells) == count


@pytest.mark.xfail(strict=False, reason="open: in late runs neither hover nor scrub changed the view in a notebook")
def test_hover_and_scrub_in_the_notebook(notebook):
    page = notebook
    if page.locator(".attnscope").count() == 0:
        command(page, "notebook:run-all-cells")
    page.wait_for_selector(".jp-OutputArea-output .attnscope")
    scope = ScopePage(page)
    scope.open_layer("up.2.1")
    scope.open_head(1)
    scope.hover(0.2, 0.2)
    before = scope.bars()
    scope.hover(0.5, 0.35)
    assert scope.bars() != before
    page.mouse.move(2, 2)
    late = scope.look()
    scope.scrub(0)
    assert "step 0/20" in scope.legend()
    assert scope.look() != late
