"""What the guard of a budget plans, at the first call of the model, is what is kept in the end."""

import models
import pytest
import torch
from conftest import PROMPT
from zoo import CASES, adapters
from zoo.case import NEGATIVE

import attnscope
from attnscope.capture import budget
from attnscope.errors import CaptureError

BRANCHES = ("cond", "uncond", "image", "perturbed", "edit", "safety")
EVERYTHING = ("cross", "self", "image")
ONE_OF_A_KIND = [
    "sd several",
    "sd2",
    "heun",
    "long prompt",
    "sdxl two prompts",
    "sdxl refiner",
    "ip adapter unguided",
    "ip adapter two masked",
    "ip adapter two pictures",
    "ip adapter sdxl",
    "instruct pix2pix several",
    "semantic several",
    "kandinsky 2.2",
    "image variation",
    "safe",
]
JOINT = ["kandinsky 2.1", "deepfloyd if", "unclip"]
#: The pipeline calls its UNet more or less often than it has steps.
OTHER_COUNTS = ["sag", "attend and excite", "ledits", "panorama"]


@pytest.fixture
def plans(monkeypatch):
    """The plans that guards make."""
    made, check = [], budget.check_budget

    def spy(*args):
        made.append(check(*args))
        return made[-1]

    monkeypatch.setattr(budget, "check_budget", spy)
    return made


def captured(case, **options):
    if case.prepare:
        case.prepare()
    with attnscope.capture(case.pipe, branches=BRANCHES, budget="1 TB", **options) as cap:
        case.pipe(**case.arguments)
    return cap


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ONE_OF_A_KIND)
def test_what_is_kept(plans, name):
    cap = captured(CASES[name](), kinds=EVERYTHING)
    assert plans[0].nbytes == cap.nbytes


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kinds", ["cross", "self", ("cross", "self")], ids=str)
@pytest.mark.parametrize("name", JOINT)
def test_what_is_kept_of_text_and_pixels_in_one_softmax(plans, name, kinds):
    case = CASES[name]()
    cap = captured(case, kinds=kinds)
    assert plans[0].nbytes == cap.nbytes
    kept = cap.layers.groupby(["kind", "grid"]).size()
    assert plans[0].table.set_index(["kind", "grid"])["layers"].to_dict() == kept.to_dict()
    if kinds != "self":
        assert plans[0].tokens["cross"] == cap.layer(cap.layers["layer"][0]).sizes["token"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OTHER_COUNTS)
def test_a_step_of_what_is_kept(plans, name):
    cap = captured(CASES[name](), kinds=EVERYTHING)
    assert plans[0].bytes_per_step * len(cap._recording.steps) == cap.nbytes


@pytest.mark.filterwarnings("ignore")
def test_image_prompts_alone(plans):
    cap = captured(CASES["ip adapter two"](), kinds="image")
    assert plans[0].nbytes == cap.nbytes > 0
    assert set(plans[0].table["kind"]) == {"image"}


