"""Scopes in a real JupyterLab: the quickstart notebook, and a kernel that talks back."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
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
def lab_folder(tmp_path_factory):
    """A copy of the notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(NOTEBOOKS, folder / "notebooks", ignore=shutil.ignore_patterns("*.zarr", ".*"))
    return folder


@pytest.fixture(scope="module")
def lab(lab_folder):
    """A server over the notebooks, with a home of its own."""
    folder = lab_folder
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
        # A workspace of its own: JupyterLab would bring back the notebooks of the test before.
        page = open_page(f"{lab}/lab/workspaces/{path.stem}/tree/notebooks/{path.name}", width=1400, height=1000)
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
        page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady")
        wait_for_kernel(page)
        return page

    return open_


@pytest.fixture
def quickstart(open_notebook):
    page = open_notebook(NOTEBOOKS / "01_quickstart.ipynb")
    if page.locator(".attnscope").count() == 0:
        command(page, "notebook:run-all-cells")
    page.wait_for_selector(".jp-OutputArea-output .attnscope")
    return page


@pytest.fixture
def write_notebook(lab_folder):
    def write(name, *cells):
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        path = lab_folder / "notebooks" / name
        nbformat.write(notebook, path)
        return path

    return write


def command(page, name, arguments=None):
    """Start a command; what it does is waited for by what it shows."""
    page.evaluate("([name, args]) => void window.jupyterapp.commands.execute(name, args)", [name, arguments or {}])


def wait_for_kernel(page):
    page.wait_for_function("window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'")


def wait_for_cells(page):
    page.wait_for_function(
        "() => [...document.querySelectorAll('.jp-InputPrompt')].every((e) => !e.textContent.includes('*'))",
    )
    failed = page.locator('[data-mime-type="application/vnd.jupyter.error"]').all_inner_texts()
    assert not failed


def run_in_kernel(page, source):
    """Run a line in the notebook's kernel, as another cell would, and return what it prints."""
    return page.evaluate(
        """async (code) => {
            const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
            const future = kernel.requestExecute({ code, store_history: false });
            let out = "";
            future.onIOPub = ({ header, content }) => {
                if (header.msg_type === "stream") out += content.text;
                if (header.msg_type === "error") out += content.evalue;
            };
            await future.done;
            return out.trim();
        }""",
        source,
    )


def test_the_quickstart_from_first_cell_to_last(quickstart, artifacts):
    page = quickstart
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

    command(page, "apputils:change-theme", {"theme": "JupyterLab Dark"})
    page.wait_for_selector('body[data-jp-theme-light="false"]', state="attached")
    page.wait_for_timeout(800)
    background = scope.root.evaluate("root => getComputedStyle(root).backgroundColor")
    red, green, blue = (int(part) for part in background.strip("rgba()").split(",")[:3])
    assert max(red, green, blue) < 80, background
    page.screenshot(path=artifacts / "lab-head-dark.png")

    wait_for_cells(page)
    said = page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]').all_inner_texts()
    assert not [text for text in said if "Traceback" in text or "Error" in text]


def test_keys_stay_in_the_scope(quickstart):
    """``d d`` deletes a cell in JupyterLab; typed into a scope it does not."""
    page = quickstart
    scope = ScopePage(page)
    cells = "window.jupyterapp.shell.currentWidget.content.model.cells.length"
    count = page.evaluate(cells)
    scope.root.locator('.as-tile[data-layer="mid.0"]').focus()
    for key in "ddar1":
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    assert page.evaluate(cells) == count


CAPTURE = """
import torch, attnscope
pipe = attnscope.demo.pipeline()
pipe.set_progress_bar_config(disable=True)
with attnscope.capture(pipe) as cap:
    pipe("a red circle above a blue square", num_inference_steps=3, generator=torch.Generator().manual_seed(0))
"""


def test_python_moves_the_view_and_the_view_moves_python(open_notebook, write_notebook):
    path = write_notebook("both_ways.ipynb", CAPTURE, "scope = attnscope.Scope(cap)\nscope", "attnscope.Scope(cap)")
    page = open_notebook(path)
    command(page, "notebook:run-all-cells")
    page.wait_for_selector(".jp-OutputArea-output .attnscope >> nth=1")
    wait_for_cells(page)
    first, other = ScopePage(page), ScopePage(page, index=1)

    run_in_kernel(page, "scope.layer, scope.level, scope.token = 'up.1.0', 'layer', 'circle'")
    page.wait_for_selector('.attnscope >> nth=0 >> .as-tile[data-head="1"]')
    first.arrived()
    assert "up.1.0" in first.legend()
    assert "token ‘circle’" in first.legend()
    assert (first.level, other.level) == ("layer", "unet")

    first.open_head(2)
    first.click_picture(0.25, 0.75)
    wait_for_kernel(page)
    assert run_in_kernel(page, "print(scope.level, scope.head, [round(at, 2) for at in scope.uv])") == (
        "head 2 [0.25, 0.75]"
    )
    assert run_in_kernel(page, "print(scope.code())").startswith('cap.layer("up.1.0")')

    assert "head=99 does not exist" in run_in_kernel(page, "scope.head = 99")
    assert first.level == "head"
    assert first.errors() == []


def test_a_busy_kernel_still_answers(open_notebook, write_notebook, tmp_path):
    """Maps come while a cell runs: requests are heard in a thread of their own."""
    done = tmp_path / "done"
    wait = f"import time\nfrom pathlib import Path\nwhile not Path({str(done)!r}).exists(): time.sleep(0.1)"
    path = write_notebook("busy.ipynb", CAPTURE, "scope = attnscope.Scope(cap)\nscope", wait)
    page = open_notebook(path)
    command(page, "notebook:run-all-cells")
    page.wait_for_selector(".jp-OutputArea-output .attnscope")
    scope = ScopePage(page)
    scope.open_layer("up.2.1")
    scope.open_head(1)
    scope.arrived()
    assert "head 1" in scope.legend()
    assert page.locator(".jp-InputPrompt").last.inner_text() == "[*]:"
    done.touch()
    wait_for_cells(page)
    wait_for_kernel(page)
    assert run_in_kernel(page, "print(scope.level, scope.layer, scope.head)") == "head up.2.1 1"


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


def test_a_scope_fills_while_a_cell_runs(open_notebook, write_notebook, tmp_path, artifacts):
    """It is displayed before anything ran; steps come while the cell goes on, and can be opened meanwhile."""
    cells = [LIVE.format(folder=str(tmp_path)), "scope = attnscope.Scope(token='circle')\nscope", "scope", "", RUN]
    page = open_notebook(write_notebook("live.ipynb", *cells))
    command(page, "notebook:run-all-cells")
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
    wait_for_cells(page)
    wait_for_kernel(page)
    page.wait_for_function("() => !document.querySelector('.as-follow')")
    assert page.locator(".as-picture-pane.as-bare").count() == 0
    assert "step 5/6" in first.legend()
    assert run_in_kernel(page, "print(scope.step, scope.level, scope.head)") == "5 head 1"
    assert first.errors() == []
