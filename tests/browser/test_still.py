"""Where no widget runs: the picture that a notebook keeps, and the pages that nbconvert makes of it."""

import base64
import io

import notebook_page
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import Image

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


@pytest.fixture(scope="module")
def execute(tmp_path_factory, saved):
    """Run a notebook that ends with a scope, as `jupyter nbconvert --execute` does."""

    def run(**options):
        folder = tmp_path_factory.mktemp("still")
        notebook = notebook_page.new(saved, "attnscope.Scope(cap, token='foxglove')")
        return NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}}, **options).execute()

    return run


@pytest.fixture(scope="module")
def plain(execute):
    """Without the state of its widgets, which JupyterLab does not save either unless it is told to."""
    return execute(store_widget_state=False)


@pytest.fixture(scope="module")
def with_state(execute):
    return execute()


def output(notebook):
    return notebook.cells[1].outputs[0].data


def caption(notebook):
    return output(notebook)["text/html"].split("<figcaption")[1].partition(">")[2].partition("<")[0]


def test_a_saved_notebook_has_the_picture_beside_the_view(plain):
    """GitHub shows the best output that it knows."""
    data = output(plain)
    assert set(data) == {VIEW, "image/png", "text/html", "text/plain"}
    png = base64.b64decode(data["image/png"])
    assert len(png) <= 150_000
    assert Image.open(io.BytesIO(png)).width > 600
    assert "foxglove" in caption(plain)


def test_nbconvert_makes_a_page_with_the_picture(plain, tmp_path, open_page, artifacts):
    # Its own libraries, none of which a picture needs, would come from elsewhere.
    exporter = HTMLExporter(require_js_url="", mathjax_url="", jquery_url="", mermaid_js_url="")
    page, _ = exporter.from_notebook_node(plain)
    (tmp_path / "still.html").write_text(page)
    shown = open_page((tmp_path / "still.html").as_uri(), height=1000)
    picture = shown.locator("figure img")
    assert picture.evaluate("img => img.complete && img.naturalWidth") > 600
    assert shown.locator("figcaption").inner_text() == picture.get_attribute("alt")
    assert "cross-attention" in picture.get_attribute("alt")
    assert "foxglove" in picture.get_attribute("alt")
    shown.screenshot(path=artifacts / "nbconvert.png")


def test_with_the_state_of_its_widgets_the_first_view_is_in_the_page(with_state):
    """nbconvert prefers the widget then; what it shows first needs no kernel."""
    state = with_state.metadata.widgets[STATE].state
    of_scope = state[output(with_state)[VIEW]["model_id"]]
    assert "attnscope" in of_scope.state["_esm"]
    assert {tuple(buffer["path"]) for buffer in of_scope.buffers} >= {("_picture",), ("_first_buffer",)}
    page, _ = HTMLExporter().from_notebook_node(with_state)
    assert page.count(output(with_state)[VIEW]["model_id"]) >= 2
    assert {"image/png", "text/html"} <= set(output(with_state))
