"""A capture that would not fit does not begin, and says what would fit."""

import models
import numpy as np
import pytest
import torch
from conftest import PROMPT
from naming import stable
from torch.overrides import _get_current_function_mode_stack

import attnscope
from attnscope.capture.sizes import read_bytes
from attnscope.errors import AttnscopeError, BudgetError, NothingCapturedError

BOTH = ("cross", "self")


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        (1, 1),
        (np.int64(2**40), 2**40),
        ("2GB", 2 * 10**9),
        (" 500 mb ", 500 * 10**6),
        ("1.5 GiB", 3 * 2**29),
        ("1.5gib", 3 * 2**29),
        (".5 kB", 500),
        ("3 TB", 3 * 10**12),
        ("2G", 2 * 10**9),
        ("10_000", 10_000),
        ("100 B", 100),
        ("1 KiB", 1024),
    ],
)
def test_sizes_in_words(text, nbytes):
    assert read_bytes(text) == nbytes


@pytest.mark.parametrize(
    ("text", "error"),
    [
        *(
            (text, ValueError)
            for text in ("", "GB", "2 PB", "two GB", "2 iB", "-1 GB", "1,5 GB", "0 GB", "0.1 B", 0, -5)
        ),
        *((other, TypeError) for other in (True, 2.5, b"2GB", ["2GB"])),
    ],
    ids=stable,
)
def test_what_is_no_size(pipe, text, error):
    with pytest.raises(error, match=r"'500 MB', '2GB' or '1.5 GiB'"), attnscope.capture(pipe, budget=text):
        pytest.fail("the block was entered")


def size(pipe, **options):
    settings = {"height": 32, "width": 48, "num_inference_steps": 3, "prompt": PROMPT}
    return attnscope.estimate(pipe, **settings, **options).nbytes


def test_what_fits_is_captured(pipe, paint):
    torch.manual_seed(1)
    plain = paint(generator=None)
    torch.manual_seed(1)
    with attnscope.capture(pipe, budget=size(pipe, kinds=BOTH), kinds=BOTH) as cap:
        picture = paint(generator=None)
    assert torch.equal(plain, picture)
    assert cap.nbytes == size(pipe, kinds=BOTH)
    assert cap.attrs["steps"] == 3


def test_what_does_not_fit_does_not_begin(pipe, paint):
    calls = []
    handle = pipe.unet.down_blocks[0].register_forward_pre_hook(lambda *_: calls.append(1))
    processors, classes = pipe.unet.attn_processors, (type(pipe), type(pipe.scheduler))
    budget = size(pipe) - 1
    with pytest.raises(BudgetError) as caught, attnscope.capture(pipe, budget=budget) as cap:
        paint()
    handle.remove()
    assert calls == []
    assert isinstance(caught.value, (AttnscopeError, MemoryError))
    assert caught.value.plan.nbytes == budget + 1
    assert repr(cap) == "<attnscope.Capture: nothing captured yet>"
    assert (type(pipe), type(pipe.scheduler)) == classes
    assert all(pipe.unet.attn_processors[name] is one for name, one in processors.items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in pipe.unet.modules())
    assert _get_current_function_mode_stack() == []


def test_who_goes_on_is_told_why_there_is_nothing(pipe, paint):
    with (
        pytest.raises(NothingCapturedError, match=r"step 0 was beyond the budget"),
        attnscope.capture(pipe, budget=99),
        pytest.raises(BudgetError),
    ):
        paint()


MILD = ["dtype", "reduce", "steps"]


@pytest.mark.parametrize(
    ("options", "part", "offered"),
    [
        (
            {"tokens": "all", "dtype": "float32"},
            0.6,
            ["dtype", "tokens", "dtype", "reduce", "steps", "layers", "reduce"],
        ),
        ({"tokens": "all", "dtype": "float32"}, 0.4, ["tokens", "dtype", "steps", "layers", "reduce"]),
        (
            {"tokens": "all", "dtype": "float32", "layers": "up.3.*"},
            0.12,
            ["tokens dtype", "tokens steps", "tokens reduce", "dtype steps"],
        ),
        ({"kinds": BOTH}, 0.5, ["steps", "layers", "kinds"]),
        (
            {"kinds": BOTH, "tokens": "all", "layers": ["up.*", "mid.0"]},
            0.7,
            ["tokens", "dtype", "reduce", "steps", "layers", "kinds"],
        ),
        ({"steps": [0, 2], "layers": "up.3.*"}, 0.5, MILD),
        (
            {"steps": slice(1, None), "layers": lambda site: site.place == "up"},
            0.5,
            ["dtype", "reduce", "steps", "layers"],
        ),
    ],
    ids=stable,
)
def test_what_would_fit_does(pipe, paint, options, part, offered):
    budget = int(size(pipe, **options) * part)
    with pytest.raises(BudgetError) as caught, attnscope.capture(pipe, **options, budget=budget):
        paint()
    choices = caught.value.choices
    names = [" ".join(choice.options) for choice in choices]
    assert names == offered
    for choice in choices:
        with attnscope.capture(pipe, **(options | choice.options), budget=budget) as cap:
            paint()
        assert cap.nbytes == choice.nbytes <= budget - choice.working_nbytes


