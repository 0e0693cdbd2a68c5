"""The exhibits run, are deterministic, and are called with the rows that they are said to be called with."""

import pytest
import reference
import torch
from zoo import CASES


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_exhibit(name):
    case = CASES[name]()
    once = case.run()
    with reference.softmax(case.denoiser) as seen:
        again = case.run()

    assert once.shape == again.shape
    torch.testing.assert_close(once, again, rtol=0, atol=0)
    assert once.float().isfinite().all()

    assert seen.calls
    height, width = seen.calls[0].sample[-2:]
    assert (height == width) == case.square
    for path, runs in seen.items():
        if any(part in path for part in case.silent):
            assert not any(runs), path
            continue
        assert any(runs), path
        for softmax in (softmax for run in runs for softmax in run):
            assert softmax.ndim == 4
            torch.testing.assert_close(softmax.sum(-1), torch.ones(softmax.shape[:-1]), rtol=0, atol=1e-5)

    for number, call in enumerate(seen.calls):
        rows = case.rows[number % len(case.rows)]
        if call.text is not None:
            assert len(call.text) == len(rows)
        if case.texts:
            texts = case.texts()
            expected = torch.stack([texts[row] for row in rows])
            torch.testing.assert_close(call.text, expected, rtol=1e-4, atol=1e-5)
