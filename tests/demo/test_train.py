import logging

import numpy as np
import pytest

from attnscope.demo.loop import Recipe

torch = pytest.importorskip("torch")

from attnscope.demo.data import autoencoder_batch, load_book, to_tensor  # noqa: E402
from attnscope.demo.loop import train  # noqa: E402


def test_rates_rise_and_fall():
    recipe = Recipe(minutes=10, rate=1.0, warmup=4)
    assert [recipe.rate_at(0, step) for step in (0, 1, 3, 9)] == [0.25, 0.5, 1.0, 1.0]
    assert recipe.rate_at(0.5, 99) == pytest.approx(0.505)
    assert recipe.rate_at(1, 99) == pytest.approx(0.01)


def test_progress_ends_with_the_minutes_or_with_the_steps():
    recipe = Recipe(minutes=2, rate=1.0, max_steps=10)
    assert recipe.progress(60, 1) == 0.5
    assert recipe.progress(1, 5) == 0.5
    assert recipe.progress(999, 1) == 1


def test_a_resumed_training_ends_as_an_uninterrupted_one(tmp_path):
    def run(path, *lengths):
        torch.manual_seed(0)
        module = torch.nn.Linear(3, 2)

        def loss_of_step(step):
            inputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(step))
            return (module(inputs) - 1).square().mean()

        for length in lengths:
            averaged = train(module, loss_of_step, ConstantRate(1e6, 1e-2, length), path)
        return module.state_dict(), averaged.state_dict()

    once = run(tmp_path / "once.pt", 6)
    twice = run(tmp_path / "twice.pt", 2, 6)
    for a, b in zip(once, twice, strict=True):
        for name in a:
            torch.testing.assert_close(a[name], b[name])


class ConstantRate(Recipe):
    """The rate of a recipe depends on its length; here two lengths must give the same."""

    def rate_at(self, progress, step):
        return self.rate


@pytest.mark.parametrize(("number", "side"), [(0, 128), (1, 64), (2, 32), (3, 32)])
def test_the_autoencoder_sees_crops_and_whole_pictures(number, side):
    batch = autoencoder_batch(number, 4)
    assert batch.shape[1:] == (side, side, 3)
    assert np.array_equal(batch, autoencoder_batch(number, 4))


def test_black_and_white_become_minus_one_and_one():
    pictures = np.zeros((1, 2, 3, 3), np.uint8)
    pictures[0, 1] = 255
    tensor = to_tensor(pictures)
    assert tensor.shape == (1, 3, 2, 3)
    assert tensor[0, :, 0].unique().tolist() == [-1]
    assert tensor[0, :, 1].unique().tolist() == [1]


def test_a_book_is_encoded_once_and_read_again(tmp_path):
    book = load_book(tmp_path / "book.npz", 5, 32)
    assert book.latents.shape == (5, 4, 8, 8)
    assert book.tokens.shape == (5, 32)
    again = load_book(tmp_path / "book.npz", 9, 32)
    assert torch.equal(again.latents, book.latents)


def test_every_stage_trains_writes_weights_and_resumes(tmp_path, caplog):
    from attnscope.demo.train import run
    from attnscope.demo.weights import read_weights

    options = {"batches": {"vae": 2, "low": 2, "high": 2}, "scenes": {"low": 8, "high": 8}}
    work, weights = tmp_path / "work", tmp_path / "weights"
    run(work, weights, max_steps=2, **options)
    assert {path.name for path in work.iterdir()} >= {"vae.pt", "low.pt", "high.pt"}
    before = read_weights(weights).unet.state_dict()
    with caplog.at_level(logging.INFO):
        run(work, weights, max_steps=3, **options)
    assert "high: resumed at step 2" in caplog.text
    after = read_weights(weights).unet.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_training_goes_on_from_a_weights_folder(tmp_path):
    from attnscope import demo
    from attnscope.demo.train import run
    from attnscope.demo.weights import read_weights

    options = {"batches": {"vae": 2, "low": 2, "high": 2}, "scenes": {"low": 8, "high": 8}}
    start = demo.weights_folder()
    run(tmp_path / "work", tmp_path / "new", stages=("high",), start=start, max_steps=1, **options)
    old, new = read_weights(start), read_weights(tmp_path / "new")
    for name, value in old.vae.state_dict().items():
        torch.testing.assert_close(new.vae.state_dict()[name], value)
    # One step at the start of the warm-up moves the weights by next to nothing.
    for name, value in old.unet.state_dict().items():
        torch.testing.assert_close(new.unet.state_dict()[name], value, atol=1e-3, rtol=1e-2)
