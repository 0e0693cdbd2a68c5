"""Self-attention: any part of the map, from the queries and keys that the model used."""

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention
from processors import conditional, install

import attnscope
from attnscope import analysis
from attnscope.capture import arithmetic
from attnscope.capture.arithmetic import attention_weights, row_sums
from attnscope.capture.over_pixels import SelfSighting
from attnscope.capture.sightings import Call
from attnscope.errors import UnknownLayerError
from attnscope.maps.lazy import LazyAttention

WORST = 2e-6
BOTH = ("cross", "self")


@pytest.fixture(scope="module")
def both(pipe):
    with attnscope.capture(pipe, kinds=BOTH) as cap:
        generator = torch.Generator().manual_seed(3)
        pipe("a red circle and a red sailboat", num_inference_steps=3, height=32, width=48, generator=generator)
    return cap


@pytest.mark.parametrize("name", ["sdpa", "classic", "sliced by 1", "sliced by 5", "fused", "storing", "mixed"])
@pytest.mark.usefixtures("clean")
def test_every_processor_gives_the_stored_softmax(pipe, paint, stored, name):
    install(pipe.unet, name)
    untouched = paint()
    with attnscope.capture(pipe, kinds="self") as cap:
        captured = paint()
    assert torch.equal(captured, untouched)
    assert cap.layers["kind"].tolist() == ["self"] * 16
    assert not [path for path in cap.missing if path.endswith("attn1")]
    for row in cap.layers.itertuples():
        array = cap.layer(row.layer, kind="self")
        assert array.dims == ("step", "head", "pixel", "key")
        expected = conditional(stored[row.module], row.heads)
        assert array.shape == expected.shape
        assert abs(array.values - expected).max() <= WORST, row.layer
        assert abs(array.isel(key=1).values - expected[..., 1]).max() <= WORST
        assert abs(array.isel(pixel=-1).values - expected[..., -1, :]).max() <= WORST


def test_both_kinds_at_once(both, cap, stored):
    assert both.kinds == ["cross", "self"]
    assert both.layers["kind"].value_counts().to_dict() == {"cross": 16, "self": 16}
    assert both.missing == {}
    for row in both.layers.query("kind == 'cross'").itertuples():
        assert np.array_equal(both.layer(row.layer).values, cap.layer(row.layer).values.astype(np.float16))
    array = both.at("8x12", kind="self")
    assert isinstance(array.variable._data, LazyAttention)
    assert array.sel(place="up").isel(pixel=3).sum("key").values == pytest.approx(1, abs=1e-5)
    assert array["key_x"].values.tolist() == array["x"].values.tolist()
    expected = conditional(stored[str(array["module"].values[0])], 4)
    received = analysis.received(array).isel(layer=0)
    np.testing.assert_allclose(received.values, expected.mean(-2), atol=WORST)


def test_only_queries_keys_and_sums_are_kept(both, pipe):
    numbers = 0
    for row in both.layers.query("kind == 'self'").itertuples():
        numbers += 3 * row.heads * row.height * row.width * (2 * row.head_width + 1)
    cross = sum(both.at(grid).size * 2 for grid in both.layers["grid"].unique())
    assert both.nbytes == 4 * numbers + cross
    assert "16 layers of self-attention (5 at 16x24" in repr(both)


def test_saved_and_opened_as_queries_and_keys(both, tmp_path):
    opened = attnscope.open(both.save(tmp_path / "run.zarr"))
    again = attnscope.open(opened.save(tmp_path / "again.zarr"))
    assert repr(again) == repr(both)
    for row in both.layers.query("kind == 'self'").itertuples():
        first, second = (one.layer(row.layer, kind="self") for one in (both, again))
        assert np.array_equal(first.values, second.values)
        assert set(first.coords) == set(second.coords)
        assert first.attrs == second.attrs
    array = again.at("16x24", kind="self").sel(place="up", step=2)
    assert isinstance(array.variable._data, LazyAttention)


