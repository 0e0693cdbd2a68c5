"""The exhibits run, are deterministic, and are called with the rows that they are said to be called with."""

import contextlib

import pytest
import reference
import torch
from zoo import CASES, adapters, pictures


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_exhibit(name):
    case = CASES[name]()
    once = case.run()
    with contextlib.ExitStack() as stack:
        seen = stack.enter_context(reference.softmax(case.denoiser))
        further = {other: stack.enter_context(reference.softmax(getattr(case.pipe, other))) for other in case.others}
        again = case.run()

    torch.testing.assert_close(once, again, rtol=0, atol=0)
    assert once.float().isfinite().all()
    assert once.float().std() > 0
    for each, rows in [(seen, case.rows), *((further[other], rows) for other, rows in case.others.items())]:
        check_softmaxes(each, case)
        check_rows(each.calls, rows, case)


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


def check_rows(calls, layouts, case):
    texts = case.texts and case.texts()
    for number, call in enumerate(calls):
        rows = layouts[number % len(layouts)]
        assert call.sample[0] == len(rows) or len(call.sample) == 5  # of a film, the rows may be frames
        if call.text is not None:
            assert len(call.text) == len(rows)
        if texts:
            torch.testing.assert_close(call.text, torch.stack([texts[row] for row in rows]), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_image_adapters_come_and_go():
    case = CASES["sd"]()
    before = case.run()
    adapters.load_image_adapters(case.pipe, "plain", "full")
    with_images = pictures(case.pipe(**case.arguments, ip_adapter_image_embeds=adapters.image_embeds("plain", "full")))
    assert not torch.equal(before, with_images)
    adapters.unload_image_adapters(case.pipe)
    torch.testing.assert_close(case.run(), before, rtol=0, atol=0)
