"""Probabilities in 8 bits are off by no more than is said."""

import numpy as np

from attnscope.capture.companding import ERROR, NOTHING, decode, encode


def test_the_bound_holds_and_is_reached():
    p = np.concatenate([np.linspace(0, 1, 1_000_001), np.logspace(-12, 0, 100_001)])
    bound = eval(ERROR, {"sqrt": np.sqrt, "p": p})
    off = np.abs(decode(encode(p.astype(np.float32))).astype(np.float64) - p)
    assert (off <= bound + 2e-7).all()
    assert (off / bound).max() > 0.99


def test_what_is_exact():
    codes = np.arange(255, dtype=np.uint8)
    assert np.array_equal(encode(decode(codes)), codes)
    assert decode(encode(np.array([0.0, 1.0, 1 + 1e-6, -1e-9], np.float32))).tolist() == [0, 1, 1, 0]


def test_what_is_not_a_number_stays_so():
    codes = encode(np.array([np.nan, 0.5], np.float32))
    assert codes[0] == NOTHING
    assert codes[1] != NOTHING
    assert np.isnan(decode(codes)).tolist() == [True, False]
    assert decode(codes).dtype == np.float32
