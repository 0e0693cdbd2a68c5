"""The wheel in an empty environment: it carries the bundle and shows a scope."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from pages import ScopePage

ROOT = Path(__file__).parents[2]
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


def run(*command, cwd=ROOT):
    """Run a command; what it said is the message where it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{(done.stdout + done.stderr)[-4000:]}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--wheel-dir", folder, ROOT)
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
def test_an_empty_environment_displays_a_scope(wheel, tmp_path, open_page):
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty/bin/python"
    quiet = ["-qq", "--disable-pip-version-check", "--no-warn-script-location", "--no-compile"]
    run(python, "-m", "pip", "install", *quiet, "-c", ROOT / "constraints.txt", wheel)
    path = tmp_path / "scope.html"
    run(python, "-c", SCRIPT, path, cwd=tmp_path)
    assert len(ScopePage(open_page(path.as_uri())).layers()) == 16