def test_the_message(pipe, paint):
    with pytest.raises(BudgetError) as caught, attnscope.capture(pipe, tokens="all", budget="700 kB"):
        paint()
    assert str(caught.value).splitlines() == [
        "This capture would keep 1.18 MB in memory, and its budget is 700 kB. "
        "Largest: cross 16x24 737 kB, cross 8x12 369 kB, cross 4x6 69.1 kB.",
        "What would fit:",
        "  tokens='prompt': 405 kB",
        "  dtype='uint8': 589 kB",
        "  reduce=('head',): 485 kB",
        "  steps=slice(None, None, 3): 393 kB",
        "  layers=['down.1.*', 'down.2.*', 'mid.*', 'up.1.*', 'up.2.*']: 441 kB",
        "  reduce=('head', 'step'): 162 kB and 323 kB of sums",
        "  store='run.zarr': streams to disk, step by step",
    ]


def test_nothing_would_fit(pipe, paint):
    with pytest.raises(BudgetError, match="No options make it fit") as caught, attnscope.capture(pipe, budget=1):
        paint()
    assert caught.value.choices == []


def test_sizes_that_look_the_same_are_told_in_bytes(pipe, paint):
    whole = size(pipe)
    message = f"keep {whole:,} bytes.* is {whole - 1:,} bytes"
    with pytest.raises(BudgetError, match=message), attnscope.capture(pipe, budget=whole - 1):
        paint()


@pytest.mark.parametrize("steps", [None, slice(0, None, 2)])
def test_a_bare_model_goes_as_far_as_it_fits(steps):
    unet, asked = models.unet(), {"labels": ["a"], "tokens": "all"}
    every = 1 if steps is None else 2
    each = attnscope.estimate(unet, height=64, width=64, num_inference_steps=1, num_images_per_prompt=2, **asked).nbytes
    calls = iter(range(9))

    def run():
        for step in calls:
            unet(torch.zeros(2, 4, 8, 8), step, torch.zeros(2, 77, 24))

    message = r"With another step.*The 3 step\(s\) until here are kept"
    with (
        attnscope.capture(unet, steps=steps, budget=int(3.5 * each), **asked) as cap,
        pytest.raises(BudgetError, match=message) as caught,
    ):
        run()
    assert next(calls) == 3 * every + 1
    assert cap.nbytes == 3 * each
    assert cap.at(8)["step"].values.tolist() == [step * every for step in range(3)]
    assert cap.at(8).notnull().all()
    assert caught.value.plan.steps == 4
    assert ("steps" in {name for choice in caught.value.choices for name in choice.options}) is (steps is None)


def test_a_branch_less_has_the_columns_of_the_others(pipe, paint):
    options = {"branches": ("cond", "uncond"), "layers": "mid.0"}
    call = {"prompt": "a tree", "negative_prompt": PROMPT}
    settings = {"height": 32, "width": 48, "num_inference_steps": 3}
    whole = attnscope.estimate(pipe, **settings, **call, **options).nbytes
    with pytest.raises(BudgetError) as caught, attnscope.capture(pipe, **options, budget=whole - 1):
        paint(**call)
    (choice,) = [choice for choice in caught.value.choices if "branches" in choice.options]
    with attnscope.capture(pipe, **(options | choice.options)) as cap:
        paint(**call)
    assert cap.nbytes == choice.nbytes < whole / 2


def sums_of(cap):
    return sum(each.nbytes for store in cap._recording.stores for each in store._sums.values())


@pytest.mark.parametrize("reduce", [("step",), ("head", "step")])
def test_sums_count_while_the_run_goes_on(pipe, paint, reduce):
    settings = {"height": 32, "width": 48, "num_inference_steps": 3, "prompt": PROMPT}
    plan = attnscope.estimate(pipe, **settings, reduce=reduce)
    during = []

    def look(pipe, step, timestep, kwargs):
        during.append(sums_of(cap))
        return kwargs

    with attnscope.capture(pipe, reduce=reduce, budget=plan.nbytes + plan.working_nbytes) as cap:
        paint(callback_on_step_end=look)
    assert cap.nbytes == plan.nbytes
    assert set(during) == {plan.working_nbytes} == {2 * plan.nbytes}
    assert sums_of(cap) == 0
    assert "of sums until it ends" in repr(plan)
    budget = plan.peak_nbytes - 1
    with (
        pytest.raises(BudgetError, match="the sums that means over steps are made of"),
        attnscope.capture(pipe, reduce=reduce, budget=budget),
    ):
        paint()


def test_without_means_over_steps_there_are_no_sums(pipe):
    assert attnscope.estimate(pipe, prompt=PROMPT, reduce="head").working_nbytes == 0
    assert attnscope.estimate(pipe, prompt=PROMPT, reduce="step", steps=lambda step: False).working_nbytes == 0
