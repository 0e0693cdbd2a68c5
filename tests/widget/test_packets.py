from threading import Thread

import numpy as np
import pytest
from widget.synthetic import recording

from attnscope.errors import UnknownLayerError, ViewError
from attnscope.figures.view import View, selected
from attnscope.maps.capture import Capture
from attnscope.maps.kept import kept
from attnscope.widget.atlas import mean_over_heads, shrink
from attnscope.widget.display import still
from attnscope.widget.packets import Packets
from attnscope.widget.protocol import make_item

ODD = {(70, 33): (2, [("down", 0, 0)]), (5, 7): (3, [("mid", -1, 0)])}


def test_atlas_is_the_mean_over_heads(cap):
    parts = Packets(cap).parts(make_item("atlas", 4, 0, "cond"))
    assert [name for name, _, _ in parts] == ["down.0.0", "mid.0", "up.1.0", "up.1.1"]
    for layer, maps, encoding in parts:
        mean = cap.layer(layer).sel(step=4).astype(np.float32).mean("head").transpose("token", "pixel").values
        assert encoding == "f16"
        np.testing.assert_allclose(maps.reshape(11, -1), mean, atol=2**-11)


def test_layer_is_every_head_as_captured(cap):
    ((name, maps, _),) = Packets(cap).parts(make_item("layer", 7, 0, "cond", "up.1.1"))
    assert (name, maps.shape) == ("maps", (3, 11, 10, 14))
    captured = cap.layer("up.1.1").sel(step=7).transpose("head", "token", "pixel").values
    np.testing.assert_array_equal(maps.reshape(3, 11, -1), captured)


def test_layer_is_a_view_of_the_capture(cap):
    maps = Packets(cap).cross.layer_maps("up.1.0", 4, 0, "cond")
    assert np.shares_memory(maps, kept(cap.at("10x14")).data)


def test_several_images(cap_images):
    packets = Packets(cap_images)
    assert packets.axes.images == ["0", "1", "2"]
    one = packets.cross.layer_maps("mid.0", 4, 1, "cond")
    captured = cap_images.layer("mid.0").sel(image=1, step=4).transpose("head", "token", "pixel").values
    np.testing.assert_array_equal(one.reshape(2, 11, -1), captured)
    assert packets.preview(4, 2).shape == (10, 14, 3)
    with pytest.raises(ViewError, match=r"image 3 was not captured\. Available: 0 to 2"):
        packets.cross.layer_maps("mid.0", 4, 3, "cond")


def test_grids_beyond_32_are_shrunk_and_stay_in_place():
    packets = Packets(Capture(recording(grids=ODD)))
    large = packets.cross.atlas_map("down.0.0", 4, 0, "cond")
    assert large.shape == (11, 24, 11)
    assert packets.cross.atlas_map("mid.0", 4, 0, "cond").shape == (11, 5, 7)
    full = packets.cross.head_mean("down.0.0", 4, 0, "cond")
    np.testing.assert_allclose(large.mean(axis=(1, 2)), full.mean(axis=(1, 2)), rtol=2e-3)


