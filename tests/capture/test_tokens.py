"""Words, pieces, padding, truncation, and prompts whose tokens nobody knows."""

import numpy as np
import pytest
import torch

import attnscope
from attnscope.capture.tokens import label_positions, read_prompt
from attnscope.errors import TruncatedPromptWarning, UnknownTokensWarning, UnknownWordError


def test_a_word_of_several_pieces_and_a_word_that_comes_twice(cap):
    table = cap.tokens
    assert table["token_kind"].tolist() == ["bos", *["prompt"] * 8, "eos", "pad"]
    assert table["token"].tolist() == list(range(11))
    assert table["word"].tolist()[1:9] == ["a", "red", "circle", "and", "a", "red", "sailboat", "sailboat"]
    assert table["word_index"].tolist() == [-1, 0, 1, 2, 3, 4, 5, 6, 6, -1, -1]
    pieces = table.query("word == 'sailboat'")["token_text"]
    assert "".join(pieces) == "sailboat"
    assert table["token_count"].tolist() == [1] * 10 + [22]


def test_all_tokens_are_the_whole_sequence(pipe, paint, cap):
    with attnscope.capture(pipe, tokens="all", dtype="float32") as every:
        paint()
    length = pipe.tokenizer.model_max_length
    assert every.tokens["token"].tolist() == list(range(length))
    padding = every.layer("mid.0").sel(token_kind="pad")
    assert padding.sizes["token"] == length - 10
    difference = padding.sum("token") - cap.layer("mid.0").sel(token_kind="pad").isel(token=0)
    assert abs(difference).max() < 1e-6


def test_truncation_is_said(pipe, paint):
    prompt = "a red circle " * 20
    with (
        pytest.warns(TruncatedPromptWarning, match=r"takes 32 tokens; the model does not see 'a red circle"),
        attnscope.capture(pipe) as cap,
    ):
        paint(prompt)
    assert cap.tokens["token_kind"].tolist() == ["bos", *["prompt"] * 30, "eos"]
    assert cap.attrs["truncated"].startswith("a red circle")
    assert cap.attrs["truncated"].count("circle") == 10
    assert abs(cap.at("8x12").astype("float32").sum("token") - 1).max() < 2e-3


def test_embeddings_have_no_words(pipe, paint, cap):
    embeds, negative = pipe.encode_prompt(cap.prompt, "cpu", 1, True)
    with (
        pytest.warns(UnknownTokensWarning, match="positions label the columns"),
        attnscope.capture(pipe, dtype="float32") as blind,
    ):
        paint(None, prompt_embeds=embeds, negative_prompt_embeds=negative)
    assert blind.prompt is None
    assert not blind.attrs["tokens_known"]
    assert blind.tokens["token_text"].tolist() == [f"#{i}" for i in range(32)]
    assert np.array_equal(blind.layer("up.2.0").sel(token=range(10)).values, cap.layer("up.2.0").values[..., :10])


def test_labels_can_be_given(pipe, paint, cap, recwarn):
    embeds, negative = pipe.encode_prompt(cap.prompt, "cpu", 1, True)
    labels = ["<s>", "a", "red", "circle", "and", "a", "red", "sail", "boat", "</s>"]
    with attnscope.capture(pipe, dtype="float32", labels=labels) as named:
        paint(None, prompt_embeds=embeds, negative_prompt_embeds=negative)
    assert not [w for w in recwarn if issubclass(w.category, UnknownTokensWarning)]
    assert named.tokens["token_text"].tolist()[:10] == labels
    assert np.array_equal(named.layer("up.2.0").values, cap.layer("up.2.0").values)


def test_more_labels_than_positions_is_an_error():
    with pytest.raises(ValueError, match="labels= names 5 positions, and the text has 3"):
        label_positions(3, list("abcde"))


@pytest.mark.parametrize(
    "prompt", ["Ein Kätzchen, naïve!", "猫 and 🐱", "<script>alert(1)</script>", "", "don't  stop"]
)
def test_any_text_has_labels(prompt):
    from attnscope.demo.model import build_tokenizer

    tokenizer = build_tokenizer()
    text = read_prompt(tokenizer, prompt)
    assert len(text.tokens) == tokenizer.model_max_length
    assert [token.position for token in text.tokens] == list(range(len(text.tokens)))
    words = {token.word_index: token.word for token in text.tokens if token.kind == "prompt"}
    assert list(words) == list(range(len(words)))
    assert "".join(words.values()) == prompt.lower().replace(" ", "")
    assert all(token.text for token in text.tokens)


def test_a_word_that_is_not_there(cap):
    with pytest.raises(UnknownWordError, match=r"'cirle' is no word.*Available: a, red.*mean 'circle'"):
        cap.word("cirle")
    with pytest.raises(UnknownWordError, match=r"has 'red' 2 time\(s\); occurrence=2 must be 0 to 1"):
        cap.word("red", occurrence=2)


def test_occurrences_add_up(cap):
    both = cap.word("Red")
    parts = cap.word("red", occurrence=0) + cap.word("red", occurrence=1)
    assert abs(both - parts).max() < 1e-6
    assert both.attrs["token"] == [2, 6]


def test_a_bare_model_labels_positions(pipe):
    torch.manual_seed(0)
    calls = [(torch.randn(2, 4, 10, 14), t, torch.randn(2, 7, 24)) for t in (900, torch.tensor([700, 700]))]
    with pytest.warns(UnknownTokensWarning), attnscope.capture(pipe.unet) as cap:
        [pipe.unet(*call) for call in calls]
    array = cap.at("10x14")
    assert array.dims == ("image", "step", "layer", "head", "pixel", "token")
    assert array.sizes["image"] == 2
    assert array["timestep"].values.tolist() == [900.0, 700.0]
    assert cap.prompt is None
    assert cap.images == []
    assert cap.previews is None
    assert array.unstack("pixel")["x"].values[-1] == 13.5


def test_a_concept_of_several_vectors_is_one_word(pipe):
    """Textual inversion: one word of the prompt, several tokens, and neighbours of their own."""
    import copy

    tokenizer = copy.deepcopy(pipe.tokenizer)
    tokenizer.add_tokens(["<cat>", "<cat>_1", "<cat>_2", "<dog>"])
    text = read_prompt(tokenizer, "a <cat> <cat>_1 <cat>_2 and red <dog> <cat> <cat>_1 <cat>_2")
    prompt = [token for token in text.tokens if token.kind == "prompt"]
    words = ["a", *["<cat>"] * 3, "and", "red", "<dog>", *["<cat>"] * 3]
    assert [token.word for token in prompt] == words
    assert [token.word_index for token in prompt] == [0, 1, 1, 1, 2, 3, 4, 5, 5, 5]
    assert [token.text for token in prompt][1:4] == ["<cat>", "<cat>_1", "<cat>_2"]


def test_the_end_of_the_text_is_not_the_padding(cap):
    """Both are one token of the tokenizer, and no word."""
    end, padding = (cap.word("<|endoftext|>", occurrence) for occurrence in (0, 1))
    assert (end.attrs["token"], padding.attrs["token"]) == ([9], [10])
    assert np.allclose(cap.word("<|endoftext|>"), end + padding)
