"""A capture that goes to disk is the one that would have been in memory, and lives through whatever ends its run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import attnscope
from attnscope.errors import NothingCapturedError, SavedCaptureError
from attnscope.maps.factors import split
from attnscope.maps.kept import kept


def assert_same_bits(one, two):
    """Of what is kept: products of queries and keys differ in the last bit with where they lie in memory."""
    if "key" in one.dims:
        one, two = split(one), split(two)
        assert one.attrs == two.attrs
        assert set(one.data_vars) == set(two.data_vars)
        for name in two.data_vars:
            assert one[name].dtype == two[name].dtype
            assert np.array_equal(one[name].values, two[name].values, equal_nan=True)
    else:
        assert kept(one).dtype == kept(two).dtype
        assert np.array_equal(one.values, two.values, equal_nan=True)


def assert_same(streamed, in_memory):
    """All that a reader can tell."""
    assert streamed.kinds == in_memory.kinds
    assert streamed.layers.equals(in_memory.layers)
    if "cross" in in_memory.kinds:
        assert streamed.tokens.equals(in_memory.tokens)
    assert streamed.nbytes == in_memory.nbytes
    assert dict(streamed.attrs) == dict(in_memory.attrs)
    assert repr(streamed) == repr(in_memory)
    for kind in in_memory.kinds:
        assert list(streamed.tree[kind].children) == list(in_memory.tree[kind].children)
        for one, two in zip(streamed._arrays(kind), in_memory._arrays(kind), strict=True):
            assert one.attrs == two.attrs
            assert set(one.xindexes) == set(two.xindexes)
            assert list(one.coords) == list(two.coords)
            for name in two.coords:
                assert one.coords[name].identical(two.coords[name]) or name in ("pixel", "y", "x", "key")
            assert_same_bits(one, two)
    assert (streamed.image is None) == (in_memory.image is None)
    if in_memory.image is not None:
        assert np.array_equal(np.asarray(streamed.image), np.asarray(in_memory.image))
    assert (streamed.previews is None) == (in_memory.previews is None)
    if in_memory.previews is not None:
        xr.testing.assert_identical(streamed.previews, in_memory.previews)


CHOICES = {
    "cross": {},
    "self": {"kinds": "self"},
    "both": {"kinds": ("cross", "self"), "dtype": "float32"},
    "steps": {"kinds": ("cross", "self"), "steps": [0, 2], "layers": "up.*"},
}


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("choice", CHOICES)
def test_streaming_is_capturing(pipe, paint, tmp_path, choice, images):
    path = tmp_path / "run.zarr"
    # One after the other: of nested captures the outer one sees another kernel's log-sum-exps.
    with attnscope.capture(pipe, **CHOICES[choice]) as in_memory:
        paint(num_images_per_prompt=images)
    with attnscope.capture(pipe, **CHOICES[choice], store=path) as streamed:
        paint(num_images_per_prompt=images)
    assert_same(streamed, in_memory)
    assert_same(attnscope.open(path), in_memory)
    assert_same(attnscope.open(streamed.save(tmp_path / "copy.zarr")), in_memory)


def test_a_taken_path_is_refused_before_anything_is_touched(pipe, tmp_path):
    (tmp_path / "run.zarr").mkdir()
    classes = type(pipe), type(pipe.scheduler)
    with (
        pytest.raises(SavedCaptureError, match=r"exists already. Choose another path for store="),
        attnscope.capture(pipe, store=tmp_path / "run.zarr"),
    ):
        raise AssertionError
    assert (type(pipe), type(pipe.scheduler)) == classes
    assert list((tmp_path / "run.zarr").iterdir()) == []


class Stop(Exception):
    pass


def test_it_can_be_looked_at_while_it_runs(pipe, paint, tmp_path):
    path, seen = tmp_path / "run.zarr", []

    def look(pipeline, step, timestep, tensors):
        other = attnscope.open(path)
        assert other.attrs["finished"] is False
        assert other.image is None
        assert np.array_equal(other.word("red").values, cap.word("red").values)
        assert other.tokens.equals(cap.tokens)
        seen.append((cap.at("8x12").sizes["step"], other.layer("up.1.0").sizes["step"], repr(other)))
        return tensors

    with attnscope.capture(pipe, store=path) as cap:
        assert repr(cap) == "<attnscope.Capture: nothing captured yet>"
        with pytest.raises(SavedCaptureError, match="holds no step: its run has not finished one yet"):
            attnscope.open(path)
        paint(callback_on_step_end=look)
        assert cap.image is not None
        assert cap.previews is not None
    assert [counts[:2] for counts in seen] == [(1, 1), (2, 2), (3, 3)]
    assert "1 steps, 16 layers" in seen[0][2]
    assert "not finished (3 steps expected)" in seen[0][2]
    assert "not finished" not in repr(cap)


def test_an_exception_halfway_leaves_the_same_capture(pipe, paint, tmp_path):
    def fail(*_):
        if next(calls) == 1:
            raise Stop

    path, kinds = tmp_path / "run.zarr", ("cross", "self")
    handle = pipe.unet.mid_block.attentions[0].register_forward_pre_hook(fail)
    calls = iter(range(100))
    with pytest.raises(Stop), attnscope.capture(pipe, kinds=kinds) as in_memory:
        paint()
    calls = iter(range(100))
    with pytest.raises(Stop), attnscope.capture(pipe, kinds=kinds, store=path) as streamed:
        paint()
    handle.remove()
    assert_same(streamed, in_memory)
    assert_same(attnscope.open(path), in_memory)
    assert streamed.attrs["finished"] is False
    assert streamed.missing


def test_layers_with_different_heads_and_more_steps_than_expected(tmp_path):
    import models
    import torch

    unet = models.unet(attention_head_dim=(2, 4, 3, 3), block_out_channels=(8, 16, 24, 24), sample_size=8)
    unet.mid_block.attentions[0].transformer_blocks[0].attn2.heads = 3
    path = tmp_path / "run.zarr"
    with (
        attnscope.capture(unet, kinds=("cross", "self"), labels=["a"]) as in_memory,
        attnscope.capture(unet, kinds=("cross", "self"), labels=["a"], store=path) as streamed,
    ):
        for step in range(5):  # a bare model does not say how many there will be
            unet(torch.randn(2, 4, 16, 24), step, torch.randn(2, 3, 24))
    assert_same(streamed, in_memory)
    assert_same(attnscope.open(path), in_memory)
    assert streamed.attrs["finished"] is True


def test_nothing_captured_leaves_nothing(pipe, tmp_path):
    with pytest.raises(NothingCapturedError), attnscope.capture(pipe, store=tmp_path / "run.zarr"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_ends_the_run_and_keeps_what_was_finished(pipe, paint, tmp_path, monkeypatch):
    def full(pipeline, step, timestep, tensors):
        monkeypatch.setattr(os, "replace", refuse)
        return tensors

    def refuse(*_):
        msg = "No space left on device"
        raise OSError(msg)

    with (
        pytest.raises(SavedCaptureError, match="No space left on device"),
        attnscope.capture(pipe, store=tmp_path / "run.zarr") as cap,
    ):
        paint(callback_on_step_end=full)
    monkeypatch.undo()
    assert cap.at("8x12").sizes["step"] == 1
    assert not cap.at("8x12").isnull().any()
    assert attnscope.open(tmp_path / "run.zarr").attrs["finished"] is False


KILLER = """
import json, os, random, signal, sys, time
import models, torch, attnscope
torch.set_num_threads(1)

