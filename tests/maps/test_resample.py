"""Resampling equals torch's, and area keeps what it must."""

import numpy as np
import pytest
import torch
import xarray as xr

from attnscope.maps.resample import resample, weights
from attnscope.maps.schema import attention_array


def array(rows, columns, seed=0):
    values = np.random.default_rng(seed).random((2, rows * columns, 3)).astype(np.float32)
    coords = {"head": ("head", [0, 1]), "word": ("token", ["a", "b", "a"]), "token": ("token", [0, 1, 2])}
    return attention_array(
        values,
        ("head", "pixel", "token"),
        coords=coords,
        grid=(rows, columns),
        size=(32, 48),
        attrs={"grid": [rows, columns], "size": [32, 48]},
    )


@pytest.mark.parametrize("how", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize(("old", "new"), [((4, 6), (16, 24)), ((5, 7), (11, 9)), ((16, 9), (5, 4)), ((1, 3), (2, 7))])
def test_as_torch_does(how, old, new):
    source = array(*old)
    ours = resample(source, new, how)
    planes = torch.from_numpy(source.values.reshape(2, *old, 3)).permute(0, 3, 1, 2)
    name = "nearest-exact" if how == "nearest" else how
    flags = {} if how == "nearest" else {"align_corners": False}
    theirs = torch.nn.functional.interpolate(planes, new, mode=name, **flags).permute(0, 2, 3, 1).reshape(2, -1, 3)
    np.testing.assert_allclose(ours.values, theirs.numpy(), atol=2e-6)


@pytest.mark.parametrize(("old", "new"), [((16, 24), (4, 6)), ((6, 10), (3, 5))])
def test_area_is_the_block_mean_where_it_divides(old, new):
    source = array(*old)
    blocks = source.values.reshape(2, new[0], old[0] // new[0], new[1], old[1] // new[1], 3).mean((2, 4))
    np.testing.assert_allclose(resample(source, new).values, blocks.reshape(2, -1, 3), atol=1e-6)


def test_area_repeats_cells_where_it_multiplies():
    source = array(3, 5)
    xr.testing.assert_allclose(resample(source, (6, 15)), resample(source, (6, 15), "nearest"))


def test_area_keeps_mean_and_sums_for_any_size():
    source = array(7, 11)
    for size in [(3, 4), (9, 13), (1, 1)]:
        np.testing.assert_allclose(resample(source, size).mean("pixel"), source.mean("pixel"), atol=1e-6)
    for how in ("area", "nearest", "bilinear", "bicubic"):
        np.testing.assert_allclose(weights(7, 5, how).sum(1), 1, atol=1e-6)


def test_labels_survive():
    result = resample(array(4, 6), "2x3")
    assert result.sel(word="a").sizes == {"head": 2, "pixel": 6, "token": 2}
    assert result.unstack("pixel")["x"].values.tolist() == [8, 24, 40]
    assert result.attrs["grid"] == [2, 3]


def test_an_unknown_way():
    with pytest.raises(ValueError, match=r"how='lanczos' is unknown. Available: area, nearest, bilinear, bicubic"):
        resample(array(4, 6), 8, "lanczos")
