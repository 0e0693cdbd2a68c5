"""A scope in a marimo app, which runs widgets without Jupyter."""

import pytest
import servers
from pages import ScopePage

APP = """\
# /// script
# [tool.marimo.display]
# theme = "system"
# ///
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
{saved}
    return attnscope, cap, mo


@app.cell
def _(attnscope, cap, mo):
    scope = mo.ui.anywidget(attnscope.Scope(cap, token="foxglove"))
    scope
    return (scope,)


@app.cell
def _(mo, scope):
    scope.value
    mo.md(f"Python sees {{scope.level}} {{scope.layer}} head {{scope.head}} step {{scope.step}}, "
          f"dims {{' '.join(scope.widget.selected.dims)}}")
    return


@app.cell
def _(cap):
    cap
    return


@app.cell
def _(mo, scope):
    mo.ui.button(label="move", on_click=lambda _: scope.widget.set_trait("layer", "mid.0"))
    return
"""


@pytest.fixture(scope="module")
def app(host_folder, saved):
    path = host_folder / "app.py"
    path.write_text(APP.format(saved="\n".join(f"    {line}" for line in saved.splitlines())))
    with servers.marimo(path) as url:
        yield url


@pytest.fixture
def page(app, open_page):
    page = open_page(app, height=1400)
    page.wait_for_selector(".attnscope >> nth=1")
    return page


def python_sees(page, text):
    page.get_by_text(f"Python sees {text}").wait_for()


def test_from_the_overview_to_a_pixel_of_a_head(page, artifacts):
    scope = ScopePage(page)
    assert scope.layers() == ["down.0.0", "up.1.0", "up.1.1", "mid.0"]
    python_sees(page, "unet down.0.0 head mean step 7")
    scope.open_layer("up.1.1")
    python_sees(page, "layer up.1.1 head mean step 7")
    scope.open_head(2)
    scope.arrived()
    scope.hover(0.2, 0.2)
    before = scope.bars()
    scope.hover(0.6, 0.7)
    assert scope.bars() != before
    page.mouse.move(2, 2)
    scope.settle()
    late = scope.look()
    scope.scrub(0)
    scope.arrived()
    assert "head 2, step 0/8" in scope.legend()
    assert scope.look() != late
    python_sees(page, "head up.1.1 head 2 step 0, dims pixel")
    page.screenshot(path=artifacts / "marimo-head.png")
    assert scope.errors() == []


def test_python_moves_the_view(page):
    scope = ScopePage(page)
    scope.open_layer("up.1.0")
    assert scope.heads() == ["mean", "max", "0", "1", "2"]
    page.get_by_role("button", name="move").click()
    page.wait_for_function("root => root.querySelectorAll('[data-head]').length === 4", arg=scope.root.element_handle())
    scope.arrived()
    assert "mid.0" in scope.legend()
    assert scope.heads() == ["mean", "max", "0", "1"]


def test_a_capture_shows_itself(page):
    of_the_capture = ScopePage(page, index=1)
    ScopePage(page).open_layer("up.1.0")
    assert of_the_capture.level == "unet"
    of_the_capture.open_layer("mid.0")
    of_the_capture.arrived()
    assert of_the_capture.heads() == ["mean", "max", "0", "1"]
    assert of_the_capture.errors() == []


def test_two_readers_do_not_share_a_view(page, app, open_page):
    """Each page of an app is a session of its own."""
    first, other = ScopePage(page), ScopePage(open_page(app, height=1400))
    first.open_layer("up.1.0")
    python_sees(page, "layer up.1.0")
    assert other.level == "unet"
    python_sees(other.page, "unet down.0.0")


def test_the_theme_is_followed(page):
    root = ScopePage(page).root
    assert root.get_attribute("data-theme") == "light"
    # The app follows the system, and the scope the app.
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("body.dark")
    page.wait_for_function("root => root.dataset.theme === 'dark'", arg=root.element_handle())
    background = root.evaluate("root => getComputedStyle(root).backgroundColor")
    assert max(int(part) for part in background.strip("rgba()").split(",")[:3]) < 80
