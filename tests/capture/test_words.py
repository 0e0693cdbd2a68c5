"""What stands in the columns of each kind of pipeline, and of image prompts."""

import numpy as np
import pytest
import torch
from taking import BOTH, first, take, texts
from zoo import CASES
from zoo.adapters import image_embeds, load_image_adapters
from zoo.case import NEGATIVE, OTHER, PROMPT

import attnscope
from attnscope.capture.tokens import read_prompt
from attnscope.errors import TruncatedPromptWarning, UnknownTokensWarning, UnknownWordError

# --- two encoders -------------------------------------------------------------------------------------------------


def test_two_prompts_side_by_side_label_a_column_with_both():
    cap = take("sdxl two prompts", {"branches": BOTH})
    table = cap.sel(branch="cond").tokens.query("token_kind == 'prompt'")
    assert table["word"].tolist() == ["a", "red | green", "circle | square", "above", "a", "blue", "square"]
    assert table["token_text"].tolist()[3] == "above | <|endoftext|>"
    assert cap.sel(branch="uncond").tokens["word"].tolist()[1:3] == ["a", "photo | cube"]
    assert first(cap).sel(branch="cond").sel(word="red | green").sizes["token"] == 1


def test_words_of_two_texts_of_other_lengths_keep_apart():
    """The second text has words where the first has ended, and pieces where it has words."""
    words = CASES["sdxl"]().pipe.tokenizer
    text = read_prompt(words, "a circle").beside(read_prompt(words, "sailboat of a star"))
    named = {token.word_index: token.word for token in text.tokens if token.word_index >= 0}
    assert list(named.values()) == ["a | sailboat", "circle | sailboat", "of", "a", "star"]
    assert [token.kind for token in text.tokens][:7] == ["bos", *["prompt"] * 5, "eos"]


def test_two_tokenizers_that_pad_otherwise_are_one_text():
    """The second one pads with an exclamation mark, which is no word of the prompt."""
    cap = take("sdxl", {"tokens": "all"})
    assert texts(cap) == PROMPT.split()
    assert "!" not in set(cap.tokens["token_text"])
    assert set(cap.tokens["token_kind"][9:]) == {"pad"}


def test_the_refiner_has_the_second_encoder_alone():
    assert texts(take("sdxl refiner")) == PROMPT.split()


# --- text that is not alone ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "leading"), [("kandinsky 2.1", 10), ("unclip", 4), ("deepfloyd if", 0)])
def test_added_keys_have_pictures_first_then_words_then_the_pixels(name, leading):
    cap = take(name, {"branches": BOTH})
    table = cap.sel(branch="cond").tokens
    assert table["token_kind"].tolist()[:leading] == ["image"] * leading
    assert table.iloc[-1][["word", "token_kind"]].tolist() == ["(picture)", "self"]
    assert texts(cap.sel(branch="cond")) == PROMPT.split()
    assert texts(cap.sel(branch="uncond")) == ([] if name == "unclip" else NEGATIVE.split())
    assert table.query("word == 'red'")["token"].item() == leading + {"unclip": 2, "kandinsky 2.1": 2}.get(name, 1)
    assert abs(first(cap).sum("token") - 1).max() < 2e-6
    assert cap.word("circle").dims == ("y", "x")
    assert cap.word("(picture)").max() > cap.word("circle").max()


def test_where_there_is_no_text_the_picture_is_what_is_looked_at():
    table = take("kandinsky 2.2").tokens
    assert table["token_kind"].tolist() == ["image"] * 32 + ["self"]


def test_a_concept_of_several_vectors_is_selected_by_its_name():
    cap = take("textual inversion")
    found = first(cap).sel(word="<thing>")
    assert found["token_text"].values.tolist() == ["<thing>", "<thing>_1", "<thing>_2"]
    assert texts(cap) == ["a", "red", "<thing>", "above", "a", "square"]
    assert cap.word("<thing>").attrs["token"] == [3, 4, 5]


# --- image prompts ------------------------------------------------------------------------------------------------

IMAGES = {"kinds": ("cross", "image"), "branches": BOTH}


def test_tokens_of_an_image_prompt_are_selected_by_picture():
    cap = take("ip adapter two pictures", IMAGES)
    maps = first(cap, "image")
    assert maps.sel(word="image 1")["token"].values.tolist() == [4, 5, 6, 7]
    assert set(maps["token_kind"].values.tolist()) == {"image"}
    assert abs(maps.sum("token") - 1).max() < 2e-6
    assert abs(first(cap).sum("token") - 1).max() < 2e-6
    assert texts(cap.sel(branch="uncond")) == NEGATIVE.split()


