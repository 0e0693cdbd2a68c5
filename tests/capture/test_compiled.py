"""Compiled code is refused with the reason before the first step, whenever it was compiled."""

import models
import pytest
import torch
from test_settings import SMALL
from torch.overrides import _get_current_function_mode_stack

import attnscope
from attnscope.capture.sites import find_sites
from attnscope.errors import CaptureError


@pytest.mark.parametrize("how", ["wrapped", "in place", "its blocks", "its forward"])
@pytest.mark.parametrize("when", ["before", "inside"])
def test_compiled_code_is_refused_with_the_reason(how, when):
    pipeline = models.pipeline(**SMALL)

    def compile_now():
        unet = pipeline.unet
        if how == "wrapped":
            pipeline.unet = torch.compile(unet, backend="eager")
        elif how == "in place":
            unet.compile(backend="eager")
        elif how == "its blocks":
            unet.compile_repeated_blocks(backend="eager")
        else:
            unet.forward = torch.compile(unet.forward, backend="eager")

    def run():
        assert when == "inside"
        compile_now()
        pipeline("a red circle", num_inference_steps=1, height=16, width=16)

    torch._dynamo.reset()
    if when == "before":
        compile_now()
    with pytest.raises(CaptureError, match=r"is compiled \(torch.compile\)"), attnscope.capture(pipeline):
        run()
    assert _get_current_function_mode_stack() == []
    assert len(find_sites(pipeline.unet)) == 8


def test_a_decoder_may_be_compiled(pipe, paint):
    plain = paint()
    last = pipe.vae.decoder.conv_out
    last.forward = torch.compile(last.forward, backend="eager")
    with attnscope.capture(pipe) as cap:
        assert torch.equal(paint(), plain)
    del last.forward
    assert len(cap.layers) == 16
