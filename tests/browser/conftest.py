"""A real browser, a real server, and what they must never do."""

import shutil
from pathlib import Path

import notebook_page
import pytest
import servers

pytest.importorskip("playwright", reason="pip install -e '.[test]'")
from playwright.sync_api import sync_playwright

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
PATIENCE = 120_000
CHROMIUM = ["chromium", "chromium-browser", "google-chrome"]
# Without these a fresh Chromium looks up hosts of its own accord.
QUIET = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in Path(item.fspath).parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def chromium():
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    assert path, "No Chromium: `make chromium` installs Debian's."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *QUIET])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Open pages for one test; see `_pages`."""
    yield from _pages(chromium)


@pytest.fixture(scope="module")
def open_page_for_all(chromium):
    """Open pages for all tests of a file."""
    yield from _pages(chromium)


def _pages(chromium):
    """Open pages; at the end no page may have logged an error or asked another machine for anything.

    What a host logs of its own accord, with or without a scope, is ``known``.
    """
    problems, contexts = [], []

    def open_(url, width=1280, height=900, dark=False, known=()):
        def note(problem):
            if not any(text in problem for text in known):
                problems.append(problem)

        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        # Tests hold facts, not times: a busy machine must not fail them.
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and note(f"console: {message.text}"))
        page.on("pageerror", lambda error: note(f"error: {error}"))
        page.on("request", lambda request: _local(request.url) or note(f"request: {request.url}"))
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert problems == []


def _local(url):
    return url.startswith(("file:", "data:", "blob:", "http://127.0.0.1", "ws://127.0.0.1", "about:"))


@pytest.fixture(scope="session")
def artifacts():
    ARTIFACTS.mkdir(exist_ok=True)
    return ARTIFACTS


@pytest.fixture(scope="session")
def demo_capture():
    """A run of the embedded pipeline."""
    import torch

    import attnscope

    pipe = attnscope.demo.pipeline()
    pipe.set_progress_bar_config(disable=True)
    with attnscope.capture(pipe) as cap:
        pipe("a red circle above a blue square", num_inference_steps=8, generator=torch.Generator().manual_seed(0))
    return cap


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """A line that opens a small capture: hosts are tested by what they show, not by what the model makes."""
    from widget.synthetic import recording

    from attnscope.maps.capture import Capture

    path = tmp_path_factory.mktemp("saved") / "run.zarr"
    Capture(recording()).save(path)
    return f"import attnscope\ncap = attnscope.open({str(path)!r})"


@pytest.fixture(scope="session")
def host_folder(tmp_path_factory):
    """The folder that servers show."""
    return tmp_path_factory.mktemp("host")


@pytest.fixture(scope="session")
def lab(host_folder):
    with servers.jupyter(host_folder, "jupyterlab") as url:
        yield url


@pytest.fixture
def open_notebook(lab, host_folder, open_page):
    """Open a notebook of JupyterLab; cells, or one that is in the folder already."""
    opened = []

    def open_(name, *cells, **window):
        if cells:
            notebook_page.write(host_folder / name, *cells)
        # A workspace of its own: JupyterLab would bring back the notebooks of the test before.
        url = f"{lab}/lab/workspaces/{name.removesuffix('.ipynb')}/tree/{name}"
        opened.append(notebook_page.NotebookPage(open_page(url, **({"width": 1400, "height": 1000} | window))))
        return opened[-1]

    yield open_
    for notebook in opened:
        notebook.shut_down()
