"""Self-attention that is computed when it is asked for: the same numbers, and no more than was asked for."""

import copy
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr
import zarr
from selfattention import Recording, draw, labelled, log_sums, pair, softmax

from attnscope.errors import AttnscopeError, TooLargeError
from attnscope.maps import lazy as lazy_module
from attnscope.maps import scores as scores_module
from attnscope.maps.lazy import LazyAttention
from attnscope.maps.scores import Scores

MB = 2**20


def same(found, wanted, tolerance=2e-6):
    found = np.asarray(found)
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 12 rows, so that every path is cut into several."""
    monkeypatch.setattr(scores_module, "BLOCK_BYTES", 4 * 35 * 12)
    monkeypatch.setattr(scores_module, "READ_BYTES", 4 * 70 * 8 * 2)


# --- exactness --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lse", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_the_softmax(lse, bias, small_blocks):
    array, maps = pair(lse=lse, bias=bias)
    assert (array.shape, array.dtype, array.ndim, len(array)) == (maps.shape, np.float32, 6, 2)
    same(array, maps)
    same(array[1, 2, 0, :, 11], maps[1, 2, 0, :, 11])
    same(array[..., 11], maps[..., 11])
    same(array[:, 1, :, 2, 4:9, 30:2:-3], maps[:, 1, :, 2, 4:9, 30:2:-3])


def test_a_single_entry():
    array, maps = pair()
    assert array[0, 0, 0, 0, 3, 4].shape == ()
    assert float(array[0, 0, 0, 0, 3, 4]) == pytest.approx(maps[0, 0, 0, 0, 3, 4], abs=2e-6)


@pytest.mark.parametrize("lse", [True, False])
def test_large_scores_lose_nothing(lse):
    query, key = draw(3, 8, pixels=301)
    query *= 7
    exact = softmax(query, key, 0.4, float64=True)
    scores = 0.4 * (query @ key.swapaxes(-1, -2))
    assert 40 < scores.max() < 64
    assert exact.max() > 0.999
    array = LazyAttention([Scores(query, key, scale=0.4, lse=log_sums(query, key, 0.4) if lse else None)])
    same(array[:, :, 0], exact)
    same(array[..., 200], exact[:, :, None, ..., 200])


def test_half_precision_queries_and_keys():
    query, key = draw(3, 8, dtype=np.float16)
    array = LazyAttention([Scores(query, key, scale=0.3)])
    same(array[:, :, 0], softmax(query, key, 0.3))
    assert "float16" in repr(array)


def test_bits_of_bfloat16():
    query, key = (values.view(np.uint32) >> 16 for values in draw(3, 8))
    bits = [values.astype(np.uint16) for values in (query, key)]
    exact = [(values << np.uint32(16)).view(np.float32) for values in (query, key)]
    array = LazyAttention([Scores(*bits, scale=0.3, bfloat16=True)])
    same(array[:, :, 0], softmax(*exact, 0.3))
    assert "bfloat16" in repr(array)


def test_a_mask_shared_by_all():
    query, key = draw(2, 8)
    bias = np.where(np.arange(35) < 30, 0, -np.inf).astype(np.float32)
    maps = softmax(query, key, 0.3, bias)
    array = LazyAttention([Scores(query, key, scale=0.3, bias=bias)])
    same(array[:, :, 0], maps)
    assert np.asarray(array[..., 32]).max() == 0


def test_what_was_not_seen_is_nan(small_blocks):
    seen = np.array([[True, False, True], [True, True, False]])
    array, maps = pair(seen=seen)
    assert np.isnan(maps).sum() == 35**2 * (6 * 1 + 2 * 3)
    same(array, maps)
    same(array[0, :, 1, [3, 0]], maps[0, :, 1, [3, 0]])
    same(array.mean(axis=-2), maps.mean(axis=-2))
    same(np.nanmean(array, axis=(1, 3)), np.nanmean(maps, axis=(1, 3)))


def test_a_log_sum_of_nan_makes_nan_of_whatever_was_kept():
    query, key = draw(2, 8)
    lse = log_sums(query, key, 0.3)
    query[1, 2], lse[1, 2] = 1e38, np.nan
    array = LazyAttention([Scores(query, key, scale=0.3, lse=lse)])
    assert np.isnan(np.asarray(array[1, 2])).all()
    assert not np.isnan(np.asarray(array[1, 1])).any()


# --- indexing ---------------------------------------------------------------------------------------------------


def indexer(random, length):
    kind = random.integers(6)
    if kind == 0:
        return int(random.integers(-length, length))
    if kind == 1:
        start, stop = sorted(random.integers(0, length + 1, 2).tolist())
        return slice(start, stop, int(random.integers(1, 4)))
    if kind == 2:
        return slice(None, None, -int(random.integers(1, 3)))
    if kind == 3:
        return random.integers(-length, length, int(random.integers(0, 4)))
    if kind == 4:
        return random.random(length) < 0.4
    return slice(None)


@pytest.mark.parametrize("seed", range(40))
def test_any_outer_selection_through_xarray(seed):
    random = np.random.default_rng(seed)
    array, maps = pair()
    dims = tuple("abcdef")
    found, wanted = xr.Variable(dims, array), xr.Variable(dims, maps)
    for _ in range(2):
        picks = {dim: indexer(random, length) for dim, length in wanted.sizes.items() if length}
        found, wanted = found.isel(picks), wanted.isel(picks)
        order = random.permutation(wanted.dims).tolist()
        found, wanted = found.transpose(*order), wanted.transpose(*order)
        assert isinstance(found.data, LazyAttention)
        assert found.shape == wanted.shape
    same(found.values, wanted.values)


@pytest.mark.parametrize("seed", range(40))
def test_any_index_as_numpy_takes_it(seed):
    random = np.random.default_rng(100 + seed)
    array, maps = pair()
    keys = [indexer(random, length) for length in maps.shape]
    arrays = [place for place, key in enumerate(keys) if not isinstance(key, (int, slice))]
    for place in arrays[1:]:  # one index array, with integers and slices around it
        keys[place] = slice(1, None)
    if seed % 3 == 0:
        keys[1:4] = [...]
    same(array[tuple(keys)], maps[tuple(keys)])


def test_points_that_are_no_outer_product():
    array, maps = pair()
    points = np.array([[3, 30, 3], [1, 2, 0]]), np.array([[5, 5, 6], [0, 34, 33]])
    same(array[0, :, 0, 1][:, *points], maps[0, :, 0, 1][:, *points])
    same(array[0, [2, 0], 0, :, [7, 9]], maps[0, [2, 0], 0, :, [7, 9]])
    mask = np.eye(35, dtype=bool)
    same(array[1, 1, 0, 2][mask], maps[1, 1, 0, 2][mask])
    places = xr.DataArray([3, 9], dims="place")
    same(labelled(array).isel(pixel=places, key=places), labelled(maps).isel(pixel=places, key=places), 2e-6)


def test_a_new_axis_forms_what_is_selected():
    array, maps = pair()
    same(array[0, 0, 0, 0, 3][None], maps[0, 0, 0, 0, 3][None])


def test_transposing():
    array, maps = pair()
    same(array[0].T, maps[0].T)
    same(np.moveaxis(array[:, 0, 0], 1, -1), np.moveaxis(maps[:, 0, 0], 1, -1))
    same(np.swapaxes(array[0, 0, 0], -1, -2), np.swapaxes(maps[0, 0, 0], -1, -2))
    same(array[0, 0, 0].transpose(1, 0, 2)[4], maps[0, 0, 0].transpose(1, 0, 2)[4])
    assert isinstance(np.transpose(array), LazyAttention)


@pytest.mark.parametrize(
    ("key", "message"),
    [((0,) * 7, "7 indices"), ((..., ...), "2 '...'"), ("head", "is no index"), ((0, 99), "out of bounds")],
)
def test_an_index_that_is_none(key, message):
    with pytest.raises(IndexError, match=message):
        pair()[0][key]


# --- reductions -------------------------------------------------------------------------------------------------

REDUCTIONS = ["sum", "mean", "max", "min", "nansum", "nanmean", "nanmax", "nanmin"]
AXES = [None, -1, 4, (4, 5), 3, (0, 1), (2, 3), (1, 2, 3, 5), (0, 1, 2, 3, 4, 5), ()]


@pytest.mark.filterwarnings("ignore:All-NaN|Mean of empty")
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name, small_blocks):
    array, maps = pair(seen=np.array([[True, False, True], [True, True, False]]))
    function = getattr(np, name)
    for axis in AXES:
        wanted = function(maps, axis=axis)
        found = function(array, axis=axis)
        assert found.dtype == wanted.dtype
        np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=2e-6)
        assert function(array, axis=axis, keepdims=True).shape == function(maps, axis=axis, keepdims=True).shape
    part = (slice(None), 1, slice(None), slice(0, 2), [4, 3, 9])
    np.testing.assert_allclose(
        function(array[part].transpose(3, 0, 4, 2, 1), axis=(0, 2)),
        function(maps[part].transpose(3, 0, 4, 2, 1), axis=(0, 2)),
        rtol=2e-6,
        atol=2e-6,
    )


def test_functions_of_entries_stay_lazy_and_can_be_reduced(small_blocks):
    array, maps = pair()
    likely = (array > 0.1) & ~np.isnan(array)
    assert isinstance(likely, LazyAttention)
    assert likely.dtype == bool
    wanted = (maps > 0.1) & ~np.isnan(maps)
    assert likely.sum() == wanted.sum()
    assert likely.sum(axis=5).dtype == wanted.sum(axis=5).dtype
    np.testing.assert_array_equal(np.any(likely, axis=-1), wanted.any(axis=-1))
    np.testing.assert_array_equal(np.all(~likely, axis=-2), (~wanted).all(axis=-2))
    same(np.mean(likely, axis=-1), wanted.mean(axis=-1))
    same((2 * array.astype("float64"))[0, 0], 2 * maps[0, 0])
    assert np.where(np.isnan(array), 0, array).astype("float16").dtype == np.float16


def test_an_empty_selection():
    array, maps = pair()
    same(array[:, :, :, []], maps[:, :, :, []])
    same(np.sum(array[:, :, :, [], 1], axis=-1), maps[:, :, :, [], 1].sum(axis=-1))
    with pytest.raises(ValueError, match="zero-size"):
        np.max(array[:0])


def test_other_functions_form_the_part():
    array, maps = pair()
    part, formed = array[0, 0, 0], maps[0, 0, 0]
    np.testing.assert_array_equal(np.argmax(part, axis=-1), formed.argmax(axis=-1))
    same(np.quantile(part, 0.9, axis=-1), np.quantile(formed, 0.9, axis=-1))
    same(part @ np.ones(35, np.float32), formed.sum(axis=-1))
    same(part - part.mean(axis=-1, keepdims=True), formed - formed.mean(axis=-1, keepdims=True))
    same(np.stack([part, part]), np.stack([formed, formed]))
    same(np.add.reduce(part, axis=1), formed.sum(axis=1))
    with pytest.raises(np.exceptions.AxisError, match="3 that there are"):
        part.mean(axis=3)


@pytest.mark.skipif(int(np.__version__.split(".")[0]) < 2, reason="numpy 1 cannot ask for an array that is no copy")
def test_it_cannot_be_had_without_a_copy():
    array, _ = pair()
    with pytest.raises(ValueError, match="copy"):
        np.asarray(array[0, 0, 0], copy=False)


# --- as a DataArray ---------------------------------------------------------------------------------------------


def test_xarray_keeps_it():
    array, maps = pair()
    found, wanted = labelled(array), labelled(maps)
    assert isinstance(found.variable._data, LazyAttention)
    lazy = [
        lambda a: a.isel(pixel=5),
        lambda a: a.isel(key=7),
        lambda a: a.sel(place="up"),
        lambda a: a.sel(place=["up", "down"]).isel(head=[2, 0], pixel=slice(3, 9), key=[1, 5, 30]),
        lambda a: a.sel(y=12.0, x=20.0),
        lambda a: a.sel(key_y=12.0),
        lambda a: a.sel(layer="down.0.0", step=4).isel(image=0),
        lambda a: a.transpose("key", "pixel", ...),
        lambda a: a.squeeze(),
        lambda a: a.rename(head="kopf").assign_attrs(a=1).copy(),
        lambda a: a.where(a > 0.01),
        lambda a: a.fillna(0),
    ]
    for operation in lazy:
        assert isinstance(operation(found).variable._data, LazyAttention)
        xr.testing.assert_allclose(operation(found).as_numpy(), operation(wanted), rtol=0, atol=2e-6)
    computed = [
        lambda a: a.mean("pixel"),
        lambda a: a.mean("head"),
        lambda a: a.mean(("step", "layer", "head"), skipna=False),
        lambda a: a.max("key"),
        lambda a: a.min(("pixel", "layer")),
        lambda a: a.sum("key"),
        lambda a: a.sum("key", skipna=False),
        lambda a: a.sum("key", min_count=1),
        lambda a: a.count("pixel"),
        lambda a: (a > 0.05).sum("key"),
        lambda a: a.mean(),
        lambda a: a.isel(step=0, layer=0, image=0).argmax("key"),
        lambda a: a.isel(step=0, layer=0, image=0, pixel=8).unstack("key"),
    ]
    for operation in computed:
        assert isinstance(operation(found).variable._data, np.ndarray)
        xr.testing.assert_allclose(operation(found), operation(wanted), rtol=2e-6, atol=2e-6)


def test_rows_sum_to_one():
    array = labelled(pair()[0])
    same(array.sel(place="down").sum("key"), np.ones((2, 3, 1, 4, 35)), 1e-5)


def test_keys_are_labelled_as_pixels_are():
    array = labelled(pair()[0])
    assert array.isel(pixel=0).unstack("key").dims[-2:] == ("key_y", "key_x")
    assert array.indexes["key"].names == ["key_y", "key_x"]
    np.testing.assert_array_equal(array.coords["key_y"], array.coords["y"])
    np.testing.assert_array_equal(array.coords["key_x"], array.coords["x"])


def test_showing_it_computes_nothing():
    query, key = draw(3, 8)
    source = Recording(query)
    array = LazyAttention([Scores(source, key, scale=0.3)])
    data = xr.DataArray(array, dims=tuple("abcdef"), name="attention")
    for thing in (array, data, data.to_dataset()):
        repr(thing)
    data._repr_html_()
    assert "queries and keys" in repr(data)
    assert source.reads == []
    assert array.nbytes == 4 * array.size
    assert array.stored_nbytes == query.nbytes + key.nbytes


# --- laziness ---------------------------------------------------------------------------------------------------


def test_only_what_is_asked_for_is_read():
    query, key = draw(3, 8)
    sources = [Recording(query), Recording(key), Recording(log_sums(query, key, 0.3))]
    array = LazyAttention([Scores(*sources[:2], scale=0.3, lse=sources[2])])
    part = array[1, 2, 0, 1:, 7].transpose(1, 0)
    assert [source.reads for source in sources] == [[], [], []]
    np.asarray(part)
    assert [source.reads for source in sources] == [[(2, 1, 8)], [(2, 35, 8)], [(2, 1)]]


def test_labelling_and_selecting_reads_nothing():
    sources = [[Recording(values) for values in draw(heads, 8, seed=heads)] for heads in (4, 3)]
    array = labelled(LazyAttention([Scores(query, key, scale=0.3) for query, key in sources]))
    part = array.sel(place="up", step=[4, 7]).isel(pixel=slice(2, 9), head=[1]).transpose("key", ...)
    assert isinstance(part.variable._data, LazyAttention)
    assert [source.reads for layer in sources for source in layer] == [[], [], [], []]
    part.isel(image=0).sum("key", skipna=False)
    down, up = ([source.reads for source in layer] for layer in sources)
    assert down == [[], []]
    assert set(up[0]) == {(1, 7, 8)}
    assert set(up[1]) == {(1, 35, 8)}


def test_from_a_zarr_store(tmp_path):
    query, key = draw(3, 8, dtype=np.float16)
    lse = log_sums(query, key, 0.3)
    group = zarr.open_group(tmp_path / "run.zarr", mode="w")
    for name, values in {"query": query, "key": key, "lse": lse}.items():
        names = list("abcde")[: values.ndim]
        group.create_array(name, data=values, chunks=(1, 1, *values.shape[2:]), dimension_names=names)
    opened = xr.open_zarr(tmp_path / "run.zarr", chunks=None, consolidated=False, decode_cf=False)
    for sources in (group, opened):
        array = LazyAttention([Scores(sources["query"], sources["key"], scale=0.3, lse=sources["lse"])])
        maps = softmax(query, key, 0.3)[:, :, None]
        same(array, maps)
        same(array[1, :, 0, [2, 0], :, 5], maps[1, :, 0, [2, 0], :, 5])
        same(array[:, 1, 0, :, [3, 30, 4]], maps[:, 1, 0, :, [3, 30, 4]])
        same(array[1, ::2, 0, 1:, 1:30:3, ::-2], maps[1, ::2, 0, 1:, 1:30:3, ::-2])
        same(pickle.loads(pickle.dumps(array[0, 0, 0])), maps[0, 0, 0])
    assert not opened["query"].variable._in_memory


def test_log_sums_are_computed_once_and_for_the_rows_asked_for():
    query, key = draw(3, 8)
    source = Recording(query)
    layer = Scores(source, key, scale=0.3)
    array = LazyAttention([layer])
    maps = softmax(query, key, 0.3)[:, :, None]
    same(array[0, 1, 0, 2, 5:8], maps[0, 1, 0, 2, 5:8])
    assert np.count_nonzero(~np.isnan(layer._sums)) == 3
    same(array[0, 1, 0, 2, :, 4], maps[0, 1, 0, 2, :, 4])
    reads = len(source.reads)
    same(array[0, 1, 0, 2, :, 9], maps[0, 1, 0, 2, :, 9])
    assert len(source.reads) == reads + 1


def peak(action):
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("lse", [True, False])
def test_a_large_map_is_never_formed(lse):
    query, key = draw(8, 10, lead=(), pixels=4096)
    sums = np.full((8, 4096), 12, np.float32) if lse else None
    array = LazyAttention([Scores(query, key, scale=0.25, lse=sums)])
    assert array.nbytes == 512 * MB
    data = xr.DataArray(array, dims=("layer", "head", "pixel", "key"))
    assert peak(lambda: data.isel(pixel=100).values) < 8 * MB
    assert peak(lambda: data.isel(key=100, head=[2]).values) < 24 * MB
    if lse:
        assert peak(lambda: data.isel(key=100).values) < 16 * MB
        assert peak(lambda: data.mean("pixel")) < 16 * MB
        # As xarray's mean("head") calls it; the result has 64 MB.
        assert peak(lambda: np.nanmean(array[:, [0, 3]], axis=1)) < (64 + 16) * MB


def test_more_than_there_is_memory_for_is_refused(monkeypatch):
    array, maps = pair()
    monkeypatch.setattr(lazy_module, "FORMED_BYTES", 50_000)
    for action in (array.__array__, array.reshape, lambda: np.argmax(array, axis=-1), lambda: array + array[..., :1]):
        with pytest.raises(TooLargeError, match=r"would take 235 kB|would take 706 kB"):
            action()
    with pytest.raises(MemoryError, match=r"at most 50 kB .* \.isel\(step=-1, layer=0, head=0\).*FORMED_BYTES"):
        np.argmax(array, axis=-1)
    with pytest.raises(AttnscopeError, match=r"The result of mean would take"):
        array.mean(axis=0)
    same(array.mean(axis=4), maps.mean(axis=4))


def test_pickling_and_copying():
    array, maps = pair(lse=False)
    part = (array[0, :, 1, :2, 3] > 0.02).transpose(1, 0, 2)
    wanted = (maps[0, :, 1, :2, 3] > 0.02).transpose(1, 0, 2)
    for again in (pickle.loads(pickle.dumps(part)), copy.copy(part), copy.deepcopy(part)):
        np.testing.assert_array_equal(np.asarray(again), wanted)
    assert copy.deepcopy(array).layers is array.layers


def test_many_threads_at_once():
    array, maps = pair(lse=False)
    parts = [(..., row) if row % 2 else (..., row, slice(None)) for row in range(16)]
    with ThreadPoolExecutor(8) as pool:
        for part, found in zip(parts, pool.map(lambda part: np.asarray(array[part]), parts), strict=True):
            same(found, maps[part])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": np.zeros((2, 3, 2, 34, 8), np.float32)}, r"key has the shape .* belongs \(2, 3, 2, 35, 8\)"),
        ({"lse": np.zeros((2, 3, 2, 34), np.float32)}, r"lse has the shape .* belongs \(2, 3, 2, 35\)"),
        ({"bias": np.zeros((3, 35), np.float32)}, r"belongs \(2, 3, 35\) or \(35,\)"),
        ({"seen": np.ones(3, bool)}, r"seen has the shape \(3,\)"),
        ({"query": np.zeros((35, 8), np.float32)}, r"must be \(..., head, pixel, width\)"),
        ({"bfloat16": True}, "query is float32, with bfloat16=True. Available: float32, float16"),
        ({"query": np.zeros((2, 3, 2, 35, 8))}, "query is float64"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    query, key = draw(2, 8)
    with pytest.raises(ValueError, match=message):
        Scores(**({"query": query, "key": key, "scale": 1.0} | change))


def test_layers_that_do_not_fit_together_are_refused():
    one, two = (Scores(*draw(2, 8, pixels=pixels), scale=1) for pixels in (35, 36))
    with pytest.raises(ValueError, match="same leading dims"):
        LazyAttention([one, two])
    with pytest.raises(ValueError, match="none at all"):
        LazyAttention([])
