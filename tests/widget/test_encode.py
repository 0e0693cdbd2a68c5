import numpy as np
import pytest

from attnscope.widget.encode import decode, encode, map_encoding, pack


def maps(seed=0, shape=(3, 2, 5, 7)):
    rng = np.random.default_rng(seed)
    return (rng.random(shape) ** 6).astype(np.float32)


def there_and_back(array, encoding, start=0):
    (section,), data = pack([("maps", array, encoding)], start=start)
    return decode(section, bytes(start) + data)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-7])
def test_q8_keeps_half_a_code(scale):
    values = maps() * np.float32(scale)
    hi = values.max(axis=(-2, -1), keepdims=True)
    error = np.abs(there_and_back(values, "q8") - values)
    # Half a step of the square root, and its curvature.
    bound = hi * (np.sqrt(values / hi) / 254 + 0.25 / 254**2)
    assert (error <= bound * 1.001).all()


def test_q8_keeps_maximum_zero_and_what_is_not_a_number():
    values = maps()
    values[0, 0, 1, 2] = np.nan
    values[0, 1] = 0
    values[1, 0] = np.nan
    values[2, 1, 0, 0] = -1e-6  # bicubic resampling can leave [0, 1]
    back = there_and_back(values, "q8")
    np.testing.assert_array_equal(np.isnan(back), np.isnan(values))
    assert (back[0, 1] == 0).all()
    assert back[2, 1, 0, 0] == 0
    np.testing.assert_array_equal(np.nanmax(back[0, 0]), np.nanmax(values[0, 0]))


def test_q8_layout_is_maxima_then_codes():
    values = np.array([[[0.0, 0.25], [1.0, np.nan]]], dtype=np.float32)
    data = encode(values, "q8")
    assert np.frombuffer(data[:4], "<f4").tolist() == [1.0]
    assert list(data[4:]) == [0, 127, 254, 255]


@pytest.mark.parametrize("encoding", ["f16", "f32", "u8", "q8"])
def test_sections_are_aligned_whatever_their_length(encoding):
    arrays = [np.full(shape, 1, np.float32) for shape in ((1, 1, 3), (2, 5, 7), (1, 1, 1))]
    sections, data = pack([(str(i), array, encoding) for i, array in enumerate(arrays)], start=16)
    assert len(data) % 8 == 0
    for section, array in zip(sections, arrays, strict=True):
        assert section["offset"] % 8 == 0
        assert section["shape"] == list(array.shape)
        np.testing.assert_allclose(decode(section, bytes(16) + data), array)


def test_decoding_a_view_into_a_larger_buffer():
    values = maps()
    (section,), data = pack([("maps", values, "f32")])
    shifted = memoryview(b"\x00" * 3 + data)[3:]
    np.testing.assert_array_equal(decode(section, shifted), values)


def test_large_packets_travel_in_eight_bits():
    assert map_encoding(700_000) == "f16"
    assert map_encoding(800_000) == "q8"
    assert map_encoding(8, compact=True) == "q8"
