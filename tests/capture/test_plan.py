"""What a capture will take is told before it runs, from shapes alone."""

import inspect

import models
import numpy as np
import pytest
import torch
from conftest import PROMPT
from diffusers import (
    DPMSolverSDEScheduler,
    HeunDiscreteScheduler,
    KDPM2DiscreteScheduler,
    PNDMScheduler,
    UNet2DConditionModel,
)
from naming import stable

import attnscope
from attnscope.capture.plan import Plan, SiteShape
from attnscope.capture.sites import Site
from attnscope.errors import BudgetError, CaptureError, UnknownLayerError

MIB = 2**20
SD15 = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
SDXL = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}


def meta_unet(**config):
    with torch.device("meta"):
        return UNet2DConditionModel(**config).half()


@pytest.fixture(scope="module")
def sd15():
    return meta_unet(**SD15)


# --- what is told is what is kept ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tokens": "all"},
        {"tokens": "all", "dtype": "float32"},
        {"dtype": torch.float32, "layers": "up.*"},
        {"kinds": "self"},
        {"kinds": ("cross", "self")},
        {"kinds": ("cross", "self"), "layers": ["mid.0", "down.?.1"], "steps": [0, -1], "dtype": "float32"},
        {"kinds": ("cross", "self"), "layers": lambda site: site.heads == 3, "tokens": "all"},
        {"steps": slice(None, None, 2)},
        {"steps": 1, "kinds": "self"},
        {"steps": lambda step: step > 1},
    ],
    ids=stable,
)
def test_what_is_kept(pipe, paint, options):
    with attnscope.capture(pipe, **options) as cap:
        paint()
    plan = attnscope.estimate(pipe, height=32, width=48, num_inference_steps=3, prompt=PROMPT, **options)
    assert plan.nbytes == cap.nbytes
    assert plan.notes == ()
    kept = cap.layers.groupby(["kind", "grid"]).size()
    assert plan.table.set_index(["kind", "grid"])["layers"].to_dict() == kept.to_dict()


@pytest.mark.parametrize(
    "call",
    [
        {"num_images_per_prompt": 2},
        {"prompt": [PROMPT, PROMPT], "num_images_per_prompt": 2, "num_inference_steps": 1},
        {"height": 40, "width": 24, "num_inference_steps": 2},
        {"height": None, "width": None, "num_inference_steps": 1},
        {"prompt": "a tree"},
        {"prompt": "a red star " * 40},
        {"guidance_scale": 1.0},
    ],
    ids=stable,
)
@pytest.mark.filterwarnings("ignore::attnscope.errors.TruncatedPromptWarning")
def test_what_is_kept_of_a_call(pipe, paint, call):
    settings = {"height": 32, "width": 48, "num_inference_steps": 3, "prompt": PROMPT} | call
    with attnscope.capture(pipe, kinds=("cross", "self")) as cap:
        paint(**settings)
    settings.pop("guidance_scale", None)
    assert attnscope.estimate(pipe, kinds=("cross", "self"), **settings).nbytes == cap.nbytes


@pytest.mark.parametrize(
    "scheduler", [HeunDiscreteScheduler, KDPM2DiscreteScheduler, PNDMScheduler, DPMSolverSDEScheduler]
)
def test_calls_of_the_model_are_counted(scheduler):
    if scheduler is DPMSolverSDEScheduler:
        pytest.importorskip("torchsde")
    pipe = models.pipeline(scheduler=scheduler())
    with attnscope.capture(pipe) as cap:
        pipe(PROMPT, num_inference_steps=4, height=32, width=32, output_type="latent")
    plan = attnscope.estimate(pipe, height=32, width=32, num_inference_steps=4, prompt=PROMPT)
    assert plan.steps == cap.attrs["steps"] > 4
    assert plan.nbytes == cap.nbytes


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_queries_and_keys_take_what_the_model_computes_in(dtype):
    unet = models.unet().to(dtype)
    with attnscope.capture(unet, kinds=("cross", "self"), labels=["a", "b"]) as cap:
        for step in range(2):
            unet(torch.zeros(3, 4, 8, 12, dtype=dtype), step, torch.zeros(3, 77, 24, dtype=dtype))
    asked = {"height": 64, "width": 96, "num_inference_steps": 2, "num_images_per_prompt": 3}
    options = {"kinds": ("cross", "self"), "labels": ["a", "b"]}
    assert attnscope.estimate(unet, **asked, **options).nbytes == cap.nbytes
    assert attnscope.estimate(models.unet(), **asked, **options, model_dtype=dtype).nbytes == cap.nbytes


