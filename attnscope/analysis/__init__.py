"""Measuring attention: plain functions on labelled arrays, each naming its source."""

from attnscope.analysis.comparison import compare, difference
from attnscope.analysis.concentration import concentration
from attnscope.analysis.layers import pixel_stack, received_stack
from attnscope.analysis.selfattention import entropy, mean_distance, propagate, received
from attnscope.analysis.tokens import drop_tokens, positions, renormalise

__all__ = [
    "compare",
    "concentration",
    "difference",
    "drop_tokens",
    "entropy",
    "mean_distance",
    "pixel_stack",
    "positions",
    "propagate",
    "received",
    "received_stack",
    "renormalise",
]
