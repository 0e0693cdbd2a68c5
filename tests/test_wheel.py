"""The wheel in an empty environment: it carries the bundle and shows a scope."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = """
import sys
from pathlib import Path

import attnscope

assert "site-packages" in attnscope.__file__, attnscope.__file__
pipe = attnscope.demo.pipeline()
pipe.set_progress_bar_config(disable=True)
with attnscope.capture(pipe) as cap:
    pipe("a red circle above a blue square", num_inference_steps=2)
bundle = cap._repr_mimebundle_()
bundle = bundle[0] if isinstance(bundle, tuple) else bundle
assert "application/vnd.jupyter.widget-view+json" in bundle, sorted(bundle)
assert bundle["image/png"]
print(attnscope.Scope(cap).to_html(Path(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT]
    subprocess.run(command, check=True)
    return next(folder.glob("attnscope-*.whl"))


@pytest.mark.wheel
def test_the_wheel_carries_what_it_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = [
        "static/widget.js",
        "static/widget.css",
        "static/standalone.js",
        "py.typed",
        "demo/weights/model_index.json",
    ]
    assert {f"attnscope/{name}" for name in wanted} <= names
    assert any(name.endswith("unet/diffusion_pytorch_model.safetensors") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "js/", "benchmarks/"))]
    assert wheel.stat().st_size < 20e6


@pytest.mark.wheel
@pytest.mark.browser
def test_an_empty_environment_displays_a_scope(wheel, tmp_path, request):
    from pages import ScopePage
    from playwright.sync_api import sync_playwright

    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty/bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", ROOT / "constraints.txt"]
    subprocess.run([*install, wheel], check=True)
    path = tmp_path / "scope.html"
    subprocess.run([python, "-c", SCRIPT, path], check=True, cwd=tmp_path)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(path.as_uri())
        assert len(ScopePage(page).layers()) == 16
        browser.close()
