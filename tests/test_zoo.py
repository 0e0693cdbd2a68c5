"""The exhibits run, are deterministic, and are called with the rows that they are said to be called with."""

import contextlib

import pytest
import reference
import torch
from zoo import CASES


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_exhibit(name):
    case = CASES[name]()
    once = case.run()
    with contextlib.ExitStack() as stack:
        seen = stack.enter_context(reference.softmax(case.denoiser))
        further = [stack.enter_context(reference.softmax(getattr(case.pipe, other))) for other in case.others]
        again = case.run()

    torch.testing.assert_close(once, again, rtol=0, atol=0)
    assert once.float().isfinite().all()
    assert once.float().std() > 0
    for each in (seen, *further):
        check_softmaxes(each, case)
    check_rows(seen.calls, case)


def check_softmaxes(seen, case):
    assert seen.calls
    height, width = seen.calls[0].sample[-2:]
    assert (height == width) == case.square
    for path, runs in seen.items():
        assert any(runs), path
        assert all(run for run in runs), path
        for softmax in (softmax for run in runs for softmax in run):
            assert softmax.ndim == 4
            torch.testing.assert_close(softmax.sum(-1), torch.ones(softmax.shape[:-1]), rtol=0, atol=1e-5)


def check_rows(calls, case):
    texts = case.texts and case.texts()
    for number, call in enumerate(calls):
        rows = case.rows[number % len(case.rows)]
        assert call.sample[0] == len(rows) or len(call.sample) == 5  # of a film, the rows may be frames
        if call.text is not None:
            assert len(call.text) == len(rows)
        if texts:
            torch.testing.assert_close(call.text, torch.stack([texts[row] for row in rows]), rtol=1e-4, atol=1e-5)