def test_layers_of_one_grid_may_differ_in_heads():
    # Cross-attention is one array for a grid, padded to the layer that has most; self-attention has one for each layer.
    def shape(index, kind, heads):
        site = Site(f"up.1.{index}", kind, "up", 1, index, 0, f"m{index}", "m", heads)
        return SiteShape(site, kind, (2, 3), 4, 7)

    sites = (shape(0, "cross", 2), shape(1, "cross", 5), shape(0, "self", 2), shape(1, "self", 5))
    plan = Plan(sites, rows=2, steps=3, tokens={"cross": 7}, dtype="float32", model_dtype="float16")
    cross, selves = plan.table["nbytes"]
    assert cross == 3 * np.zeros((2, 2, 5, 6, 7), np.float32).nbytes
    assert selves == 3 * 2 * (2 + 5) * 6 * (2 * 4 * 2 + 4)


def test_what_is_reduced():
    sites = [
        SiteShape(Site("mid.0", kind, "mid", -1, 0, 0, kind, "m", 8), kind, (4, 4), 16, 10)
        for kind in ("cross", "self")
    ]
    whole, byte = (Plan(tuple(sites), 1, 5, {"cross": 10}, dtype=dtype) for dtype in ("float16", "uint8"))
    cross, selves = whole.table["nbytes"]
    assert byte.table["nbytes"].tolist() == [cross / 2, selves]
    for reduce, part in [(("head",), 8), (("step",), 5), (("head", "step"), 40)]:
        plan = Plan(tuple(sites), 1, 5, {"cross": 10}, reduce=reduce)
        assert plan.table["nbytes"].tolist() == [cross / part, selves]


# --- the same options ---------------------------------------------------------------------------------------------


def test_one_set_of_options_goes_to_both():
    capture, estimate = (inspect.signature(each).parameters for each in (attnscope.capture, attnscope.estimate))
    options = {name: one for name, one in capture.items() if one.kind is one.KEYWORD_ONLY}
    assert options.keys() <= estimate.keys()
    assert all(estimate[name].default == one.default for name, one in options.items())


def test_what_is_measured_or_shown_beside_it(pipe, paint):
    options = {"measure": True, "budget": "1 GB"}
    with attnscope.capture(pipe, **options) as cap:
        paint()
    settings = {"height": 32, "width": 48, "num_inference_steps": 3, "prompt": PROMPT}
    plan = attnscope.estimate(pipe, **settings, **options, scope=object())
    assert plan.nbytes == cap.nbytes
    assert plan.notes == ()


def test_what_goes_to_a_store_is_not_in_memory(pipe, tmp_path):
    plan = attnscope.estimate(pipe, prompt=PROMPT, store=tmp_path / "run.zarr", budget=1)
    assert plan.nbytes == attnscope.estimate(pipe, prompt=PROMPT).nbytes
    assert plan.notes[0].startswith("With store= all of it is on disk; in memory is no more than the step under way")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("layout", "branches"),
    [
        (("uncond", "cond"), ("cond", "uncond")),
        (("uncond", "cond"), "cond"),
        (("mine", "yours"), ("yours", "mine")),
        (("cond", "other", "cond", "other"), "cond"),
    ],
    ids=stable,
)
def test_a_layout_sets_the_rows_of_a_branch(layout, branches):
    unet = models.unet()
    options = {"layout": layout, "branches": branches, "labels": ["a", "b"]}
    with attnscope.capture(unet, **options) as cap:
        unet(torch.zeros(4, 4, 8, 12), 0, torch.zeros(4, 77, 24))
    size = {"height": 64, "width": 96, "num_inference_steps": 1}
    assert attnscope.estimate(unet, **size, num_images_per_prompt=4, **options).nbytes == cap.nbytes


def test_a_layout_of_a_pipeline(pipe, paint):
    options = {"layout": ("uncond", "cond"), "branches": ("cond", "uncond")}
    with attnscope.capture(pipe, **options) as cap:
        paint(num_images_per_prompt=2)
    settings = {"height": 32, "width": 48, "num_inference_steps": 3, "prompt": PROMPT, "num_images_per_prompt": 2}
    assert attnscope.estimate(pipe, **settings, **options).nbytes == cap.nbytes
    of_function = attnscope.estimate(pipe, **settings, **(options | {"layout": lambda rows: ["cond"] * rows}))
    assert of_function.notes == ("Assumed: layout= names every branch that is kept, each once for every picture.",)
    nothing = attnscope.estimate(pipe, **settings, layout=("a", "b"), branches="cond")
    assert nothing.nbytes == 0


