"""IDX parsing and the pixel scale."""

import contextlib
import struct

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm.core.mnist import parse_idx, parse_images, to_model, to_uint8
from ddpm.errors import StudyError


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def pixels(n: int, side: int = 28) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side), dtype=np.uint8)


def test_images_come_back() -> None:
    images = pixels(5)
    found = parse_images(idx(images), "x")
    assert found.shape == (5, 1, 28, 28)
    assert found.dtype == torch.uint8
    assert np.array_equal(found.squeeze(1).numpy(), images)


def test_labels_come_back() -> None:
    assert parse_idx(idx(np.arange(10, dtype=np.uint8)), "x", 1).tolist() == list(range(10))


GOOD = idx(pixels(3))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "needs 16 bytes, found 0"),
        (GOOD[:10], "needs 16 bytes, found 10"),
        (GOOD[:-1], "the file is damaged"),
        (GOOD + b"x", "the file is damaged"),
        (b"\x1f\x8b" + GOOD, "uncompressed"),
        (b"\x00\x00\x0d\x03" + GOOD[4:], "magic 00000d03"),
        (GOOD[:4] + b"\xff" * 12 + GOOD[16:], "the file is damaged"),  # 79 octillion images
        (idx(pixels(3, 27)), "27 x 27, not 28 x 28"),
    ],
)
def test_refuses(data: bytes, says: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse_images(data, "some-file")
    assert says in str(caught.value)
    assert "some-file" in str(caught.value)


@given(st.binary(max_size=200), st.integers(1, 3))
def test_any_bytes_parse_or_are_refused(data: bytes, dimensions: int) -> None:
    with contextlib.suppress(StudyError):  # and no other error
        assert parse_idx(data, "x", dimensions).dim() == dimensions


def test_scale_is_exact_at_the_ends_and_inverts() -> None:
    all_values = torch.arange(256, dtype=torch.uint8)
    x = to_model(all_values)
    assert x.dtype == torch.float32
    assert (float(x[0]), float(x[-1])) == (-1.0, 1.0)
    assert torch.equal(to_uint8(x), all_values)


def test_to_uint8_clamps_and_rounds() -> None:
    x = torch.tensor([-7.0, -1.0, -0.9961, 0.0, 1.0, 1e9])
    assert to_uint8(x).tolist() == [0, 0, 0, 128, 255, 255]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_to_uint8_refuses_a_diverged_sample(bad: float) -> None:
    with pytest.raises(StudyError, match="NaN or infinity"):
        to_uint8(torch.tensor([0.0, bad]))
