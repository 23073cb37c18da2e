"""Randomness has a name; the name alone decides it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm.core.rng import GpuNoise, image_noise, stream
from tests.ddpm.seeking import BLOCK, let_the_cpu_seek


def draw(generator: torch.Generator) -> list[float]:
    return torch.rand(4, generator=generator).tolist()


def test_same_name_same_numbers() -> None:
    torch.rand(3)  # the global state has no say
    assert draw(stream(0, "order", 1)) == draw(stream(0, "order", 1))


def test_every_part_of_the_name_counts() -> None:
    names: list[tuple[int, *tuple[str | int, ...]]] = [
        (0, "a"),
        (1, "a"),
        (0, "b"),
        (0, "a", 0),
        (0, "a", 1),
        (0, "a", "0"),
    ]
    assert len({tuple(draw(stream(seed, *purpose))) for seed, *purpose in names}) == len(names)


def test_golden_values() -> None:
    # committed results depend on these: a change here changes every cell of the study
    assert stream(0, "order", 1).initial_seed() == 1332101017241992705


@given(first=st.integers(0, 200), count=st.integers(0, 150))
def test_image_noise_depends_on_the_image_alone(first: int, count: int) -> None:
    whole = image_noise(7, "x", first=0, count=350, shape=(2,))
    assert torch.equal(image_noise(7, "x", first=first, count=count, shape=(2,)), whole[first : first + count])


def test_image_noise_is_standard_normal() -> None:
    z = image_noise(0, "x", first=0, count=2000, shape=(28, 28))
    assert abs(float(z.mean())) < 5 / (2000 * 784) ** 0.5
    assert abs(float(z.var()) - 1) < 5 * (2 / (2000 * 784)) ** 0.5
    assert abs(float((z[:-1] * z[1:]).mean())) < 5 / (1999 * 784) ** 0.5


@pytest.fixture
def _seeking(monkeypatch: pytest.MonkeyPatch) -> None:
    let_the_cpu_seek(monkeypatch)


def gpu_noise(first: int, count: int, *purpose: str | int, seed: int = 7) -> GpuNoise:
    return GpuNoise(seed, *(purpose or ("x",)), first=first, count=count, shape=(2, 3), device="cpu")


@pytest.mark.usefixtures("_seeking")
@pytest.mark.parametrize(
    ("first", "count"), [(0, 1), (0, BLOCK), (3, 4), (BLOCK, BLOCK), (BLOCK - 1, 2), (5, 3 * BLOCK), (2 * BLOCK + 3, 4)]
)
def test_gpu_noise_depends_on_the_image_and_k_alone(first: int, count: int) -> None:
    whole, part = gpu_noise(0, 5 * BLOCK), gpu_noise(first, count)
    sets = [whole(k)[first : first + count] for k in range(5)]
    for k in (4, 1, 0, 1):  # in any order, and again
        assert torch.equal(part(k), sets[k])


@pytest.mark.usefixtures("_seeking")
def test_no_two_images_and_no_two_k_share_gpu_noise() -> None:
    noises = [gpu_noise(0, 3 * BLOCK), gpu_noise(0, 3 * BLOCK, "y"), gpu_noise(0, 3 * BLOCK, seed=8)]
    numbers = torch.cat([noise(k).flatten() for noise in noises for k in range(4)])
    assert len(numbers.unique()) > 0.99 * len(numbers)  # floats of 24 random bits meet by chance, but rarely


@pytest.mark.usefixtures("_seeking")
def test_drawing_gpu_noise_goes_on_where_it_was_sought() -> None:
    noise = gpu_noise(5, BLOCK)
    expected = [noise(k) for k in range(6)]
    for start in (3, 0):
        noise.seek(start)
        assert all(torch.equal(noise.draw(), expected[k]) for k in range(start, 6))
    assert not torch.equal(expected[0], expected[1])  # what a call gave is not drawn over by the next
