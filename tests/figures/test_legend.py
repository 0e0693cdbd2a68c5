import json
from pathlib import Path

import pytest

from attnscope.figures.legend import legend
from attnscope.figures.numbers import figure
from attnscope.figures.query import Query, code, query
from attnscope.figures.view import View

TESTS = Path(__file__).parent.parent
SENTENCES = json.loads((TESTS / "legend_cases.json").read_text(encoding="utf-8"))
CODES = json.loads((TESTS / "code_cases.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", SENTENCES, ids=range(len(SENTENCES)))
def test_sentence_is_that_of_the_browser(case):
    assert legend(case["view"]) == case["sentence"]


def calls_of(case):
    """What the fixture says of a view, as a query: traits, and what the twins find out before they write."""
    case = dict(case)
    token, compared, capture = case.pop("token"), case.pop("compare", None), case.pop("capture", 0)
    names = ("images", "branches", "gaps", "apart", "cell")
    how = {name: case.pop(name) for name in names if name in case}
    tokens = () if token is None else tuple(token) if isinstance(token, list) else (token,)
    calls = query(View(**case, token=tokens), **how)
    if compared is None:
        return Query(tuple(calls), "other" if capture else "cap")
    return Query((*calls, ("attnscope.analysis.difference", (calls_of(compared),), {})))


@pytest.mark.parametrize("case", CODES, ids=range(len(CODES)))
def test_code_is_that_of_the_browser(case):
    assert code(calls_of(case["view"]).calls) == case["code"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.3125, "0.313"),  # a tie goes away from zero
        (0.0625, "0.0625"),
        (0.9996, "1"),
        (0.0001, "0.0001"),
        (0.00009999, "1e-4"),
        (0.0000314, "3.1e-5"),
        (-0.25, "-0.25"),
        (741.5, "742"),
        (float("nan"), "NaN"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert figure(value) == text
