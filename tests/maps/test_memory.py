"""Captures larger than memory: written a step at a time, and read no further than they are looked at."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from attnscope.capture.recording import Recording, Row, Step, Token
from attnscope.capture.sites import Site
from attnscope.maps.stream import OnDisk

MEASURE = """
import os, sys

def peak():
    '''The most memory that this process has had, in MB.'''
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1e3
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")


def measure(code, *arguments):
    paths = [str(Path(__file__).parents[1]), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", MEASURE + code, *map(str, arguments)]
    said = subprocess.run(command, stdout=subprocess.PIPE, env=environment, text=True, check=True).stdout
    return [float(line) for line in said.split()]


LAYERS, STEPS, TOKENS, GRID, HEADS = 16, 18, 20, (64, 64), 8


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A store of 380 MB, of which this process never has more than a step."""
    path = tmp_path_factory.mktemp("large") / "run.zarr"
    place, random = OnDisk(path), np.random.default_rng(0)
    sites = [
        Site(f"up.{block}.{each}", "cross", "up", block, each, 0, f"up_blocks.{block}.{each}.attn2", "", HEADS)
        for block in range(4)
        for each in range(4)
    ]
    text = [Token(position, f"t{position}", f"t{position}", position, "prompt") for position in range(TOKENS)]
    recording = Recording(rows=[Row()], texts={"cross": [text]}, size=(512, 512))
    recording.attrs = {"prompt": "a large one", "missing": [], "steps": STEPS, "finished": False}
    store = place.grid_store("cross", GRID, sites, 1, TOKENS, np.dtype(np.float16), STEPS)
    recording.stores = [store]
    place.begin(recording)
    noise = random.random((1, HEADS, GRID[0] * GRID[1], TOKENS), np.float32)
    noise /= noise.sum(-1, keepdims=True)
    for step in range(STEPS):
        store.append(
            {site.layer: np.roll(noise, step + index, 2).astype(np.float16) for index, site in enumerate(sites)}
        )
        recording.steps.append(Step(step, float(STEPS - step)))
        place.step_finished(recording)
    recording.attrs["finished"] = True
    place.run_finished(recording)
    return path


DRILL = """
import attnscope, numpy as np
from attnscope import Scope
cap = attnscope.open(sys.argv[1])
print(cap.nbytes / 1e6)
print(peak())
maps = cap.layer("up.2.1").sel(step=7, head=3, word="t5").values
assert maps.shape == (4096, 1), maps.shape
cap.at(64).sel(step=7, layer="up.2.1", head=3).isel(pixel=100).values
cap.at(64).sel(layer="up.1.0", token=5).mean(("step", "head")).values
print(peak())
scope = Scope(cap, step=3, token=4)
scope.selected
print(peak())
"""


def test_a_large_capture_is_drilled_without_being_read(large):
    size, opened, drilled, shown = measure(DRILL, large)
    assert size == pytest.approx(LAYERS * STEPS * HEADS * 4096 * TOKENS * 2 / 1e6)
    assert size > 350
    assert drilled - opened < 60
    assert shown - drilled < 150


RUN = """
import attnscope, models, torch
torch.set_num_threads(1)
unet = models.unet()
latents, text = torch.randn(1, 4, 48, 48), torch.randn(1, 77, 24)
with torch.no_grad(), attnscope.capture(unet, labels=["t"] * 77, kinds=("cross", "self"), store=sys.argv[1]) as cap:
    for step in range(4):
        unet(latents, 999 - step, text)
    print(peak())
    for step in range(16):
        unet(latents, 900 - step, text)
    print(peak())
print(cap.nbytes / 1e6)
"""


def test_a_run_that_streams_takes_no_more_memory_the_longer_it_is(tmp_path):
    early, late, kept = measure(RUN, tmp_path / "run.zarr")
    assert kept * 16 / 20 > 50
    assert late - early < 0.1 * kept * 16 / 20 + 5
