"""Measures of self-attention: the formula on the formed map, and no map formed."""

import numpy as np
import pytest
import xarray as xr
from selfattention import GRID, SIZE, draw, labelled, pair

from attnscope.analysis import entropy, mean_distance, propagate, received
from attnscope.maps import lazy as lazy_module
from attnscope.maps import scores as scores_module
from attnscope.maps.lazy import LazyAttention
from attnscope.maps.schema import attention_array, pixel_coords
from attnscope.maps.scores import Scores

MEASURES = [received, entropy, mean_distance]
SEEN = np.array([[True, False, True], [True, True, False]])


@pytest.fixture
def maps():
    return pair(seen=SEEN)[1]


@pytest.fixture(params=["lazy", "formed"])
def array(request, monkeypatch, maps):
    if request.param == "formed":
        return labelled(maps)
    monkeypatch.setattr(scores_module, "BLOCK_BYTES", 4 * 35 * 3)
    # Large enough for what is asked for, too small for the map.
    monkeypatch.setattr(lazy_module, "FORMED_BYTES", 200_000)
    return labelled(pair(seen=SEEN)[0])


def distances():
    y, x = np.repeat(np.arange(5) * 8 + 4, 7), np.tile(np.arange(7) * 8 + 4, 5)
    return np.hypot(y[:, None] - y, x[:, None] - x)


def wanted(measure, maps, distances):
    maps = maps.astype(np.float64)
    if measure is received:
        return maps.mean(axis=-2)
    if measure is entropy:
        return -(maps * np.log(maps)).sum(axis=-1)
    return (maps * distances).sum(axis=-1)


@pytest.mark.parametrize("measure", MEASURES)
def test_measures(measure, array, maps):
    found = measure(array)
    left = "key" if measure is received else "pixel"
    assert found.dims == ("image", "step", "layer", "head", left)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted(measure, maps, distances()), rtol=1e-5, atol=1e-6)
    assert found.sel(place="up").sizes["layer"] == 1
    assert found.attrs["grid"] == list(GRID)
    assert np.isnan(found.sel(layer="up.2.0").isel(head=3)).all()
    assert set(found.unstack(left).dims) >= ({"key_y", "key_x"} if measure is received else {"y", "x"})


@pytest.mark.parametrize("measure", MEASURES)
def test_measures_of_a_part_in_another_order(measure, array, maps):
    part = array.isel(step=[2, 0], image=1, head=slice(0, 2), pixel=slice(4, 30, 2))
    found = measure(part.transpose("key", "head", "pixel", ...)).transpose("step", "layer", "head", ...)
    values = maps[1, [2, 0]][:, :, :2, 4:30:2]
    expected = wanted(measure, values, distances()[4:30:2])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("measure", [entropy, mean_distance])
def test_measures_of_one_pixel(measure, array, maps):
    found = measure(array.isel(pixel=9, image=0))
    np.testing.assert_allclose(found, wanted(measure, maps, distances())[0, ..., 9], rtol=1e-5, atol=1e-6)


def test_entropy_of_known_rows():
    maps = np.zeros((4, 4), np.float32)
    maps[0] = 0.25
    maps[1:, 2] = 1
    found = entropy(attention_array(maps, ("pixel", "key"), coords={}, grid=(2, 2), size=(8, 8), attrs={}))
    np.testing.assert_allclose(found, [np.log(4), 0, 0, 0], atol=1e-6)


def test_a_renamed_array_is_measured_by_its_names(array, maps):
    turned = array.isel(image=0, step=0, layer=0).drop_vars(["pixel", "y", "x", "key", "key_y", "key_x"])
    turned = turned.rename(pixel="key", key="pixel")
    np.testing.assert_allclose(
        entropy(turned).transpose("head", "pixel"), -(maps * np.log(maps))[0, 0, 0].sum(axis=-2), rtol=1e-5
    )


def words(*dims, seed=3):
    sizes = {"token": 11, "step": 3, "image": 2, "pixel": 35}
    values = np.random.default_rng(seed).random([sizes[dim] for dim in dims], dtype=np.float32)
    array = xr.DataArray(values, dims=dims, name="attention").assign_coords(pixel_coords(GRID, SIZE))
    return array.assign_coords(token=np.arange(20, 31)) if "token" in dims else array


def test_propagation_of_a_word(array, maps):
    word = words("pixel")
    found = propagate(array, word)
    assert found.dims == ("image", "step", "layer", "head", "pixel")
    np.testing.assert_allclose(found, maps @ word.values, rtol=1e-5)
    np.testing.assert_array_equal(found.coords["y"], array.coords["y"])
    image = word.unstack("pixel")
    xr.testing.assert_allclose(propagate(array, image), found)
    xr.testing.assert_allclose(propagate(array, image.transpose("x", "y")), found)


def test_propagation_of_many_maps_at_once(array, maps):
    word = words("token", "pixel")
    found = propagate(array, word)
    assert found.dims == ("image", "step", "layer", "head", "pixel", "token")
    np.testing.assert_allclose(found, maps @ word.values.T, rtol=1e-5)
    assert found.coords["token"].values.tolist() == list(range(20, 31))
    assert found.sel(place="down").sizes["layer"] == 1


def test_propagation_along_shared_dims(array, maps):
    word = words("pixel", "step", "token", "image").assign_coords(step=[0, 4, 7], image=[0, 1])
    found = propagate(array, word)
    assert found.dims == ("image", "step", "layer", "head", "pixel", "token")
    np.testing.assert_allclose(found, np.einsum("islhpk,ksti->islhpt", maps, word.values), rtol=1e-5)
    with pytest.raises(xr.AlignmentError):
        propagate(array, word.assign_coords(step=[0, 1, 2]))


def test_propagation_to_one_pixel(array, maps):
    word = words("pixel")
    np.testing.assert_allclose(propagate(array.isel(pixel=9), word), maps[..., 9, :] @ word.values, rtol=1e-5)


def test_what_is_no_self_attention_is_refused(array):
    with pytest.raises(ValueError, match=r"not 'pixel'; give self-attention"):
        received(array.isel(pixel=0))
    with pytest.raises(ValueError, match="not 'key'"):
        entropy(array.isel(key=0))
    with pytest.raises(ValueError, match=r"34 cells, the self-attention 35 keys"):
        propagate(array, words("pixel").isel(pixel=slice(1, None)))
    with pytest.raises(ValueError, match="must have 'pixel', 'key', or 'y' and 'x'"):
        propagate(array, xr.DataArray(np.zeros(35), dims="cell"))


def test_a_large_map_is_measured_in_bounded_memory():
    import tracemalloc

    query, key = draw(1, 8, lead=(), pixels=4096)
    data = LazyAttention([Scores(query, key, scale=0.3)])
    array = attention_array(
        data, ("layer", "head", "pixel", "key"), coords={}, grid=(64, 64), size=(512, 512), attrs={}
    ).isel(layer=0)
    word = xr.DataArray(np.ones(4096, np.float32), dims="pixel")
    tracemalloc.start()
    for measure in (entropy, mean_distance, lambda a: propagate(a, word)):
        assert not np.isnan(measure(array)).any()
    assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    tracemalloc.stop()