def test_each_adapter_and_each_masked_picture_has_a_softmax_of_its_own():
    two = first(take("ip adapter two", IMAGES), "image")
    assert two.sizes["token"] == 4 + 6
    for picture in ("image 0", "image 1"):
        assert abs(two.sel(word=picture).sum("token") - 1).max() < 2e-6
    masked = first(take("ip adapter two pictures masked", IMAGES), "image")
    for picture in ("image 0", "image 1"):
        assert abs(masked.sel(word=picture).sum("token") - 1).max() < 2e-6


def test_an_adapter_that_is_off_is_nan():
    case = CASES["ip adapter two"]()
    case.pipe.set_ip_adapter_scale([0.0, 0.7])
    maps = first(take(case, IMAGES), "image")
    assert maps.sel(word="image 0").isnull().all()
    assert abs(maps.sel(word="image 1").sum("token") - 1).max() < 2e-6


@pytest.mark.filterwarnings("ignore")
def test_adapters_come_and_go_inside_and_around_a_capture():
    case = CASES["sd"]()
    plain = take(case, IMAGES)
    assert plain.kinds == ["cross"]
    with attnscope.capture(case.pipe, dtype="float32", **IMAGES) as cap:
        load_image_adapters(case.pipe, "plain")
        case.pipe(**case.arguments, ip_adapter_image_embeds=image_embeds("plain"))
        case.pipe.unload_ip_adapter()
    assert cap.kinds == ["cross", "image"]
    again = take(case, IMAGES)
    for layer in plain.layers["layer"]:
        assert np.array_equal(again.layer(layer).values, plain.layer(layer).values)


# --- text that nobody knows ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*truncated")
def test_embeddings_longer_than_the_tokenizer_take_labels():
    case = CASES["long prompt"]()
    with pytest.warns(UnknownTokensWarning), attnscope.capture(case.pipe, branches=BOTH) as blind:
        case.pipe(**case.arguments)
    length = 2 * case.pipe.tokenizer.model_max_length
    assert blind.tokens["token_text"].tolist() == [f"#{i}" for i in range(length)]
    named = take(case, {"labels": ["<s>", "a", "fox"], "branches": BOTH})
    assert named.tokens["token_count"].tolist() == [1, 1, 1, length - 3]
    assert first(named).sel(branch="uncond").sel(word="fox").sizes["token"] == 1


def test_a_truncated_prompt_of_any_row_is_said_once(pipe, paint):
    long = "a red circle " * 20
    with pytest.warns(TruncatedPromptWarning) as said, attnscope.capture(pipe, branches=BOTH) as cap:
        paint(["a star"] * 2, negative_prompt=["a cube", long], num_inference_steps=1)
    assert len(said) == 1
    assert "does not see 'a red circle" in str(said[0].message)
    assert texts(cap.sel(branch="cond", image=0)) == ["a", "star"]


def test_a_word_of_some_of_the_prompts():
    cap = take("sd several", {"branches": BOTH})
    square = cap.word("square")
    assert (square.dims, square.attrs["token"], square.attrs["branch"]) == (
        ("image", "y", "x"),
        [[7], [7], [3], [3]],
        "cond",
    )
    for image in range(4):
        one = cap.sel(branch="cond", image=image).word("square")
        assert np.allclose(square.sel(image=image), one, atol=1e-7)
    with pytest.raises(UnknownWordError, match=r"'circle' is in those of image 0 and 1, not .* 2 and 3.*image=0"):
        cap.word("circle")
    with pytest.raises(UnknownWordError, match=r"'triangle' is no word.*cap.sel\(branch='uncond'\)"):
        cap.word("triangle")
    with pytest.raises(UnknownWordError, match=r"differ along branch and image.*sel\(branch=..., image=...\)"):
        first(cap).sel(word="square")


def test_frames_share_the_words_and_come_in_order():
    case = CASES["animatediff two prompts"]()
    cap = take(case, {"branches": BOTH})
    assert first(cap).dims[:4] == ("branch", "image", "frame", "step")
    assert texts(cap.sel(branch="cond", image=1, frame=4)) == OTHER.split()
    assert cap.word("square").dims == ("image", "frame", "y", "x")
    torch.manual_seed(0)
    film = case.pipe(**case.arguments).frames  # (film, frame, rgb, row, column)
    assert len(cap.images) == 10
    for image, one in enumerate(film):
        for frame, picture in enumerate(one):
            expected = (picture.permute(1, 2, 0).numpy() * 255 + 0.5).clip(0, 255).astype(np.uint8)
            (only,) = cap.sel(image=image, frame=frame).images
            assert np.array_equal(np.asarray(only), expected)
