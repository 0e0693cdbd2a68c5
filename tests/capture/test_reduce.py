"""Means that are made while the run goes on equal those of the whole capture, and say what they are."""

import numpy as np
import pytest

import attnscope
from attnscope.errors import ViewError


@pytest.fixture(scope="module")
def paint(pipe):
    import torch

    def run(**arguments):
        generator = torch.Generator().manual_seed(3)
        size = {"height": 32, "width": 48, "output_type": "pt"}
        return pipe("a red circle", num_inference_steps=4, generator=generator, **size, **arguments)

    return run


@pytest.fixture(scope="module")
def whole(pipe, paint):
    with attnscope.capture(pipe, dtype="float32") as cap:
        paint()
    return cap


def capture(pipe, paint, **options):
    with attnscope.capture(pipe, **options) as cap:
        paint()
    return cap


@pytest.mark.parametrize("reduce", [("head",), ("step",), ("step", "head"), "head"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_a_mean_is_that_of_the_whole_capture(pipe, paint, whole, reduce, dtype):
    cap = capture(pipe, paint, reduce=reduce, dtype=dtype)
    over = [name for name in ("head", "step") if name in reduce]
    assert cap.attrs["reduced"] == over
    assert cap.attrs.get("averaged_steps") == (4 if "step" in reduce else None)
    assert cap.layers.equals(whole.layers)
    for one, two in zip(cap._arrays(), whole._arrays(), strict=True):
        mean = two.mean(over, dtype=np.float64).transpose(*(dim for dim in two.dims if dim not in over))
        found = one.squeeze(over).values
        bound = {
            "float32": 4e-7,
            "float16": 2**-11 * mean.values + 2**-24,
            "uint8": np.sqrt(mean.values) / 254 + 1 / (4 * 254**2) + 4e-7,
        }[dtype]
        assert (np.abs(found - mean.values) <= bound).all()
        assert one.dims == two.dims
        assert one.dtype == np.float32
        assert one["head"].values.tolist() == ([0] if "head" in reduce else two["head"].values.tolist())
        assert one["step"].values.tolist() == ([3] if "step" in reduce else [0, 1, 2, 3])
        assert one["heads"].values.tolist() == two["heads"].values.tolist()
    assert cap.layer("up.2.1").sizes["head"] == (1 if "head" in reduce else 4)
    assert cap.stack().sizes["layer"] == 16
    np.testing.assert_allclose(cap.word("red"), whole.word("red"), atol=2e-3)


@pytest.mark.parametrize("reduce", [("head",), ("step",), ("step", "head")])
def test_a_mean_goes_to_disk_and_back(pipe, paint, tmp_path, reduce):
    in_memory, path = capture(pipe, paint, reduce=reduce, dtype="uint8"), tmp_path / "run.zarr"
    seen = []

    def look(pipeline, step, timestep, tensors):
        array = attnscope.open(path).at("8x12")
        seen.append((array["step"].values.tolist(), bool(array.isnull().any())))
        return tensors

    with attnscope.capture(pipe, reduce=reduce, dtype="uint8", store=path) as streamed:
        paint(callback_on_step_end=look)
    steps = [[0], [1], [2], [3]] if "step" in reduce else [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]
    assert seen == [(each, False) for each in steps]
    copy = attnscope.open(in_memory.save(tmp_path / "copy.zarr"))
    for cap in (streamed, attnscope.open(path), copy):
        assert cap.attrs == in_memory.attrs
        assert cap.nbytes == in_memory.nbytes
        for one, two in zip(cap._arrays(), in_memory._arrays(), strict=True):
            assert np.array_equal(one.values, two.values)
            assert one["step"].equals(two["step"])


def test_a_step_in_which_a_layer_was_not_seen_does_not_count(pipe, paint, whole):
    class Stop(Exception):
        pass

    def fail(*_):
        if next(calls) == 1:
            raise Stop

    calls = iter(range(100))
    handle = pipe.unet.mid_block.attentions[0].register_forward_pre_hook(fail)
    with pytest.raises(Stop), attnscope.capture(pipe, reduce="step", dtype="float32") as cap:
        paint()
    handle.remove()
    assert cap.attrs["averaged_steps"] == 2
    late, early = whole.layer("up.1.0"), whole.layer("down.2.1")
    np.testing.assert_array_equal(cap.layer("up.1.0").values[0], late.sel(step=0).values)
    np.testing.assert_allclose(cap.layer("down.2.1").values[0], early.isel(step=[0, 1]).mean("step"), atol=1e-7)
    assert "seen in 1 of 2 steps" in cap.missing["up_blocks.1.attentions.0.transformer_blocks.0.attn2"]


def test_a_mean_over_steps_can_be_read_while_it_grows(pipe, paint, whole):
    early = []

    def look(pipeline, step, timestep, tensors):
        early.append(cap.layer("up.1.0"))
        return tensors

    with attnscope.capture(pipe, reduce=("step",), dtype="float32") as cap:
        paint(callback_on_step_end=look)
    for count, array in enumerate(early, start=1):
        mean = whole.layer("up.1.0").isel(step=slice(count)).mean("step")
        np.testing.assert_allclose(array.values[0], mean, atol=1e-7)


def test_self_attention_beside_a_mean_over_heads_is_whole(pipe, paint):
    cap = capture(pipe, paint, kinds=("cross", "self"), reduce=("head",))
    assert cap.layer("up.2.1").sizes["head"] == 1
    assert cap.layer("up.2.1", kind="self").sizes["head"] == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kinds": ("cross", "self"), "reduce": ("step",)}, "queries and keys, which have no mean over steps"),
        ({"kinds": "self", "reduce": ("head",)}, "keeps none"),
        ({"reduce": ("layer",)}, "Available: head, step"),
    ],
)
def test_what_has_no_mean_is_refused(pipe, options, said):
    with pytest.raises(ValueError, match=said), attnscope.capture(pipe, **options):
        pass


def test_a_scope_does_not_take_a_mean_for_a_head(pipe, paint, tmp_path):
    cap = capture(pipe, paint, reduce=("head", "step"), dtype="uint8")
    scope = attnscope.Scope(cap, layer="up.2.1", level="head", token=1)
    with pytest.raises(ViewError, match="only the mean over heads was kept"):
        scope.head = 0
    assert scope.selected.sizes == {"pixel": 8 * 12}
    for level in ("unet", "layer", "head"):
        scope.level = level
        scope.figure()
        scope.save(tmp_path / f"{level}.svg")
        svg = (tmp_path / f"{level}.svg").read_text()
        assert "head 0" not in svg
    scope.to_html(tmp_path / "scope.html")


def test_the_dtype_and_its_error_are_said(pipe, paint, whole):
    for name, size in {"float32": 4, "float16": 2, "uint8": 1}.items():
        cap = capture(pipe, paint, dtype=name)
        assert cap.attrs["dtype"] == name
        assert cap.nbytes == whole.nbytes // 4 * size
        p, found = whole.at("8x12").values.astype(np.float64), cap.at("8x12").values
        bound = eval(cap.attrs["dtype_error"], {"sqrt": np.sqrt, "p": p, "max": np.maximum})
        assert (np.abs(found - p) <= bound + 1e-7).all()