def test_shrinking_by_a_whole_factor_is_the_block_mean():
    maps = np.random.default_rng(0).random((3, 64, 96)).astype(np.float32)
    blocks = maps.reshape(3, 32, 2, 48, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(shrink(maps, side=48), blocks, rtol=1e-5)


def test_range_is_how_high_a_token_goes_over_steps(cap):
    parts = Packets(cap).parts(make_item("range", None, 0, "cond", "up.1.0"))
    maps = cap.layer("up.1.0").values.astype(np.float32)
    maps = np.concatenate([maps, maps.mean(axis=1, keepdims=True)], axis=1)
    assert [(name, array.shape, encoding) for name, array, encoding in parts] == [
        ("max", (4, 11), "f32"),
        ("p1", (4, 11), "f32"),
        ("p99", (4, 11), "f32"),
    ]
    highest, low, high = (array for _, array, _ in parts)
    np.testing.assert_allclose(highest, maps.max(axis=(0, 2)), rtol=1e-5)
    np.testing.assert_allclose(low, np.percentile(maps, 1, axis=(0, 2)), rtol=2**-10)
    np.testing.assert_allclose(high, np.percentile(maps, 99, axis=(0, 2)), rtol=2**-10)


def test_a_strip_is_one_pixel_at_every_step(cap):
    ((name, strip, encoding),) = Packets(cap).parts(make_item("strip", None, 0, "cond", "up.1.1", part=37))
    assert (name, encoding, strip.shape) == ("values", "f32", (cap.layer("up.1.1").sizes["step"], 3, 11))
    np.testing.assert_array_equal(strip, cap.layer("up.1.1").isel(pixel=37).transpose("step", "head", "token").values)
    with pytest.raises(ViewError, match=r"part=140 does not exist\. Layer up\.1\.1 has cells 0 to 139"):
        Packets(cap).parts(make_item("strip", None, 0, "cond", "up.1.1", part=140))


def test_sparklines_of_what_lies_on_disk_are_rationed(cap, tmp_path, monkeypatch):
    import attnscope
    from attnscope.widget import manifest as module

    cap.save(tmp_path / "capture.zarr")
    stored = attnscope.open(tmp_path / "capture.zarr")
    assert (Packets(cap).cross.in_memory, Packets(stored).cross.in_memory) == (True, False)
    monkeypatch.setattr(module, "_MASS_BYTES_STORED", 2 * 5 * 7 * 2 * 3 * 11)
    assert list(module.manifest(stored, Packets(stored))[0]["mass"]) == ["mid.0"]
    assert len(module.manifest(cap, Packets(cap))[0]["mass"]) == 4


def test_what_was_not_seen_stays_unseen(cap_gap):
    packets = Packets(cap_gap)
    assert np.isnan(packets.cross.atlas_map("up.1.0", 4, 0, "cond")).all()
    assert np.isfinite(packets.cross.atlas_map("up.1.0", 7, 0, "cond")).all()
    assert all(np.isfinite(array).all() for array in packets.cross.ranges("up.1.0", 0, "cond").values())


def test_the_mean_of_an_atlas_is_that_of_the_layers_seen(cap_gap):
    mean = Packets(cap_gap).cross.atlas_mean(4, 0, "cond")
    seen, _ = selected(cap_gap, View(level="unet", layer="mid.0", step=4))
    np.testing.assert_allclose(mean.reshape(-1, 11), seen.transpose("pixel", "token"), atol=2**-10)
    caption = still(cap_gap, View(level="unet", layer="mid.0", step=4), Packets(cap_gap))["text/html"]
    assert "mean of 3 of 4 layers" in caption
    assert "not a number" not in caption


def test_unknown_things_are_named(cap):
    packets = Packets(cap)
    with pytest.raises(UnknownLayerError, match=r"'up\.1\.9'.*Available: down\.0\.0, mid\.0.*Did you mean 'up\.1\.1'"):
        packets.parts(make_item("layer", 4, 0, "cond", "up.1.9"))
    with pytest.raises(ViewError, match=r"step 5 was not captured\. Available: 0, 4, 7"):
        packets.parts(make_item("atlas", 5, 0, "cond"))
    with pytest.raises(ViewError, match="No previews were captured"):
        Packets(Capture(recording(decoded=False))).preview(4, 0)


def test_two_threads_read_the_same(cap):
    packets = Packets(cap)
    items = [make_item("atlas", step, 0, "cond") for step in (0, 4, 7)]
    items += [make_item("range", None, 0, "cond", layer) for layer in packets.layers("cross")]
    expected = [[part[1].copy() for part in Packets(cap).parts(item)] for item in items]
    wrong: list[object] = []

    def hammer(order):
        try:
            for _ in range(30):
                for index in order:
                    for part, right in zip(packets.parts(items[index]), expected[index], strict=True):
                        np.testing.assert_array_equal(part[1], right)
        except BaseException as error:
            wrong.append(error)

    count = len(items)
    threads = [Thread(target=hammer, args=(order,)) for order in (range(count), range(count - 1, -1, -1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_cache_stays_bounded(cap, monkeypatch):
    from attnscope.widget import packets as module

    monkeypatch.setattr(module, "_CACHE_BYTES", 8000)
    packets = Packets(cap)
    for step in (0, 4, 7):
        for layer in packets.layers("cross"):
            packets.cross.atlas_map(layer, step, 0, "cond")
    assert sum(array.nbytes for array in packets.memo._kept.values()) == packets.memo.nbytes <= 8000


def test_the_quick_mean_over_heads_is_that_of_numpy():
    rng = np.random.default_rng(0)
    every = np.arange(0x7C00, dtype=np.uint16).view(np.float16)  # all that a half can be, from 0 to 65504
    gap = np.where(rng.random((8, 50, 11)) < 0.01, np.nan, rng.random((8, 50, 11)))
    for maps in (
        rng.random((8, 50, 11)),
        rng.random((3, 5, 7)) * 1e-6,
        every[None],
        gap,
        -rng.random((2, 9)),
        gap[:, :0],
    ):
        half = np.asarray(maps, np.float16)
        np.testing.assert_allclose(mean_over_heads(half), half.mean(axis=0, dtype=np.float32), rtol=2e-7)
