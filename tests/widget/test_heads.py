"""What heads are ranked by: how narrowly each looks at a word, and how much."""

import json

import numpy as np
import pytest
from widget.synthetic import GRIDS, recording

from attnscope.errors import ViewError
from attnscope.maps.capture import Capture
from attnscope.widget.packets import Packets
from attnscope.widget.protocol import make_item
from attnscope.widget.scope import Scope


def heads(packets, step=4, image=0):
    parts = packets.parts(make_item("heads", step, image, "cond"))
    assert [(name, encoding) for name, _, encoding in parts] == [("pairs", "u8"), ("focus", "f32"), ("mass", "f32")]
    pairs, focus, mass = (array for _, array, _ in parts)
    return json.loads(pairs.tobytes()), focus, mass


def test_focus_is_one_less_the_share_of_the_greatest_entropy(cap_images):
    pairs, focus, mass = heads(Packets(cap_images), step=7, image=2)
    counts = {"down.0.0": 3, "mid.0": 2, "up.1.0": 3, "up.1.1": 3}
    assert pairs == [[layer, head] for layer, count in counts.items() for head in range(count)]
    assert focus.shape == mass.shape == (11, 11)
    assert focus.dtype == mass.dtype == np.float32
    for (layer, head), row, means in zip(pairs, focus, mass, strict=True):
        maps = cap_images.layer(layer).sel(step=7, image=2).isel(head=head).transpose("pixel", "token").values
        share = maps.astype(np.float64) / maps.sum(axis=0, dtype=np.float64)
        entropy = -np.where(share > 0, share * np.log2(np.where(share > 0, share, 1)), 0).sum(axis=0)
        np.testing.assert_allclose(row, 1 - entropy / np.log2(len(maps)), atol=2e-6)
        np.testing.assert_allclose(means, maps.mean(axis=0, dtype=np.float64), rtol=1e-5)


def test_an_even_map_has_no_focus_and_one_pixel_all_of_it():
    made = recording()
    maps = made.stores[0].array
    maps[..., 2], maps[..., 3] = 0.25, 0
    maps[..., 17, 3] = 0.5
    _, focus, mass = heads(Packets(Capture(made)))
    first = slice(0, GRIDS[10, 14][0])
    np.testing.assert_allclose(focus[first, [2]], 0, atol=1e-6)
    np.testing.assert_allclose(focus[first, [3]], 1, atol=1e-6)
    np.testing.assert_allclose(mass[first, [3]], 0.5 / 140, rtol=1e-6)


def test_what_was_not_seen_and_what_nobody_looks_at_have_no_focus(cap_gap):
    pairs, focus, mass = heads(Packets(cap_gap))
    unseen = np.array([layer == "up.1.0" for layer, _ in pairs])
    for numbers in (focus, mass):
        np.testing.assert_array_equal(np.isnan(numbers), np.broadcast_to(unseen[:, None], numbers.shape))
    made = recording()
    made.stores[0].array[..., 5] = 0
    _, focus, mass = heads(Packets(Capture(made)))
    assert np.isnan(focus[:3, 5]).all()
    assert (mass[:3, 5] == 0).all()


def test_heads_are_computed_once(cap, monkeypatch):
    packets = Packets(cap)
    _, focus, _ = heads(packets)
    monkeypatch.setattr(packets.cross, "read", None)
    np.testing.assert_array_equal(heads(packets)[1], focus)


def test_heads_of_what_is_not_there(cap):
    packets = Packets(cap)
    with pytest.raises(ViewError, match=r"step 5 was not captured\. Available: 0, 4, 7"):
        heads(packets, step=5)
    with pytest.raises(ViewError, match="image 3"):
        heads(packets, image=3)
    packets._cross = None
    with pytest.raises(ViewError, match=r"Cross-attention was not captured\. Available: self"):
        heads(packets)


def test_a_file_has_them_at_every_step_whichever_layers_it_holds(cap, tmp_path):
    text = Scope(cap).to_html(tmp_path / "scope.html", steps=[0, 7], layers=[]).read_text()
    assert [f"heads|{step}|0|cond|" in text for step in (0, 4, 7)] == [True, False, True]
