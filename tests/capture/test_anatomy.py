"""Anatomy: the seed article's tables row by row, and what a model really does at sizes that are not square."""

import hashlib

import models
import pandas as pd
import pytest
import torch
from diffusers import UNet2DConditionModel
from test_leaving import hooks
from torch import nn
from torch.overrides import _get_current_function_mode_stack

import attnscope
from attnscope.capture.sites import find_sites
from attnscope.errors import CaptureError

IMAGE, ROWS, TEXT = (1, 320, 64, 64), (1, 4096, 320), (1, 77, 768)
HEADS, TEXT_HEADS, MAPS = (8, 4096, 40), (8, 77, 40), (8, 4096, 77)
PROJECTED = (1, 77, 320)
LINEAR, TEXT_LINEAR = "Linear(320 -> 320)", "Linear(768 -> 320)"
SCORES = "transpose & baddbmm & softmax"

#: The article's five tables for the first transformer, with a batch of one: operation, definition, input, output.
TABLES = {
    "Transformer2DModel": [
        ("keep residual", "residual = hidden_states", IMAGE, IMAGE),  # 0.1
        ("norm", "GroupNorm(32, 320)", IMAGE, IMAGE),  # 1.1
        ("proj_in", "Conv2d(320 -> 320)", IMAGE, IMAGE),  # 1.2
        ("reshape", "permute & reshape", IMAGE, ROWS),  # 1.3
        ("transformer_blocks.0", "BasicTransformerBlock", (ROWS, TEXT), ROWS),  # 2.0
        ("reshape", "reshape & permute", ROWS, IMAGE),  # 3.1
        ("proj_out", "Conv2d(320 -> 320)", IMAGE, IMAGE),  # 3.2
        ("add residual", "+", (IMAGE, IMAGE), IMAGE),  # 3.3
    ],
    "BasicTransformerBlock": [
        ("norm1", "LayerNorm(320)", ROWS, ROWS),  # 1.1
        ("attn1", "Attention(8 heads of 40)", ROWS, ROWS),  # 1.2
        ("add residual", "+", (ROWS, ROWS), ROWS),  # 1.3
        ("norm2", "LayerNorm(320)", ROWS, ROWS),  # 2.1
        ("attn2", "Attention(8 heads of 40)", (ROWS, TEXT), ROWS),  # 2.2
        ("add residual", "+", (ROWS, ROWS), ROWS),  # 2.3
        ("norm3", "LayerNorm(320)", ROWS, ROWS),  # 3.1
        ("ff", "FeedForward", ROWS, ROWS),  # 3.2
        ("add residual", "+", (ROWS, ROWS), ROWS),  # 3.3
    ],
    "attn1": [
        ("query, key, value", f"to_q: {LINEAR}, to_k: {LINEAR}, to_v: {LINEAR}", ROWS, (ROWS, ROWS, ROWS)),  # 1
        ("split heads", "reshape & permute", (ROWS, ROWS, ROWS), (HEADS, HEADS, HEADS)),  # 2
        ("attention", f"{SCORES} & bmm", (HEADS, HEADS, HEADS), HEADS),  # 3
        ("merge heads", "reshape & permute", HEADS, ROWS),  # 4
        ("to_out", LINEAR, ROWS, ROWS),  # 5
    ],
    "attn2": [
        (
            "query, key, value",
            f"to_q: {LINEAR}, to_k: {TEXT_LINEAR}, to_v: {TEXT_LINEAR}",
            (ROWS, TEXT),
            (ROWS, PROJECTED, PROJECTED),
        ),  # 1
        ("split heads", "reshape & permute", (ROWS, PROJECTED, PROJECTED), (HEADS, TEXT_HEADS, TEXT_HEADS)),  # 2
        ("attention", f"{SCORES} & bmm", (HEADS, TEXT_HEADS, TEXT_HEADS), HEADS),  # 3
        ("merge heads", "reshape & permute", HEADS, ROWS),  # 4
        ("to_out", LINEAR, ROWS, ROWS),  # 5
    ],
    "attn2.processor": [
        ("keep residual", "residual = hidden_states", ROWS, ROWS),  # 0
        ("to_q", LINEAR, ROWS, ROWS),  # 1
        # "Optional" in the article; SD1.5 does not normalise its text here.
        ("norm_encoder_hidden_states", "off: norm_cross=None", TEXT, TEXT),  # 2
        ("to_k", TEXT_LINEAR, TEXT, PROJECTED),  # 3
        ("to_v", TEXT_LINEAR, TEXT, PROJECTED),  # 4
        ("head_to_batch_dim", "reshape & permute", ROWS, HEADS),  # 5
        ("head_to_batch_dim", "reshape & permute", PROJECTED, TEXT_HEADS),  # 6
        ("head_to_batch_dim", "reshape & permute", PROJECTED, TEXT_HEADS),  # 7
        ("get_attention_scores", SCORES, (HEADS, TEXT_HEADS), MAPS),  # 8
        ("bmm", "bmm", (MAPS, TEXT_HEADS), HEADS),  # 9
        ("batch_to_head_dim", "reshape & permute", HEADS, ROWS),  # 10
        ("to_out.0", LINEAR, ROWS, ROWS),  # 11
        ("to_out.1", "Dropout(0)", ROWS, ROWS),  # 12
        # In the article's copy of AttnProcessor; in SD1.5 it is BasicTransformerBlock that adds the residual.
        ("add residual", "off: residual_connection=False", (ROWS, ROWS), ROWS),  # 13
    ],
}