def test_several_pictures_and_half_precision(pipe, paint):
    with attnscope.capture(pipe, kinds="self", layers="mid.0") as cap:
        paint(num_images_per_prompt=2)
    with attnscope.capture(pipe, kinds="self", layers="mid.0") as one:
        paint()
    array = cap.layer("mid.0", kind="self")
    assert array.dims == ("image", "step", "head", "pixel", "key")
    assert array.sizes["image"] == 2
    np.testing.assert_allclose(array.isel(image=0, step=0).values, one.layer("mid.0", kind="self")[0].values, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_queries_and_keys_keep_the_dtype_of_the_model(pipe, dtype, tmp_path):
    import copy

    unet = copy.deepcopy(pipe.unet).to(dtype)
    seen = []
    block = unet.mid_block.attentions[0].transformer_blocks[0].attn1
    block.to_q.register_forward_hook(lambda *args: seen.append(args[2]))
    block.to_k.register_forward_hook(lambda *args: seen.append(args[2]))
    sample = torch.randn(1, 4, 16, 24, generator=torch.Generator().manual_seed(0))
    with attnscope.capture(unet, kinds="self", layers="mid.0") as cap, torch.no_grad():
        unet(sample.to(dtype), 5, torch.zeros(1, 7, 24).to(dtype))
    query, key = (part.unflatten(-1, (3, 8)).transpose(1, 2) for part in seen)
    expected = attention_weights(query, key, None, block.scale)[0]
    for one in (cap, attnscope.open(cap.save(tmp_path / "run.zarr"))):
        array = one.layer("mid.0", kind="self")
        assert abs(array.isel(step=0).values - expected.numpy()).max() <= WORST
        assert one.nbytes == 2 * query.numel() * 2 + query[..., 0].numel() * 4


def test_captures_nest_and_training_is_left_alone(pipe, paint, stored):
    with attnscope.capture(pipe, kinds="self") as outer, attnscope.capture(pipe, kinds=BOTH) as inner:
        paint()
    for one in (outer, inner):
        row = one.layers.query("kind == 'self'").iloc[4]
        expected = conditional(stored[row.module], row.heads)
        assert abs(one.layer(row.layer, kind="self").values - expected).max() <= WORST
    sample = torch.zeros(1, 4, 8, 8, requires_grad=True)
    with attnscope.capture(pipe.unet, kinds="self") as trained:
        pipe.unet(sample, 1, torch.zeros(1, 3, 24)).sample.sum().backward()
    assert sample.grad is not None
    assert trained.at(8, kind="self").sizes["step"] == 1


def test_an_interrupted_step_is_nan(pipe, paint):
    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    def in_the_last(pipeline, step, timestep, tensors):
        if step == 1:
            handles.append(pipeline.unet.mid_block.register_forward_pre_hook(stop))
        return tensors

    handles = []
    with pytest.raises(Stop), attnscope.capture(pipe, kinds=BOTH) as cap:
        paint(callback_on_step_end=in_the_last)
    handles[0].remove()
    assert cap.layer("down.0.0", kind="self").isel(step=2).notnull().all()
    assert cap.layer("up.1.0", kind="self").isel(step=2).isnull().all()


def test_a_scope_shows_self_attention_alone(pipe, paint):
    with attnscope.capture(pipe, kinds="self", layers="mid.0", steps=0) as cap:
        paint()
    data, _ = cap._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"} <= set(data)
    scope = attnscope.Scope(cap)
    assert (scope.kind, scope.selected.dims) == ("self", ("pixel",))
    assert float(scope.selected.mean()) == pytest.approx(1, abs=1e-4)  # of what pixels receive, in even shares


def test_what_was_not_captured_is_said(both, cap):
    with pytest.raises(UnknownLayerError, match=r"kind 'self' was not captured. Available: cross"):
        cap.at("8x12", kind="self")
    assert set(cap.missing.values()) == {"self-attention was not asked for by kinds="}


@pytest.mark.parametrize("mask", ["bool", "float"])
def test_a_mask_over_keys_is_a_bias(mask):
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 2, 3, 6, 4, generator=generator)
    kept = torch.tensor([[True] * 6, [True, True, False, True, False, True]])
    added = kept if mask == "bool" else torch.where(kept, 0.25, -10000.0)
    sighting = SelfSighting(6, [1], 2, 3)
    sighting.fused(Call(query, key, key, added[:, None, None], 0.5, plain=False))
    expected = attention_weights(query, key, added[:, None, None], 0.5)[1]
    scores = (sighting.query @ sighting.key.transpose(-1, -2))[0] * 0.5 + sighting.bias[0]
    torch.testing.assert_close((scores - sighting.sums[0][..., None]).exp(), expected)
    refused = SelfSighting(6, [1], 2, 3)
    refused.fused(Call(query, key, key, torch.zeros(2, 1, 6, 6), 0.5, plain=False))
    assert refused.refused == "its mask differs from query to query"
    assert not refused.complete


def test_masks_of_processors_that_form_the_scores():
    attention = Attention(query_dim=12, heads=3, dim_head=4).eval()
    hidden = torch.randn(2, 6, 12, generator=torch.Generator().manual_seed(0))
    added = torch.zeros(2, 1, 6)
    added[1, 0, 2] = -10000.0
    query, key = (attention.head_to_batch_dim(part(hidden)) for part in (attention.to_q, attention.to_k))
    bias = attention.prepare_attention_mask(added, 6, 2)
    sighting = SelfSighting(6, [0, 1], 2, 3)
    sighting.product(query, key, bias, attention.scale)
    expected = attention.get_attention_scores(query, key, bias).unflatten(0, (2, 3))
    scores = sighting.query @ sighting.key.transpose(-1, -2) * sighting.scale + sighting.bias[:, None, None]
    torch.testing.assert_close((scores - sighting.sums[..., None]).exp(), expected)


def test_sums_of_rows_in_parts(monkeypatch):
    monkeypatch.setattr(arithmetic, "_TOGETHER", 40)
    query, key = torch.randn(2, 2, 3, 11, 4, generator=torch.Generator().manual_seed(0))
    expected = (query @ key.transpose(-1, -2) * 0.5).logsumexp(-1)
    torch.testing.assert_close(row_sums(query, key, 0.5), expected)
