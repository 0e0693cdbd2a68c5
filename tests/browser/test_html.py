"""The self-contained HTML file, as a person uses it."""

import numpy as np
import pytest
from pages import ScopePage

import attnscope


@pytest.fixture(scope="session")
def html(demo_capture, tmp_path_factory):
    return attnscope.Scope(demo_capture).to_html(tmp_path_factory.mktemp("html") / "demo.html")


@pytest.fixture
def scope(open_page, html):
    return ScopePage(open_page(html.as_uri()))


def test_from_the_overview_to_a_pixel_of_a_head(scope, demo_capture):
    assert scope.level == "unet"
    assert sorted(scope.layers()) == sorted(demo_capture.layers["layer"])
    scope.choose(2)
    assert "token ‘red’" in scope.legend()
    scope.open_layer("up.2.1")
    heads = demo_capture.layer("up.2.1").sizes["head"]
    assert scope.level == "layer"
    assert scope.heads() == ["mean", "max", *map(str, range(heads))]
    scope.open_head(1)
    assert scope.level == "head"
    assert "up.2.1" in scope.legend()
    assert "head 1" in scope.legend()
    scope.hover(0.5, 0.3)
    values = {int(token): float(value) for token, value in scope.bars().items()}
    array = demo_capture.layer("up.2.1").isel(step=-1).sel(head=1).unstack("pixel")
    rows, columns = array.sizes["y"], array.sizes["x"]
    cell = array.isel(y=int(0.3 * rows), x=int(0.5 * columns)).astype(float)
    assert np.isclose(values[2], float(cell.sel(token=2)), atol=0.01)
    assert np.isclose(sum(values.values()), 1, atol=0.03)
    assert scope.errors() == []


def test_hover_changes_the_bars(scope):
    scope.open_layer("up.1.1")
    scope.hover(0.2, 0.2)
    before = scope.bars()
    scope.hover(0.75, 0.8)
    assert scope.bars() != before


def test_scrubbing_changes_the_picture(scope):
    scope.choose(3)
    scope.open_layer("up.2.0")
    scope.page.mouse.move(2, 2)
    late = scope.look()
    scope.scrub(0)
    assert "step 0/8" in scope.legend()
    assert scope.look() != late
    scope.scrub(7)
    assert "step 7/8" in scope.legend()
    assert scope.look() == late


def test_keyboard_from_overview_to_head_and_back(scope):
    scope.root.locator('.as-tile[data-layer="up.1.0"]').focus()
    scope.page.keyboard.press("Enter")
    scope.settle()
    assert scope.level == "layer"
    scope.root.locator('.as-tile[data-head="0"]').focus()
    scope.page.keyboard.press("Enter")
    scope.settle()
    assert scope.level == "head"
    scope.page.keyboard.press(",")
    scope.settle()
    assert "step 6/8" in scope.legend()
    scope.page.keyboard.press("Backspace")
    scope.settle()
    assert scope.level == "layer"


def test_a_point_is_pinned_and_let_go(scope):
    scope.click_picture(0.26, 0.27)
    pinned = scope.bars()
    scope.page.mouse.move(2, 2)
    scope.settle()
    assert scope.bars() == pinned


HOSTILE = [
    "<script>window.hacked=1</script>",
    "<img",
    "src=x",
    "onerror=alert(1)>",
    "</script>",
    "\u2028",
    "{{7*7}}",
    "$\\frac",
]


def test_a_hostile_prompt_stays_text(pipe, tmp_path, open_page):
    import torch

    with attnscope.capture(pipe.unet, labels=HOSTILE) as cap:
        for timestep in (2, 1):
            pipe.unet(torch.randn(1, 4, 8, 12), timestep, torch.randn(1, 12, 24))
    path = attnscope.Scope(cap).to_html(tmp_path / "hostile.html")
    scope = ScopePage(open_page(path.as_uri()))
    assert scope.page.evaluate("window.hacked") is None
    assert scope.root.locator("img, script").count() == 0
    scope.choose(0)
    assert HOSTILE[0] in scope.legend()
    assert HOSTILE[0] in scope.root.locator('.as-chip[data-token="0"]').inner_text()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800, 420])
def test_screenshots(open_page, html, artifacts, width, dark):
    scope = ScopePage(open_page(html.as_uri(), width=width, height=860, dark=dark))
    name = f"{width}-{'dark' if dark else 'light'}"
    scope.page.screenshot(path=artifacts / f"overview-{name}.png", full_page=True)
    overflow = scope.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
    scope.choose(3)
    if width >= 560:
        scope.open_layer("up.2.1")
        scope.page.screenshot(path=artifacts / f"layer-{name}.png", full_page=True)
        scope.open_head(1)
        scope.hover(0.5, 0.3)
        scope.page.screenshot(path=artifacts / f"head-{name}.png", full_page=True)
    assert scope.errors() == []