#: The maps that one run stores, in the article's last list: pixels of each of the 16 layers.
STORED = [4096] * 2 + [1024] * 2 + [256] * 2 + [64] + [256] * 3 + [1024] * 3 + [4096] * 3


#: Blocks without a Transformer2DModel, as in Kandinsky 2 and DeepFloyd IF.
SIMPLE = {
    "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
}


def meta_unet(**config):
    with torch.device("meta"):
        return UNet2DConditionModel(**config)


def small(**config):
    """A UNet of two blocks, on the meta device."""
    settings = {
        "block_out_channels": (8, 16),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "attention_head_dim": 4,
        "cross_attention_dim": 24,
    }
    return meta_unet(**(settings | config))


@pytest.fixture(scope="module")
def sd15():
    return meta_unet(cross_attention_dim=768)


@pytest.fixture(scope="module")
def table(sd15):
    return attnscope.anatomy(sd15)


def rows(table, layer, part):
    found = table[(table["layer"] == layer) & (table["part"] == part)]
    return list(found[["operation", "definition", "input", "output"]].itertuples(index=False, name=None))


@pytest.mark.parametrize("part", TABLES)
def test_the_tables_of_the_article(table, part):
    assert rows(table, "down.0.0", part) == TABLES[part]
    assert len(table.query("layer == 'down.0.0' and part == @part")) == len(TABLES[part])


def test_the_columns_are_those_of_the_contract(table):
    assert table.columns.tolist() == ["layer", "part", "operation", "module", "definition", "input", "output"]
    assert table.index.equals(pd.RangeIndex(len(table)))


def test_the_32_processors_of_the_article(sd15, table):
    blocks = [(f"down_blocks.{block}", 2) for block in (0, 1, 2)]
    blocks += [("mid_block", 1), *((f"up_blocks.{block}", 3) for block in (1, 2, 3))]
    names = [
        f"{block}.attentions.{attention}.transformer_blocks.0.{part}.processor"
        for block, attentions in blocks
        for attention in range(attentions)
        for part in ("attn1", "attn2")
    ]
    processors = table[table["module"].str.endswith(".processor")]["module"].unique().tolist()
    assert processors == names
    assert len(names) == 32
    assert set(names) == set(sd15.attn_processors)


def test_the_16_maps_of_the_article(table):
    scores = table.query("part == 'attn2.processor' and operation == 'get_attention_scores'")
    assert scores["output"].tolist() == [(8, pixels, 77) for pixels in STORED]


def test_scores_softmax_and_geglu_are_steps(table):
    assert rows(table, "down.0.0", "attn2.get_attention_scores") == [
        ("reshape", "transpose", TEXT_HEADS, (8, 40, 77)),
        ("baddbmm", "baddbmm", (HEADS, (8, 40, 77)), MAPS),
        ("softmax", "softmax", MAPS, MAPS),
    ]
    wide, half = (1, 4096, 2560), (1, 4096, 1280)
    assert rows(table, "down.0.0", "GEGLU") == [
        ("proj", "Linear(320 -> 2560)", ROWS, wide),
        ("chunk", "chunk", wide, (half, half)),
        ("gelu", "gelu", half, half),
        ("mul", "*", (half, half), half),
    ]


