import json

import pytest

from attnscope.demo import weights_folder
from attnscope.demo.book import words
from attnscope.demo.vocabulary import SPLIT_WORDS, build_vocabulary, byte_letters, learn_merges

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def tokenizer():
    return transformers.CLIPTokenizer.from_pretrained(weights_folder() / "tokenizer")


def test_the_letters_are_those_of_gpt2():
    letters = byte_letters()
    assert len(set(letters)) == 256
    assert letters[ord("a")] == "a"
    assert letters[ord(" ")] == "Ġ"


def test_merges_join_the_most_frequent_pair_first():
    merges = learn_merges([["b", "a", "d"], ["a", "d"]])
    assert merges == [("a", "d"), ("b", "ad")]


def test_words_of_the_book_are_one_token_but_for_three(tokenizer):
    for word in words():
        parts = SPLIT_WORDS.get(word, (word,))
        assert tokenizer.tokenize(word) == [*parts[:-1], parts[-1] + "</w>"]
    assert len(SPLIT_WORDS) == 3


def test_any_text_can_be_written(tokenizer):
    text = "an astronaut on a naïve horse, 3 cafés"
    ids = tokenizer(text).input_ids
    assert tokenizer.unk_token_id not in ids[1:-1]
    assert tokenizer.decode(ids[1:-1]).replace(" ", "") == text.replace(" ", "")


@pytest.mark.skipif(
    int(transformers.__version__.split(".")[0]) < 5, reason="the CLIPTokenizer of transformers 4 knows no offsets"
)
def test_offsets_point_at_the_words(tokenizer):
    offsets = tokenizer("a red sailboat", return_offsets_mapping=True).offset_mapping
    assert offsets == [(0, 0), (0, 1), (2, 5), (6, 10), (10, 14), (0, 0)]


def test_the_files_of_the_tokenizer_hold_the_vocabulary():
    vocabulary, merges = build_vocabulary()
    folder = weights_folder() / "tokenizer"
    assert json.loads((folder / "vocab.json").read_text()) == vocabulary
    lines = (folder / "merges.txt").read_text().splitlines()
    assert [tuple(line.split()) for line in lines[1:]] == merges


def test_the_first_id_and_the_last():
    vocabulary, _ = build_vocabulary()
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
