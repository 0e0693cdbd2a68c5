"""Captures of odd, all-different sizes, made without a model."""

import pytest
from widget.synthetic import recording

from attnscope.maps.capture import Capture


@pytest.fixture
def cap() -> Capture:
    return Capture(recording())


@pytest.fixture
def cap_gap() -> Capture:
    """A capture whose layer up.1.0 was not seen at step 4."""
    made = recording()
    made.stores[0].array[1, :, 1] = float("nan")
    return Capture(made)
