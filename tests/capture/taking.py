"""Capture an exhibit of the zoo."""

import warnings

from zoo import CASES

import attnscope

BOTH = ("cond", "uncond")


def take(case, options=None, **changes):
    """Run an exhibit, or one of its name, in a capture."""
    case = CASES[case]() if isinstance(case, str) else case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if case.prepare:
            case.prepare()
        with attnscope.capture(case.pipe, **({"dtype": "float32"} | (options or {}))) as cap:
            case.pipe(**{**case.arguments, **changes})
    return cap


def texts(cap):
    """Words of the text of one row, without start, end and padding."""
    return cap.tokens.query("word_index >= 0").drop_duplicates("word_index")["word"].tolist()


def first(cap, kind="cross"):
    """The maps of one grid."""
    return cap.at(cap.layers.query("kind == @kind")["grid"].iloc[0], kind=kind)


__all__ = ["BOTH", "first", "take", "texts"]