# --- no weights ---------------------------------------------------------------------------------------------------


def test_the_published_table_sd15(sd15):
    plan = attnscope.estimate(sd15, tokens="all", kinds=("cross", "self"))
    step = plan.table.groupby("kind")["bytes_per_step"].sum()
    assert round(step["cross"] / MIB, 1) == 31.7
    # As maps it would be 1.3 GiB; 46 MB of queries and keys were measured, and log-sum-exps come on top of it.
    assert step["self"] / 1e6 == pytest.approx(46, rel=0.03)
    mean = attnscope.estimate(sd15, tokens="all", reduce="head")
    assert round(mean.nbytes / MIB) == 198
    assert attnscope.estimate(sd15, tokens="all").nbytes / 2**30 == pytest.approx(1.5, abs=0.05)
    assert plan.table["grid"].tolist() == ["64x64", "32x32", "16x16", "8x8"] * 2


def test_the_published_table_sdxl():
    sdxl = meta_unet(**SDXL)
    plan = attnscope.estimate(sdxl, num_inference_steps=30, tokens="all")
    assert round(plan.bytes_per_step / MIB, 1) == 240.6
    assert round(plan.nbytes / 2**30) == 7
    assert plan.table[["grid", "layers", "heads"]].values.tolist() == [["64x64", 10, 10], ["32x32", 60, 20]]


def test_a_configuration_is_enough(sd15):
    config = dict(sd15.config)
    of_config = attnscope.estimate(config, model_dtype="float16", kinds=("cross", "self"))
    assert of_config == attnscope.estimate(sd15, kinds=("cross", "self"))


def test_the_model_is_not_touched(pipe):
    before = {name: value.clone() for name, value in pipe.unet.state_dict().items()}
    torch.manual_seed(5)
    random, timesteps = torch.get_rng_state(), pipe.scheduler.timesteps
    attnscope.estimate(pipe, prompt=PROMPT)
    assert torch.equal(torch.get_rng_state(), random)
    assert pipe.scheduler.timesteps is timesteps
    assert all(torch.equal(value, before[name]) for name, value in pipe.unet.state_dict().items())
    assert not any(module._forward_pre_hooks for module in pipe.unet.modules())


def test_what_is_assumed_is_said(pipe, sd15):
    plan = attnscope.estimate(pipe, num_inference_steps=2)
    assert plan.notes == ("Assumed: all 32 positions of the text are kept; no prompt was given.",)
    assert "no prompt was given" in repr(plan)
    assert "no prompt was given" in plan._repr_html_()
    assert "there is no tokenizer" in attnscope.estimate(sd15, prompt="a tree").notes[0]
    assert attnscope.estimate(pipe, tokens="all").notes == attnscope.estimate(pipe, kinds="self").notes == ()


def test_a_plan_is_shown(sd15):
    plan = attnscope.estimate(sd15, tokens="all", layers="down.*", kinds=("cross", "self"))
    assert repr(plan).splitlines()[:3] == [
        "<attnscope.Plan: 1.6 GB: 50 steps of 31.9 MB, 1 row, 77 tokens, float16, queries and keys in float16>",
        " kind  grid  layers  heads  a step   bytes",
        "cross 64x64       2      8 10.1 MB  505 MB",
    ]
    assert plan._repr_html_().count("<tr") == 7
    nothing = attnscope.estimate(sd15, layers=lambda site: False)
    assert nothing.nbytes == 0
    assert repr(nothing).startswith("<attnscope.Plan: 0 B")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"height": 100}, ValueError, "height=100 is no positive multiple of 8"),
        ({"kinds": "joint"}, ValueError, "kinds='joint' is not available"),
        ({"reduce": "token"}, ValueError, "reduce='token' is not available. Available: head, step"),
        ({"layers": "up.9"}, UnknownLayerError, "No attention layer is called 'up.9'"),
        ({"model_dtype": "int7"}, ValueError, "dtype='int7' is not available"),
        ({"budget": "1 kB"}, BudgetError, "its budget is 1 kB"),
    ],
)
def test_what_cannot_be_planned(sd15, options, error, message):
    with pytest.raises(error, match=message):
        attnscope.estimate(sd15, **options)


def test_a_model_that_names_no_size():
    with pytest.raises(ValueError, match="Give height= and width="):
        attnscope.estimate(meta_unet(**{**SD15, "sample_size": None}), height=512)
    with pytest.raises(CaptureError, match="Give a diffusers pipeline"):
        attnscope.estimate(torch.nn.Linear(2, 2))
