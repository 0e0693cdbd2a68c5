"""Many scopes and many views in one JupyterLab, which takes outputs out of the page and puts them back."""

import pytest
from pages import ScopePage

MANY = 20
#: Whether a scope has its canvases, and none of them is of one colour from corner to corner.
PAINTED = """root => {
    const painted = (canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size > 1;
    };
    const canvases = [...root.querySelectorAll(".as-tile canvas, .as-picture canvas")].filter((c) => c.offsetParent);
    return canvases.length >= 5 && canvases.every(painted);
}"""


@pytest.fixture
def displayed(open_notebook, saved, request):
    """One scope that is displayed by two cells."""
    notebook = open_notebook(f"{request.node.name}.ipynb", saved, "scope = attnscope.Scope(cap)\nscope", "scope")
    notebook.run_all()
    notebook.wait_for_cells()
    return notebook


def assert_share_all_but_the_hover(notebook, first, other):
    first.choose(2)
    first.open_layer("up.1.1")
    first.arrived()
    other.arrived()
    assert (first.level, other.level) == ("layer", "layer")
    assert first.legend() == other.legend()
    assert "token ‘red’" in other.legend()

    still = other.bars()
    first.hover(0.1, 0.2)
    pointed = first.bars()
    assert pointed != still
    assert other.bars() == still

    first.click_picture(0.3, 0.7)
    other.settle()
    assert other.bars() == first.bars() != pointed
    other.open_head(2)
    first.settle()
    assert first.level == "head"
    notebook.wait_for_kernel()
    assert notebook.run("print(scope.level, scope.layer, scope.head, scope.token)") == "head up.1.1 2 2"
    assert first.errors() == other.errors() == []


def test_a_scope_that_is_displayed_twice(displayed):
    first, other = ScopePage(displayed.page), ScopePage(displayed.page, index=1)
    assert_share_all_but_the_hover(displayed, first, other)


def test_a_new_view_for_an_output(displayed, artifacts):
    page = displayed.page
    page.locator(".jp-OutputArea-output .attnscope").first.click(position={"x": 4, "y": 4})
    page.evaluate("window.notebook_panel.content.activeCellIndex = 1")
    displayed.command("notebook:create-output-view")
    page.wait_for_selector(".jp-LinkedOutputView .attnscope")
    page.screenshot(path=artifacts / "lab-new-view.png")
    roots = page.locator(".attnscope").evaluate_all("roots => roots.map(r => !!r.closest('.jp-LinkedOutputView'))")
    here, there = ScopePage(page, index=roots.index(False)), ScopePage(page, index=roots.index(True))
    assert_share_all_but_the_hover(displayed, here, there)


def test_a_view_that_is_closed_leaves_the_other(displayed):
    page = displayed.page
    first = ScopePage(page)
    first.open_layer("up.1.1")
    page.evaluate("window.notebook_panel.content.activeCellIndex = 2")
    displayed.command("notebook:clear-cell-output")
    page.wait_for_function("() => document.querySelectorAll('.attnscope').length === 1")
    first.open_head(1)
    first.arrived()
    wait_until_painted(first.root)
    displayed.wait_for_kernel()
    assert displayed.run("print(scope.level, scope.head)") == "head 1"


@pytest.mark.parametrize("windowing", ["contentVisibility", "full"])
def test_twenty_scopes_are_painted_and_stay_so(open_notebook, saved, windowing):
    """Scrolled out and back too: in the mode "full" a cell out of sight has no size."""
    notebook = open_notebook(f"many-{windowing}.ipynb", saved, *["attnscope.Scope(cap)"] * MANY)
    page = notebook.page
    page.evaluate(
        """windowingMode => {
            const { content } = window.notebook_panel;
            content.notebookConfig = { ...content.notebookConfig, windowingMode };
        }""",
        windowing,
    )
    notebook.run_all()
    notebook.wait_for_cells()
    notebook.wait_for_kernel()
    # The front-end unpacks itself, and is there a moment after its cell has run.
    page.wait_for_function("many => document.querySelectorAll('.attnscope').length === many", arg=MANY)
    sized = page.locator(".attnscope").evaluate_all("roots => roots.filter(r => r.offsetHeight > 0).length")
    assert 0 < sized < MANY if windowing == "full" else sized == MANY
    for number in [*range(1, MANY + 1), 13, 7, 1]:
        page.evaluate("number => void window.notebook_panel.content.scrollToItem(number, 'start')", number)
        wait_until_painted(page.locator(f'.jp-Cell[data-windowed-list-index="{number}"] .attnscope'))


def wait_until_painted(root):
    root.page.wait_for_function(PAINTED, arg=root.element_handle())
