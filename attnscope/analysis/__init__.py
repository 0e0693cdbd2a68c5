"""Measuring attention: plain functions on labelled arrays, each naming its source."""

from attnscope.analysis.selfattention import entropy, mean_distance, propagate, received

__all__ = ["entropy", "mean_distance", "propagate", "received"]
