"""Corruptions: nothing at level 0, more with every level, the same for the same generator."""

import itertools

import pytest
import torch

from ddpm.core import rng
from ddpm.diagnostics import corruptions
from ddpm.diagnostics.corruptions import CORRUPTIONS, summarise
from ddpm.errors import StudyError
from tests.conftest import strokes

N = 40
POOL = torch.from_numpy(strokes(200, 0)).unsqueeze(1)
POOL[:, 0, 0, 0] = torch.arange(200)  # no two are equal
LABELS = (torch.arange(200) % 10).to(torch.uint8)
IN_PLACE = [name for name in CORRUPTIONS if name not in ("dropped-classes", "duplicates")]


def corrupted(name: str, level: float, seed: int = 0) -> torch.Tensor:
    return CORRUPTIONS[name](POOL, LABELS, N, level, rng.stream(seed, "test"))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_level_0_leaves_the_images_alone(name: str) -> None:
    assert torch.equal(corrupted(name, 0.0), POOL[:N])


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_form_and_repetition(name: str) -> None:
    before = POOL.clone()
    images = corrupted(name, 0.5)
    assert images.shape == (N, 1, 28, 28)
    assert images.dtype == torch.uint8
    assert torch.equal(images, corrupted(name, 0.5))
    assert torch.equal(POOL, before)


@pytest.mark.parametrize("name", IN_PLACE)
def test_pixels_move_farther_with_every_level(name: str) -> None:
    far = [(corrupted(name, level).double() - POOL[:N].double()).square().mean() for level in (0.1, 0.3, 0.6, 1.0)]
    assert all(a < b for a, b in itertools.pairwise(far))


def test_noise_has_its_standard_deviation() -> None:
    grey = torch.full((N, 1, 28, 28), 128, dtype=torch.uint8)
    noisy = CORRUPTIONS["gaussian-noise"](grey, LABELS, N, 0.25, rng.stream(0, "test"))
    assert float((noisy.double() - 128).std()) == pytest.approx(32, rel=0.02)


def test_blur_keeps_the_light_of_what_is_far_from_the_edge() -> None:
    dot = torch.zeros((1, 1, 28, 28), dtype=torch.uint8)
    dot[0, 0, 12:16, 12:16] = 240
    blurred = CORRUPTIONS["blur"](dot, LABELS, 1, 0.5, rng.stream(0, "test"))
    assert float(blurred.double().sum()) == pytest.approx(16 * 240, rel=0.03)
    assert int(blurred.max()) < 200


def test_salt_and_pepper_touch_their_share() -> None:
    grey = torch.full((N, 1, 28, 28), 100, dtype=torch.uint8)
    found = CORRUPTIONS["salt-and-pepper"](grey, LABELS, N, 0.4, rng.stream(0, "test"))
    assert float((found != 100).double().mean()) == pytest.approx(0.2, abs=0.01)
    assert set(found.unique().tolist()) == {0, 100, 255}


def test_rectangles_have_their_size() -> None:
    black = torch.zeros((N, 1, 28, 28), dtype=torch.uint8)
    found = CORRUPTIONS["rectangles"](black, LABELS, N, 0.5, rng.stream(0, "test"))
    assert ((found == 128).flatten(1).sum(1) == 100).all()


def test_sets_change_in_what_they_hold() -> None:
    classes = [CORRUPTIONS["dropped-classes"](POOL, LABELS, 20, level, rng.stream(0, "test")) for level in (0.5, 1.0)]
    lookup = {image.numpy().tobytes(): int(label) for image, label in zip(POOL, LABELS, strict=True)}
    assert [len({lookup[image.numpy().tobytes()] for image in images}) for images in classes] == [6, 2]
    distinct = {image.numpy().tobytes() for image in corrupted("duplicates", 1.0)}
    assert len(distinct) <= N - round(0.9 * N)


def test_refuses_a_pool_that_is_too_small() -> None:
    with pytest.raises(StudyError, match="pool has"):
        CORRUPTIONS["dropped-classes"](POOL, LABELS, 100, 1.0, rng.stream(0, "test"))


def test_blur_and_displacements_are_torchvisions() -> None:
    from torchvision.transforms import v2

    assert torch.equal(corrupted("blur", 0.5), v2.GaussianBlur(19, (1.5, 1.5))(POOL[:N]))
    moved = corruptions._warp(POOL[:N], torch.tensor([2.0, 0.0]).expand(N, 28, 28, 2))
    assert torch.equal(moved[..., :-2], POOL[:N, ..., 2:])  # a displacement of 2 pixels in x


def test_elastic_draws_from_its_generator_alone() -> None:
    before = torch.random.get_rng_state()
    assert not torch.equal(corrupted("elastic", 0.5, seed=0), corrupted("elastic", 0.5, seed=1))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_distance_that_does_not_rise_is_named() -> None:
    rows = [
        {"corruption": name, "severity": level, "fid": level + 1, "digits_distance": 1 if name == "blur" else level + 1}
        for name in CORRUPTIONS
        for level in (0.0, 0.5, 1.0)
    ]
    found = summarise(rows)
    assert found["fid"]["not_monotone_in"] == []
    assert found["digits_distance"]["not_monotone_in"] == ["blur"]
    assert 0 < found["rank_agreement_tau"] < 1
