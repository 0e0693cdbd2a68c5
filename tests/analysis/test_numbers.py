"""Numbers of one map and of two, and the tokens that count: against their formulas."""

import numpy as np
import pytest
import xarray as xr

from attnscope.analysis import compare, concentration, difference, drop_tokens, positions, renormalise
from attnscope.analysis.concentration import half_mass_level
from attnscope.maps.schema import key_coords, pixel_coords

SIZE = (40, 84)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)


def labelled(values: np.ndarray, grid: tuple[int, int], dim: str = "pixel") -> xr.DataArray:
    coords = (pixel_coords if dim == "pixel" else key_coords)(grid, SIZE)
    return xr.DataArray(values, dims=("step", dim)[-values.ndim :], coords=coords)


def bits(shares: np.ndarray) -> float:
    return float(-(shares * np.log2(shares)).sum())


@pytest.mark.parametrize("dim", ["pixel", "key"])
def test_concentration(random, dim):
    values = random.exponential(size=(3, 35)) ** 2
    found = concentration(labelled(values, (5, 7), dim))
    assert found["entropy"].dims == ("step",)
    np.testing.assert_allclose(found["entropy"], [bits(one / one.sum()) for one in values], rtol=1e-9)
    for step, one in enumerate(values):
        ordered = np.sort(one)[::-1]
        count = next(n for n in range(1, 36) if ordered[:n].sum() >= one.sum() / 2)
        assert found["half_mass"][step] == pytest.approx(count / 35)
        at = int(one.argmax())
        assert found["peak"][step] == one.max()
        assert (found["peak_y"][step], found["peak_x"][step]) == (at // 7 * 8 + 4, at % 7 * 12 + 6)
        level = half_mass_level(one.reshape(5, 7))
        assert (one > level).sum() == count


def test_concentration_of_what_is_even_empty_or_unknown(random):
    values = np.stack([np.ones(35), np.zeros(35), np.where(np.arange(35) == 9, np.nan, 1.0)])
    found = concentration(labelled(values, (5, 7)))
    np.testing.assert_allclose(found["entropy"], [np.log2(35), np.nan, np.nan])
    np.testing.assert_allclose(found["half_mass"], [18 / 35, np.nan, np.nan])
    np.testing.assert_allclose(found["peak"], [1, 0, np.nan])
    assert all(np.isnan(half_mass_level(one)) for one in values)


def test_an_image_is_the_map_that_it_is_of(random):
    maps = labelled(random.random(35), (5, 7))
    xr.testing.assert_identical(concentration(maps), concentration(maps.unstack("pixel")))


def test_compare(random):
    a, b = random.random((2, 35)) ** 2
    found = compare(labelled(a, (5, 7)), labelled(b, (5, 7), "key"))
    assert float(found["correlation"]) == pytest.approx(np.corrcoef(a, b)[0, 1])
    p, q = a / a.sum(), b / b.sum()
    assert float(found["divergence"]) == pytest.approx(bits((p + q) / 2) - (bits(p) + bits(q)) / 2)
    y, x = np.repeat(np.arange(5) * 8 + 4, 7), np.tile(np.arange(7) * 12 + 6, 5)
    centres = [np.array([(m * y).sum(), (m * x).sum()]) / m.sum() for m in (a, b)]
    assert float(found["shift"]) == pytest.approx(np.linalg.norm(centres[0] - centres[1]))


def test_what_is_the_same_does_not_differ(random):
    one = labelled(random.random(35), (5, 7))
    found = compare(one, 3 * one)
    assert [float(found[name]) for name in found] == pytest.approx([1, 0, 0], abs=1e-12)
    assert not np.asarray(difference(one, one)).any()


def test_differences_lie_on_the_coarser_grid(random):
    fine, coarse = random.random(140), random.random(35)
    found = difference(labelled(coarse, (5, 7)), labelled(fine, (10, 14)))
    assert found.sizes["pixel"] == 35
    blocks = fine.reshape(5, 2, 7, 2).mean(axis=(1, 3)).ravel()
    np.testing.assert_allclose(found, coarse - blocks, atol=1e-6)
    other = difference(labelled(fine, (10, 14)), labelled(coarse, (5, 7)))
    np.testing.assert_allclose(other, -found.values, atol=1e-12)


def test_only_two_maps_of_one_size_compare(random):
    one = labelled(random.random((2, 35)), (5, 7))
    with pytest.raises(ValueError, match="One map was expected"):
        compare(one, one)
    small = xr.DataArray(random.random(35), dims="pixel", coords=pixel_coords((5, 7), (20, 28)))
    with pytest.raises(ValueError, match=r"\(40, 84\) and \(20, 28\) pixels"):
        difference(one.isel(step=0), small)
    with pytest.raises(ValueError, match="a map has one of 'pixel' and 'key'"):
        concentration(xr.DataArray([1.0, 2.0], dims="token"))


def words(values: np.ndarray) -> xr.DataArray:
    kinds = ("token", ["bos", "prompt", "prompt", "eos", "pad"])
    counts = ("token", [1, 1, 1, 1, 73])
    return xr.DataArray(values, dims=("pixel", "token")).assign_coords(token_kind=kinds, token_count=counts)


@pytest.mark.parametrize(
    ("drop", "kept"), [([], [0, 1, 2, 3, 4]), (["bos", "pad"], [1, 2, 3]), (["eos"], [0, 1, 2, 4])]
)
def test_tokens_that_count(random, drop, kept):
    values = random.random((7, 5))
    maps = words(values)
    np.testing.assert_array_equal(drop_tokens(maps, drop), values[:, kept])
    found = renormalise(maps, drop=drop)
    np.testing.assert_allclose(found, values / values[:, kept].sum(axis=1, keepdims=True))
    assert positions(maps, drop=drop) == sum([1, 1, 1, 1, 73][place] for place in kept)


def test_what_has_no_sum_is_not_a_number():
    found = renormalise(words(np.array([[1.0, 0, 0, 0, 0], [0.5, 0.25, 0.25, 0, 0]])), drop=["bos", "pad"])
    np.testing.assert_array_equal(np.isnan(found).any("token"), [True, False])
    assert np.isnan(renormalise(words(np.array([[1.0, np.nan, 0, 0, 0]])))).all()


def test_unknown_kinds_are_refused():
    maps = words(np.ones((1, 5)))
    with pytest.raises(ValueError, match="'padding' cannot be left out"):
        drop_tokens(maps, ["padding"])
    with pytest.raises(ValueError, match="Nothing is left without bos"):
        renormalise(maps.isel(token=[0]), drop=["bos"])