def test_what_a_step_calls_follows_it(table):
    order = table.query("layer == 'down.0.0'")["part"].drop_duplicates().tolist()
    assert order[:4] == ["Transformer2DModel", "BasicTransformerBlock", "attn1", "attn1.processor"]
    assert table["module"].iloc[[0, -1]].tolist() == ["time_proj", "conv_out"]
    assert table["output"].iloc[-1] == (1, 4, 64, 64)


def test_sdxl():
    sdxl = meta_unet(
        block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )
    table = attnscope.anatomy(sdxl, 1024, 768)
    cross = table.query("part == 'BasicTransformerBlock' and operation == 'attn2'")
    assert len(cross) == 70
    assert cross["layer"].tolist() == [site.layer for site in find_sites(sdxl) if site.kind == "cross"]
    assert "down.1.0.1" in set(cross["layer"])
    assert cross.query("layer == 'down.1.0.1'")["input"].item() == ((1, 64 * 48, 640), (1, 77, 2048))
    # The linear projection comes after the reshape; both blocks are steps of one transformer.
    assert [operation for operation, *_ in rows(table, "down.1.0", "Transformer2DModel")] == [
        *("keep residual", "norm", "reshape", "proj_in", "transformer_blocks.0", "transformer_blocks.1"),
        *("proj_out", "reshape", "add residual"),
    ]
    assert rows(table, "", "add_embedding")[0] == ("linear_1", "Linear(2816 -> 1280)", (1, 2816), (1, 1280))


def test_sdxl_refiner_takes_five_numbers():
    config = {"addition_embed_type": "text_time", "addition_time_embed_dim": 256}
    unet = small(projection_class_embeddings_input_dim=1280 + 5 * 256, **config)
    added = attnscope.anatomy(unet, 64, 64).query("operation == 'add_time_proj'")
    assert added["input"].item() == (5,)


@pytest.mark.parametrize(
    "config",
    [
        {"use_linear_projection": True, "upcast_attention": True},  # SD2
        {"num_class_embeds": 5},
        {"class_embed_type": "projection", "projection_class_embeddings_input_dim": 12},
        {"class_embed_type": "identity"},
        {"class_embed_type": "timestep"},
        {"only_cross_attention": True},
        {"encoder_hid_dim_type": "text_proj", "encoder_hid_dim": 20},
        {
            "encoder_hid_dim_type": "image_proj",
            "encoder_hid_dim": 20,
            "addition_embed_type": "image",
            **SIMPLE,
            "resnet_time_scale_shift": "scale_shift",
        },  # Kandinsky 2.2
    ],
    ids=lambda config: ", ".join(map(str, config)),
)
def test_other_configurations(config):
    unet = small(**config)
    table = attnscope.anatomy(unet, 64, 96)
    seen = table[table["module"].str.endswith(".processor")]["module"]
    assert set(seen) == set(unet.attn_processors)
    assert table["output"].iloc[-1] == (1, 4, 8, 12)
    assert {site.layer for site in find_sites(unet)} <= set(table["layer"])


def test_a_normalised_text_is_a_step_that_is_on():
    table = attnscope.anatomy(small(cross_attention_norm="group_norm", cross_attention_dim=64, **SIMPLE), 64, 64)
    found = rows(table, "mid.0", "Attention.processor")
    steps = {operation: definition for operation, definition, *_ in found}
    assert steps["norm_encoder_hidden_states"] == "transpose & GroupNorm(32, 64)"


@pytest.mark.parametrize(("factor", "end"), [(1.0, ["add residual"]), (2.0, ["add residual", "div"])])
def test_a_scaling_is_a_step_unless_it_is_by_one(factor, end):
    table = attnscope.anatomy(small(mid_block_scale_factor=factor), 64, 64)
    steps = table.query("module.str.startswith('mid_block.resnets.0') and part == 'ResnetBlock2D'")
    operations = steps["operation"].tolist()
    assert operations[0] == "keep residual"
    assert operations[operations.index("conv2") + 1 :] == end


