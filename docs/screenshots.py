"""Make the README's picture: the scope on a run of the demo pipeline, in a real browser. ``make screenshots``."""

import shutil
import sys
import tempfile
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright

import attnscope

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/browser"))
from pages import ScopePage  # noqa: E402

PROMPT, SEED = "a red circle above a blue square", 0


def main() -> None:
    """Paint, capture, open, look."""
    pipe = attnscope.demo.pipeline()
    with attnscope.capture(pipe) as cap:
        pipe(PROMPT, num_inference_steps=20, generator=torch.Generator().manual_seed(SEED))
    folder = Path(tempfile.mkdtemp())
    html = attnscope.Scope(cap, step=12).to_html(folder / "scope.html")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 760}, device_scale_factor=1.5)
        page.goto(html.as_uri())
        scope = ScopePage(page)
        scope.choose(3)
        scope.hover(0.5, 0.3)
        scope.root.screenshot(path=ROOT / "docs/scope.png")
        browser.close()
    shutil.rmtree(folder)
    print(f"Wrote {ROOT / 'docs/scope.png'}")


if __name__ == "__main__":
    main()