def run(path, dies_at):
    def step_ended(pipeline, step, timestep, tensors):
        if step == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return tensors
    with attnscope.capture(pipe, kinds=("cross", "self"), store=path):
        generator = torch.Generator().manual_seed(3)
        pipe("a red circle", num_inference_steps=40, height=32, width=48, generator=generator, output_type="pt",
             callback_on_step_end=step_ended)

def begun(path):
    try:
        with open(path + "/zarr.json") as file:
            return json.load(file)["attributes"]["attnscope_running"]["stop"] > 0
    except OSError:
        return False

pipe = models.pipeline()
for path, dies_at in zip(sys.argv[1::2], map(int, sys.argv[2::2])):
    if not (child := os.fork()):
        run(path, dies_at)
        os._exit(0)
    if dies_at < 0:
        while not (os.path.isdir(path) if dies_at == -1 else begun(path)):
            time.sleep(0.001)
        time.sleep(random.uniform(0, 1.5))
        os.kill(child, signal.SIGKILL)
    print(os.waitpid(child, 0)[1])
"""


def assert_whole_steps(killed, reference):
    count = killed.at("8x12").sizes["step"]
    for kind in ("cross", "self"):
        for one, two in zip(killed._arrays(kind), reference._arrays(kind), strict=True):
            assert one.sizes["step"] == count
            assert np.array_equal(one["timestep"].values, two["timestep"].values[:count])
            one, two = (split(array) if kind == "self" else array.to_dataset() for array in (one, two))
            for name in two.data_vars:
                assert np.array_equal(one[name].values, two[name].isel(step=slice(count)).values)


@pytest.fixture(scope="module")
def reference(pipe):
    import torch

    with attnscope.capture(pipe, kinds=("cross", "self")) as cap:
        generator = torch.Generator().manual_seed(3)
        pipe("a red circle", num_inference_steps=40, height=32, width=48, generator=generator, output_type="pt")
    return cap


@pytest.fixture(scope="module")
def killed_runs(tmp_path_factory):
    """Path and status: one run killed itself after step 6, some were killed at a random time, others after a step."""
    folder, steps = tmp_path_factory.mktemp("killed"), [6, -1, -1, -2, -2, -2, -2, -2]
    paths = [folder / f"{place}.zarr" for place in range(len(steps))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    arguments = [str(word) for pair in zip(paths, steps, strict=True) for word in pair]
    command = [sys.executable, "-W", "ignore", "-c", KILLER, *arguments]
    # Children of one process that has imported torch already: that takes longer than a run.
    said = subprocess.run(command, stdout=subprocess.PIPE, env=environment, text=True, check=True).stdout
    return list(zip(paths, map(int, said.split()), strict=True))


@pytest.mark.filterwarnings("error")
def test_a_run_that_kills_itself_leaves_every_finished_step(reference, killed_runs, tmp_path):
    path, status = killed_runs[0]
    assert status == signal.SIGKILL
    killed = attnscope.open(path)
    assert killed.at("8x12").sizes["step"] == 7
    assert_whole_steps(killed, reference)
    assert killed.attrs["finished"] is False
    assert killed.attrs["steps"] == 40
    assert killed.prompt == "a red circle"
    assert killed.image is None
    assert killed.missing == {}
    assert "7 steps" in repr(killed)
    assert "not finished (40 steps expected)" in repr(killed)
    copy = attnscope.open(killed.save(tmp_path / "copy.zarr"))
    assert_same(copy, killed)
    assert attnscope.Scope(copy).selected.sizes["pixel"] == 16 * 24


def test_a_run_that_is_killed_at_any_time_leaves_whole_steps(reference, killed_runs):
    found = []
    for path, status in killed_runs[1:]:
        try:
            killed = attnscope.open(path)
        except SavedCaptureError as error:
            assert "holds no step" in str(error) or "no Zarr group" in str(error)  # noqa: PT017
            found.append(0)
        else:
            assert_whole_steps(killed, reference)
            assert killed.attrs["finished"] or status == signal.SIGKILL
            found.append(killed.at("8x12").sizes["step"])
    assert max(found) > 0
