"""Names of test cases that are the same in every process: pytest-xdist refuses to share out any others."""

import re


def stable(value: object) -> str:
    """What a case is called: neither numbers drawn by chance nor addresses are in it."""
    return re.sub(r"tensor\([^()]*\)", "tensor", re.sub(r" at 0x[0-9a-f]+", "", str(value)))
