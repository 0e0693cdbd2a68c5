"""The softmaxes that captures are held to."""

import processors
import pytest
import reference
import torch
from diffusers.models.attention_processor import Attention
from zoo import CASES, generator

KINDS = ("sd", "sd classic", "sd sliced", "sd fused")


@pytest.mark.filterwarnings("ignore")
def test_the_reference_sees_the_same_of_every_processor():
    found = []
    for name in KINDS:
        case = CASES[name]()
        with reference.softmax(case.denoiser) as seen:
            case.run()
        found.append(seen)
    for other in found[1:]:
        for path, runs in found[0].items():
            for run, same in zip(runs, other[path], strict=True):
                torch.testing.assert_close(run, same, rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_the_reference_is_what_a_processor_stores():
    case = CASES["sd"]()
    store = processors.store_everywhere(case.denoiser)
    with reference.softmax(case.denoiser) as seen:
        case.run()
    for path, stored in store.items():
        for run, kept in zip(seen[path], stored, strict=True):
            torch.testing.assert_close(run[0].flatten(0, 1), kept, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"scale": 0.3},
        {"is_causal": True},
        {"attn_mask": torch.arange(35).view(5, 7) % 3 < 2},
        {"attn_mask": torch.linspace(-3, 3, 7).expand(2, 1, 5, 7)},
        {"enable_gqa": True},
    ],
    ids=["plain", "scale", "causal", "mask", "bias", "grouped"],
)
def test_the_reference_weighs_as_the_kernel_does(more):
    class Site(torch.nn.Module):
        def forward(self, hidden_states):
            return torch.nn.functional.scaled_dot_product_attention(query, key, value, **more)

    class Model(torch.nn.Module):
        attn_processors = {"site.processor": None}  # noqa: RUF012

        def __init__(self):
            super().__init__()
            self.site = Site()

        def forward(self, sample, timestep, encoder_hidden_states=None):
            return self.site(sample)

    heads = 2 if "enable_gqa" in more else 4
    query, key, value = (
        torch.randn(2, n, length, 8, generator=generator(seed))
        for seed, (n, length) in enumerate([(4, 5), (heads, 7), (heads, 7)])
    )
    model = Model()
    with reference.softmax(model) as seen:
        result = model(query, 3)
    ((weights,),) = seen["site"]
    torch.testing.assert_close(weights @ value.repeat_interleave(4 // heads, 1), result, rtol=0, atol=1e-6)
    assert seen.calls[0].timestep == 3


def test_the_reference_leaves_nothing_behind():
    case = CASES["sd"]()
    kernel, scores = torch.nn.functional.scaled_dot_product_attention, Attention.get_attention_scores

    class Stopped(Exception):
        pass

    def stop(*_, **__):
        raise Stopped

    stopped = "mid_block.attentions.0.transformer_blocks.0.attn2"
    case.denoiser.get_submodule(stopped).set_processor(stop)
    with pytest.raises(Stopped), reference.softmax(case.denoiser) as seen:
        case.run()
    assert seen[stopped] == [[]]
    assert len(seen[stopped.replace("attn2", "attn1")][0]) == 1
    assert torch.nn.functional.scaled_dot_product_attention is kernel
    assert Attention.get_attention_scores is scores
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in case.denoiser.modules())
