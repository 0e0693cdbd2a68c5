"""Whose each row of a batch is: told by name, also where it changes, and said where it cannot be told."""

import numpy as np
import pytest
import torch
from taking import BOTH, first, take, texts
from zoo import CASES
from zoo.case import NEGATIVE, OTHER, PROMPT

import attnscope
from attnscope.errors import CaptureError, ExtraCallsWarning, LateBranchWarning, NothingCapturedError


def test_both_branches_have_words_of_their_own():
    cap = take("sd", {"branches": BOTH})
    assert first(cap).dims[0] == "branch"
    assert first(cap)["branch"].values.tolist() == ["cond", "uncond"]
    assert texts(cap.sel(branch="cond")) == PROMPT.split()
    assert texts(cap.sel(branch="uncond")) == NEGATIVE.split()
    row = first(cap).sel(branch="uncond").sel(word="triangle")
    assert row.equals(first(cap.sel(branch="uncond")).sel(word="triangle"))
    assert not row.isnull().any()


def test_the_order_is_the_one_asked_for():
    cap = take("sd", {"branches": ("uncond", "cond"), "layers": "mid.*"})
    assert first(cap)["branch"].values.tolist() == ["uncond", "cond"]
    other = take("sd", {"layers": "mid.*"})
    known = {"token": slice(0, 8)}  # behind them the padding, of which the longer text leaves less
    assert np.array_equal(cap.sel(branch="cond").layer("mid.0").sel(known), other.layer("mid.0").sel(known))


@pytest.mark.parametrize("name", ["sd unguided", "lcm", "lcm in sd", "sdxl turbo"])
def test_without_guidance_the_batch_is_never_halved(name):
    cap = take(name)
    assert first(cap)["branch"].item() == "cond"
    assert "image" not in first(cap).dims
    assert texts(cap) == PROMPT.split()
    with pytest.raises(NothingCapturedError, match=r"has rows of 'cond', and branches=\('uncond',\) was asked"):
        take(name, {"branches": "uncond"})


def test_guidance_that_a_callback_switches_off_leaves_nothing_of_the_negative_prompt():
    cap = take("sd guided at first", {"branches": BOTH})
    seen = first(cap).notnull().all(["layer", "head", "pixel", "token"])
    assert seen.sel(branch="cond").values.tolist() == [True, True, True]
    assert seen.sel(branch="uncond").values.tolist() == [True, False, False]
    assert first(cap).sel(branch="uncond").isel(step=slice(1, None)).isnull().all()


def test_several_prompts_with_negative_prompts_of_their_own():
    cap = take("sd several", {"branches": BOTH})
    array = first(cap)
    assert (array.sizes["branch"], array.sizes["image"]) == (2, 4)
    for image, (prompt, negative) in enumerate([(PROMPT, NEGATIVE)] * 2 + [(OTHER, "")] * 2):
        one = cap.sel(image=image)
        assert texts(one.sel(branch="cond")) == prompt.split()
        assert texts(one.sel(branch="uncond")) == negative.split()
        assert (one.prompt, one.attrs["negative_prompt"]) == (prompt, negative)
    assert array.sel(branch="cond", image=2).sel(word="green").sizes["token"] == 1


def test_pictures_of_one_prompt_share_its_words(pipe, paint):
    with attnscope.capture(pipe) as cap:
        paint(num_images_per_prompt=2, num_inference_steps=1)
    assert first(cap)["word"].dims == ("token",)
    assert first(cap).sel(word="circle").dims[0] == "image"
    assert "image" not in cap.tokens


def test_a_negative_prompt_equal_to_the_prompt(pipe, paint):
    """Texts tell nothing then; the pipeline's order does."""
    with attnscope.capture(pipe, branches=BOTH, dtype="float32") as cap:
        paint("a star", negative_prompt="a star", num_inference_steps=1)
    assert first(cap)["word"].dims == ("token",)
    assert np.allclose(*(first(cap).sel(branch=branch).values for branch in BOTH), atol=1e-6)
    with attnscope.capture(pipe, branches=BOTH) as empty:
        paint("", num_inference_steps=1)
    assert first(empty)["branch"].values.tolist() == ["cond", "uncond"]


def test_a_negative_prompt_of_zeros_is_looked_at_evenly():
    cap = take("sdxl without negative", {"branches": BOTH, "tokens": "all"})
    even = cap.sel(branch="uncond")
    for layer in even.layers["layer"]:
        assert np.ptp(even.layer(layer).values) < 1e-6
    assert np.ptp(cap.sel(branch="cond").layer(even.layers["layer"].iloc[0]).values) > 1e-3


@pytest.mark.parametrize("name", ["instruct pix2pix", "instruct pix2pix several"])
def test_three_ways_of_instructing_by_name(name):
    """Conditional first: who drops a half would keep the negative prompt alone."""
    branches = ("cond", "image", "uncond")
    cap = take(name, {"branches": branches})
    assert first(cap)["branch"].values.tolist() == list(branches)
    assert texts(cap.sel(branch="cond")) == PROMPT.split()
    assert texts(cap.sel(branch="image")) == texts(cap.sel(branch="uncond")) == NEGATIVE.split()