@pytest.mark.parametrize(
    ("projection", "shape", "tokens"),
    [
        ("ImageProjection", (2, 3, 16), 3 * 4),
        ("IPAdapterFullImageProjection", (2, 3, 7, 16), 3 * 7),
        ("IPAdapterPlusImageProjection", (2, 3, 7, 16), 3 * 5),
        ("IPAdapterFaceIDImageProjection", (2, 3, 1, 16), 3 * 2),
        ("IPAdapterFaceIDPlusImageProjection", (2, 3, 1, 16), 3 * 4),
    ],
)
def test_tokens_of_every_projection(projection, shape, tokens):
    from diffusers.models import embeddings

    from attnscope.capture.estimate import _image_tokens

    settings = {
        "ImageProjection": {"image_embed_dim": 16, "cross_attention_dim": 24, "num_image_text_embeds": 4},
        "IPAdapterFullImageProjection": {"image_embed_dim": 16, "cross_attention_dim": 24},
        "IPAdapterPlusImageProjection": {
            "embed_dims": 16, "output_dims": 24, "hidden_dims": 16, "depth": 1, "dim_head": 8, "heads": 2,
            "num_queries": 5,
        },
        "IPAdapterFaceIDImageProjection": {"image_embed_dim": 16, "cross_attention_dim": 24, "num_tokens": 2},
        "IPAdapterFaceIDPlusImageProjection": {
            "embed_dims": 16, "output_dims": 24, "hidden_dims": 16, "id_embeddings_dim": 16, "depth": 1,
            "dim_head": 8, "heads": 2, "num_tokens": 4,
        },
    }[projection]  # fmt: skip
    layer = getattr(embeddings, projection)(**settings)
    if projection == "IPAdapterFaceIDPlusImageProjection":
        layer.clip_embeds = torch.zeros(6, 1, 4, 16)
    several = embeddings.MultiIPAdapterImageProjection([layer])
    unet = models.unet()
    unet.encoder_hid_proj = several
    unet.register_to_config(encoder_hid_dim_type="ip_image_proj")
    embeds = [torch.zeros(*shape)]
    (seen,) = several(embeds)
    assert seen.shape[1:-1].numel() == tokens
    assert _image_tokens(unet, {"added_cond_kwargs": {"image_embeds": embeds}}) == tokens


def test_image_prompts_are_not_estimated():
    pipe = CASES["sd"]().pipe
    adapters.load_image_adapters(pipe, "plain")
    plan = attnscope.estimate(pipe, prompt=PROMPT, kinds=("cross", "image"))
    assert plan.notes[0].startswith("Not counted: attention to image prompts")
    assert plan.nbytes == attnscope.estimate(pipe, prompt=PROMPT).nbytes
    with pytest.raises(ValueError, match="kinds='image' cannot be estimated"):
        attnscope.estimate(pipe, prompt=PROMPT, kinds="image")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["sd", "sd several", "sdxl two prompts", "sdxl refiner", "deepfloyd if", "pag"])
def test_texts_of_different_length_are_estimated(name):
    case = CASES[name]()
    call = case.arguments
    branches = ("cond", "uncond", *(("perturbed",) if name == "pag" else ()))
    with attnscope.capture(case.pipe, branches=branches) as cap:
        case.pipe(**call)
    names = ("prompt", "prompt_2", "negative_prompt", "negative_prompt_2", "num_images_per_prompt")
    settings = {name: call[name] for name in names if name in call}
    settings["num_inference_steps"] = len(cap._recording.steps)
    height, width = cap._recording.size
    plan = attnscope.estimate(case.pipe, height=height, width=width, branches=branches, **settings)
    assert plan.nbytes == cap.nbytes
    assert plan.notes == ()


def test_a_text_that_is_not_known_counts_in_full(pipe):
    length = pipe.tokenizer.model_max_length
    plan = attnscope.estimate(pipe, prompt=PROMPT, branches=("cond", "safety"))
    assert plan.tokens["cross"] == length
    assert plan.notes == (
        f"Assumed: all {length} positions of the text of the branch 'safety' are kept; its text is none that is given "
        "here.",
    )
    alone = attnscope.estimate(pipe, branches="uncond", negative_prompt=NEGATIVE)
    assert alone.tokens["cross"] < length
    assert attnscope.estimate(pipe, branches="uncond").tokens["cross"] == length


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(plans, pipe, paint, dtype):
    kinds = ("cross", "self")
    with (
        torch.autocast("cpu", dtype=dtype),
        attnscope.capture(pipe, kinds=kinds, budget="1 TB") as cap,
    ):
        paint()
    assert plans[0].model_dtype == str(dtype).removeprefix("torch.")
    assert plans[0].nbytes == cap.nbytes


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["animatediff", "text to video", "image to video", "controlnet xs", "kandinsky 3"])
def test_a_model_whose_shapes_are_not_known(name):
    case = CASES[name]()
    message = rf"knows only those of a UNet2DConditionModel; this is a {type(case.denoiser).__name__}.*without budget="
    with pytest.raises(CaptureError, match=message):
        captured(case)