def really_run(unet, height, width, text):
    """Shapes that go through every module of a model in a real run, in the order of the calls."""
    calls, handles = [], []

    def enter(name):
        def hook(module, args, kwargs):
            calls.append([name, None])
            running.append(calls[-1])

        return hook

    def leave(module, args, output):
        first = output if isinstance(output, torch.Tensor) else next(iter(output))
        running.pop()[1] = tuple(first.shape)

    running = []
    for name, module in unet.named_modules():
        handles += [
            module.register_forward_pre_hook(enter(name), with_kwargs=True),
            module.register_forward_hook(leave),
        ]
    with torch.no_grad():
        unet(torch.zeros(1, 4, height, width), 1, torch.zeros(1, text, 24), return_dict=False)
    for handle in handles:
        handle.remove()
    return [tuple(call) for call in calls if call[0]]


@pytest.mark.parametrize(("height", "width"), [(5, 7), (13, 6), (1, 3)])
def test_shapes_are_those_of_a_real_run(height, width):
    unet = models.unet()
    table = attnscope.anatomy(unet, 8 * height, 8 * width)
    calls = [
        (row.module, row.output[0] if isinstance(row.output[0], tuple) else row.output)
        for row in table.itertuples()
        if f".{row.module}".endswith(f".{row.operation}")
    ]
    assert calls == really_run(unet, height, width, 77)


def test_a_pipeline_says_its_pixels_and_its_text(pipe):
    assert pipe.vae_scale_factor == 2
    table = attnscope.anatomy(pipe, 26, 38)
    assert table["output"].iloc[-1] == (1, 4, 13, 19)
    text = pipe.tokenizer.model_max_length
    assert table.query("operation == 'attn2'")["input"].iloc[0][1] == (1, text, 24)


def digest(unet):
    state = unet.state_dict()
    return hashlib.sha256(b"".join(name.encode() + value.numpy().tobytes() for name, value in state.items())).digest()


def test_the_model_is_left_as_it_was_found():
    unet = models.unet().train()
    unet.set_attn_processor(dict(unet.attn_processors))
    before, processors, config = digest(unet), unet.attn_processors, dict(unet.config)
    modules, random = [id(module) for module in unet.modules()], torch.get_rng_state()
    attnscope.anatomy(unet, 64, 64)
    assert digest(unet) == before
    assert all(unet.attn_processors[name] is processor for name, processor in processors.items())
    assert dict(unet.config) == config
    assert [id(module) for module in unet.modules()] == modules
    assert all(module.training for module in unet.modules())
    assert all(parameter.grad is None for parameter in unet.parameters())
    assert hooks(unet) == []
    assert torch.equal(torch.get_rng_state(), random)
    assert _get_current_function_mode_stack() == []


def test_weights_are_not_materialised(sd15, table):
    assert all(parameter.is_meta for parameter in sd15.parameters())
    assert len(table) > 1000


def test_within_a_capture(pipe, paint):
    with attnscope.capture(pipe) as cap:
        table = attnscope.anatomy(pipe, 32, 48)
        paint()
    assert set(cap.layers["layer"]) <= set(table["layer"])
    assert cap.missing_sites.query("kind == 'cross'").empty


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"height": 500}, "height=500 is no positive multiple of 8.*Nearest: 496 and 504"),
        ({"width": 4}, "width=4 is no positive multiple of 8.*Nearest: 8 and 16"),
        ({"height": 0}, "height=0 .*The smallest is 8"),
        ({"width": -64}, "width=-64 .*The smallest is 8"),
        ({"height": 64.0}, r"height=64\.0 is no positive multiple"),
        ({"width": "512"}, "width='512' is no positive multiple"),
        ({"width": True}, "width=True is no positive multiple"),
    ],
)
def test_sizes_that_no_model_takes(sd15, arguments, words):
    with pytest.raises(ValueError, match=words):
        attnscope.anatomy(sd15, **arguments)


def test_a_size_that_this_model_cannot_take():
    # These blocks can only double what was halved.
    unet = small(**SIMPLE)
    with pytest.raises(CaptureError, match=r"could not be walked at 64x72 pixels.*another size"):
        attnscope.anatomy(unet, 64, 72)


@pytest.mark.parametrize("thing", [nn.Linear(2, 3), None, "unet", object()])
def test_things_that_are_no_unet(thing):
    with pytest.raises(CaptureError, match=f"{type(thing).__name__} is no UNet2DConditionModel.*pipe.unet"):
        attnscope.anatomy(thing)


def test_a_pipeline_with_another_unet():
    class Pipeline:
        unet = nn.Linear(2, 3)

    with pytest.raises(CaptureError, match="Pipeline has a Linear for its unet, which is no UNet2DConditionModel"):
        attnscope.anatomy(Pipeline())