def test_perturbed_rows_by_name():
    cap = take("pag", {"branches": ("cond", "uncond", "perturbed")})
    assert texts(cap.sel(branch="perturbed")) == PROMPT.split()
    assert texts(cap.sel(branch="uncond")) == NEGATIVE.split()
    assert not first(cap).isnull().any()


def test_edits_have_the_words_of_their_prompts():
    cap = take("ledits")
    assert first(cap)["branch"].values.tolist() == ["edit 0", "edit 1"]
    assert texts(cap.sel(branch="edit 0")) == PROMPT.split()
    assert texts(cap.sel(branch="edit 1")) == OTHER.split()
    assert cap.word("circle").attrs["branch"] == "edit 0"


def test_calls_beside_the_steps_have_rows_of_their_own():
    """Attend-and-excite looks at the prompt alone before each step."""
    case = CASES["attend and excite"]()
    with pytest.warns(ExtraCallsWarning), attnscope.capture(case.pipe, branches=BOTH) as cap:
        case.pipe(**case.arguments)
    seen = first(cap).notnull().any(["layer", "head", "pixel", "token"])
    assert seen.sel(branch="cond").all()
    assert seen.sel(branch="uncond").values.tolist() == [False, True] * (seen.sizes["step"] // 2)


def test_a_branch_that_is_not_in_the_run(pipe, paint):
    said = r"the call has rows of 'uncond', 'cond', and branches=\('perturbed',\) was asked for"
    with pytest.raises(NothingCapturedError, match=said), attnscope.capture(pipe, branches="perturbed"):
        paint(num_inference_steps=1)


def test_a_branch_that_begins_late_is_said(pipe):
    """The first step tells what there is room for."""
    layouts = {1: ["cond"], 2: ["uncond", "cond"]}
    with attnscope.capture(pipe.unet, branches=BOTH, layout=layouts.get, labels=["a"]) as cap:
        pipe.unet(torch.zeros(1, 4, 8, 8), 1, torch.zeros(1, 3, 24))
        with pytest.warns(LateBranchWarning, match="branch uncond began after the first step"):
            pipe.unet(torch.zeros(2, 4, 8, 8), 1, torch.zeros(2, 3, 24))
    assert cap.at(8)["branch"].item() == "cond"
    assert cap.at(8).sizes["step"] == 2


@pytest.mark.parametrize("layout", [("uncond", "cond"), lambda rows: ["uncond"] * (rows // 2) + ["cond"] * (rows // 2)])
def test_a_layout_names_the_rows_of_a_bare_model(pipe, layout):
    torch.manual_seed(0)
    call = torch.randn(4, 4, 8, 8), 1, torch.randn(4, 3, 24)
    with attnscope.capture(pipe.unet, branches=BOTH, layout=layout, labels=["a"], dtype="float32") as cap:
        pipe.unet(*call)
    with attnscope.capture(pipe.unet, labels=["a"], dtype="float32") as every:
        pipe.unet(*call)
    assert (cap.at(8).sizes["branch"], cap.at(8).sizes["image"]) == (2, 2)
    assert np.array_equal(cap.at(8).sel(branch="uncond").values, every.at(8).isel(image=slice(2)).values)
    assert np.array_equal(cap.at(8).sel(branch="cond").values, every.at(8).isel(image=slice(2, 4)).values)


@pytest.mark.parametrize("layout", [("a", "b", "c"), lambda rows: ["cond"], ()])
def test_a_layout_that_does_not_fit(pipe, paint, layout):
    said = r"names \d part\(s\), and the batch has 2 rows. Give a name for each"
    with pytest.raises(CaptureError, match=said), attnscope.capture(pipe, layout=layout):
        paint(num_inference_steps=1)


def test_rows_that_nothing_explains_are_missing_until_a_layout_names_them(pipe, paint):
    def add_a_row(module, args, kwargs):
        text = kwargs["encoder_hidden_states"] + 1  # no text of the pipeline's
        return (torch.cat([args[0], args[0][:1]]), *args[1:]), kwargs | {"encoder_hidden_states": text[[0, 1, 0]]}

    def drop_it(module, args, output):
        return tuple(part[:2] for part in output)

    handles = [
        pipe.unet.register_forward_pre_hook(add_a_row, with_kwargs=True),
        pipe.unet.register_forward_hook(drop_it),
    ]
    try:
        said = r"3 rows for 1 picture\(s\), guidance on, does not tell whose each row is; say it with layout="
        with pytest.raises(NothingCapturedError, match=said), attnscope.capture(pipe):
            paint(num_inference_steps=1)
        with attnscope.capture(pipe, layout=("uncond", "cond", "mine"), branches="mine") as cap:
            paint(num_inference_steps=1)
    finally:
        for handle in handles:
            handle.remove()
    assert first(cap)["branch"].item() == "mine"
