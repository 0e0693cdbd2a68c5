"""A scope in Notebook 7, which is JupyterLab's program with another shell."""

import notebook_page
import pytest
import servers
from pages import ScopePage

#: Notebook 7.6 says it of every notebook, an empty one too: its shortcuts look for settings that it does not have.
KNOWN = ["Cannot read properties of undefined (reading 'schema')"]


@pytest.fixture(scope="module")
def server(host_folder):
    with servers.jupyter(host_folder, "notebook") as url:
        yield url


@pytest.fixture
def notebook(server, host_folder, open_page, saved):
    notebook_page.write(
        host_folder / "seven.ipynb", saved, "scope = attnscope.Scope(cap, token='foxglove')\nscope", "cap"
    )
    notebook = notebook_page.NotebookPage(open_page(f"{server}/notebooks/seven.ipynb", height=1000, known=KNOWN))
    notebook.run_all()
    notebook.wait_for_cells()
    yield notebook
    notebook.shut_down()


def test_it_is_notebook_seven(notebook):
    assert notebook.page.evaluate("window.jupyterapp.name") == "Jupyter Notebook"
    assert notebook.page.evaluate("window.jupyterapp.version").startswith("7.")


def test_from_the_overview_to_a_pixel_of_a_head(notebook, artifacts):
    scope = ScopePage(notebook.page)
    assert scope.layers() == ["down.0.0", "up.1.0", "up.1.1", "mid.0"]
    scope.open_layer("up.1.1")
    scope.open_head(2)
    scope.arrived()
    scope.hover(0.2, 0.2)
    before = scope.bars()
    scope.hover(0.6, 0.7)
    assert scope.bars() != before
    scope.click_picture(0.25, 0.75)
    scope.scrub(0)
    scope.arrived()
    assert "up.1.1" in scope.legend()
    assert "head 2, step 0/8" in scope.legend()
    notebook.wait_for_kernel()
    said = notebook.run("print(scope.layer, scope.head, scope.step, [round(at, 2) for at in scope.uv])")
    assert said == "up.1.1 2 0 [0.25, 0.75]"
    notebook.page.screenshot(path=artifacts / "notebook-head.png")
    assert scope.errors() == []
    assert not notebook.errors_said()


def test_python_moves_the_view(notebook):
    scope, of_the_capture = ScopePage(notebook.page), ScopePage(notebook.page, index=1)
    notebook.run("scope.level, scope.layer = 'layer', 'mid.0'")
    notebook.page.wait_for_selector('.attnscope >> nth=0 >> .as-tile[data-head="1"]')
    scope.arrived()
    assert scope.heads() == ["mean", "max", "0", "1"]
    assert of_the_capture.level == "unet"


def test_keys_stay_in_the_scope(notebook):
    scope, count = ScopePage(notebook.page), notebook.cell_count()
    scope.root.locator('.as-tile[data-layer="mid.0"]').focus()
    for key in "ddar1":
        notebook.page.keyboard.press(key)
    notebook.page.wait_for_timeout(300)
    assert notebook.cell_count() == count


def test_the_theme_is_followed(notebook):
    notebook.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
    root = ScopePage(notebook.page).root
    notebook.page.wait_for_function("root => root.dataset.theme === 'dark'", arg=root.element_handle())
