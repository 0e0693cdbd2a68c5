"""What many tests share: a model of random weights and one run of it."""

import os

import pytest

# The models are tiny: a second thread costs more than it brings, and much more where another process wants the core.
# Set before torch is loaded, and for every kernel and program that a test starts.
os.environ["OMP_NUM_THREADS"] = "1"

PROMPT = "a red circle and a red sailboat"


@pytest.fixture(scope="session")
def pipe():
    import models

    return models.pipeline()


@pytest.fixture
def paint(pipe):
    """Run the pipeline from a fixed seed: 3 steps, 32x48 pixels, so grids of 16x24, 8x12, 4x6 and 2x3."""
    import torch

    def run(prompt=PROMPT, **arguments):
        generator = torch.Generator().manual_seed(arguments.pop("seed", 3))
        settings = {"num_inference_steps": 3, "height": 32, "width": 48, "output_type": "pt", "generator": generator}
        if prompt is not None:
            settings["prompt"] = prompt
        return pipe(**(settings | arguments)).images

    return run


@pytest.fixture(scope="session")
def cap(pipe):
    """One finished capture, in float32."""
    import torch

    import attnscope

    with attnscope.capture(pipe, dtype="float32") as cap:
        pipe(PROMPT, num_inference_steps=3, height=32, width=48, generator=torch.Generator().manual_seed(3))
    return cap


def pytest_collection_modifyitems(items):
    """Two processes share the tests out by name: one that holds an address or chance would not be the same in both."""
    wrong = [item.nodeid for item in items if " at 0x" in item.nodeid or "tensor(" in item.nodeid]
    if wrong:
        msg = f"{wrong[0]} is called something else in every process. Give its cases ids=naming.stable."
        raise pytest.UsageError(msg)
