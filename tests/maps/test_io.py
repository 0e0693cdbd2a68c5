"""Saving loses nothing, opening loads nothing, and what is no capture is said to be none."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import attnscope
from attnscope.errors import SavedCaptureError
from attnscope.maps.kept import kept


@pytest.fixture
def saved(cap, tmp_path):
    return cap.save(tmp_path / "run.zarr")


def assert_same(one, two):
    assert one.attrs == two.attrs
    assert list(one.tree["cross"].children) == list(two.tree["cross"].children)
    for name, node in two.tree["cross"].children.items():
        first, second = one.tree["cross"][name]["attention"], node["attention"]
        xr.testing.assert_identical(first.reset_index("pixel"), second.reset_index("pixel"))
        assert first.dtype == second.dtype
        assert first.equals(second)
        assert set(first.xindexes) == set(second.xindexes)
    assert one.layers.equals(two.layers)
    assert one.tokens.equals(two.tokens)
    assert one.missing == two.missing


def test_a_round_trip(cap, saved):
    opened = attnscope.open(saved)
    assert_same(opened, cap)
    assert np.array_equal(np.asarray(opened.image), np.asarray(cap.image))
    xr.testing.assert_identical(opened.previews, cap.previews)
    assert opened.at("8x12").sel(word="red", place="up").sizes["token"] == 2
    assert repr(opened) == repr(cap)


def test_a_round_trip_of_a_round_trip(cap, saved, tmp_path):
    again = attnscope.open(attnscope.open(saved).save(tmp_path / "again.zarr"))
    assert_same(again, cap)


def test_half_precision_gaps_and_several_pictures(pipe, tmp_path):
    import torch

    class Stop(Exception):
        pass

    def stop(pipeline, step, timestep, tensors):
        handle = pipeline.unet.mid_block.register_forward_pre_hook(fail)
        tensors["latents"].__dict__["handle"] = handle
        handles.append(handle)
        return tensors

    def fail(*_):
        raise Stop

    handles = []
    with pytest.raises(Stop), attnscope.capture(pipe) as cap:
        pipe("a star", num_inference_steps=3, height=16, width=24, num_images_per_prompt=2, callback_on_step_end=stop)
    handles[0].remove()
    assert torch.is_grad_enabled()
    opened = attnscope.open(cap.save(tmp_path / "gaps.zarr"))
    assert_same(opened, cap)
    assert kept(opened.at("4x6")).dtype == np.float16
    assert opened.nbytes == cap.nbytes
    assert opened.layer("up.1.0").isel(step=1).isnull().all()


def test_opening_loads_nothing_and_needs_neither_torch_nor_diffusers(saved):
    code = f"""
import sys, attnscope, zarr
reads = []
get = zarr.storage.LocalStore.get
async def count(self, key, *args, **kwargs):
    reads.append(key)
    return await get(self, key, *args, **kwargs)
zarr.storage.LocalStore.get = count
cap = attnscope.open({str(saved)!r})
cap.layers, cap.tokens, cap.missing, repr(cap)
assert reads
assert not [key for key in reads if "attention/c" in key or "picture/c" in key or "preview/c" in key], reads
cap.layer("up.1.0").sel(step=1).values
assert len([key for key in reads if "attention/c" in key]) == 1, reads
heavy = {{"torch", "diffusers", "transformers", "anywidget", "plotly", "matplotlib"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_taken_path(cap, saved):
    with pytest.raises(SavedCaptureError, match=r"exists already. Choose another path, or pass overwrite=True"):
        cap.save(saved)
    assert cap.save(saved, overwrite=True) == saved


def test_only_a_capture_is_replaced(cap, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "thesis.txt").write_text("years of work")
    with pytest.raises(SavedCaptureError, match=r"is no capture, so overwrite=True does not replace it"):
        cap.save(tmp_path / "results", overwrite=True)
    (tmp_path / "notes").write_text("too")
    with pytest.raises(SavedCaptureError, match=r"is no capture"):
        cap.save(tmp_path / "notes", overwrite=True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["notes", "results", "thesis.txt"]
    (tmp_path / "empty").mkdir()
    assert_same(attnscope.open(cap.save(tmp_path / "empty", overwrite=True)), cap)


def test_what_cannot_be_replaced_stays(cap, saved, monkeypatch):
    def fail(self, target):
        if self.name == "capture":
            msg = "the disk is full"
            raise OSError(msg)
        return rename(self, target)

    rename = Path.rename
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(SavedCaptureError, match="the disk is full"):
        cap.save(saved, overwrite=True)
    monkeypatch.undo()
    assert_same(attnscope.open(saved), cap)


def test_a_chunk_that_was_damaged_is_said_when_it_is_read(saved):
    chunk = max((path for path in (saved / "cross/8x12/attention/c").rglob("*") if path.is_file()), key=str)
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 0xFF
    chunk.write_bytes(content)
    opened = attnscope.open(saved)
    with pytest.raises(SavedCaptureError, match=r"run.zarr' is damaged: .*Save it again"):
        opened.at("8x12").load()
    chunk.write_bytes(b"")
    with pytest.raises(SavedCaptureError, match=r"1 of \d+ chunks of cross/8x12/attention are gone or empty"):
        attnscope.open(saved)


def test_a_file_in_the_way(cap, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SavedCaptureError, match=r"cannot be written"):
        cap.save(tmp_path / "file" / "run.zarr")


def test_nothing_there(tmp_path):
    with pytest.raises(SavedCaptureError, match=r"does not exist. Give the folder"):
        attnscope.open(tmp_path / "none.zarr")


def test_no_zarr(tmp_path):
    with pytest.raises(SavedCaptureError, match=r"is no capture: there is no Zarr group"):
        attnscope.open(tmp_path)


def test_another_zarr(tmp_path):
    xr.Dataset({"a": ("b", [1, 2])}).to_zarr(tmp_path / "other.zarr", zarr_format=3, consolidated=False)
    with pytest.raises(SavedCaptureError, match=r"is a Zarr group, but no capture"):
        attnscope.open(tmp_path / "other.zarr")


def test_a_newer_one(saved):
    edit(saved / "zarr.json", lambda root: root["attributes"].update(attnscope_format=3, attnscope_version="9.1"))
    with pytest.raises(SavedCaptureError, match=r"newer attnscope \(9.1, format 3\); this one reads format 2"):
        attnscope.open(saved)


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def lose_a_chunk(saved):
    next(path for path in (saved / "cross/8x12/attention/c").rglob("*") if path.is_file()).unlink()


def lose_a_node(saved):
    shutil.rmtree(saved / "cross")


def lose_metadata(saved):
    (saved / "cross/8x12/attention/zarr.json").unlink()


def cut_metadata(saved):
    path = saved / "zarr.json"
    path.write_text(path.read_text()[:50])


def lose_attributes(saved):
    edit(saved / "cross/8x12/zarr.json", lambda node: node["attributes"]["attnscope_coords"].pop("layer"))


@pytest.mark.parametrize("damage", [lose_a_chunk, lose_a_node, lose_metadata, cut_metadata, lose_attributes])
def test_a_damaged_one(saved, damage):
    damage(saved)
    with pytest.raises(SavedCaptureError, match=r"is a damaged capture"):
        attnscope.open(saved)
