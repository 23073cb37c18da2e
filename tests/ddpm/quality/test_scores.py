"""Scores of a set of samples, and the baselines of real images in their place."""

import numpy as np
import pytest

from ddpm.quality.scores import classifier_baseline, classifier_scores, inception_scores

D = 8
ALL = ("fid", "fid_infinity", "fid_equal_n", "kid", "precision", "recall")


def normal(n: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, D)).astype(np.float32) + np.float32(shift)


def test_every_score_sees_samples_of_another_distribution() -> None:
    reference = normal(1000, 0)
    good, bad = (inception_scores(reference, normal(200, 1, shift), 400, 20, "cpu") for shift in (0.0, 1.0))
    assert all(bad[name] > good[name] for name in ("fid", "fid_equal_n", "fid_infinity", "kid"))
    assert bad["precision"] < good["precision"]


@pytest.mark.parametrize(
    ("first", "moved"),
    [
        (80, {"fid", "fid_infinity", "fid_equal_n", "kid", "precision", "recall"}),
        (100, {"fid", "fid_infinity", "kid"}),
        (200, {"fid", "fid_infinity"}),
    ],
)
def test_each_score_takes_its_own_part_of_the_reference(first: int, moved: set[str]) -> None:
    """With 100 samples and kid_images = 200: the first 100, the first 200, or all of the reference."""
    reference, samples = normal(400, 0), normal(100, 1)
    other = reference.copy()
    other[first : first + 20] *= 3
    before, after = (inception_scores(real, samples, 200, 20, "cpu") for real in (reference, other))
    assert {name for name in ALL if before[name] != after[name]} == moved


def test_collapsed_and_doubtful_samples_are_seen() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(size=(400, 8)), rng.normal(size=(400, 8))
    shares = np.full(10, 0.1)
    sure = np.eye(10)[np.arange(200) % 10]
    good = classifier_scores(real[0], rng.normal(size=(200, 8)), sure, shares, "cpu")
    baseline = classifier_baseline(*real, 200, "cpu")
    assert good["digits_distance"] < 2 * baseline["digits_floor"]
    assert (good["classes_p"], good["doubtful_share"], good["rarest_class_share"]) == (1, 0, 0.1)
    one_class = np.eye(10)[np.zeros(200, int)]
    bad = classifier_scores(real[0], 1e-3 * rng.normal(size=(200, 8)), 0.8 * one_class + 0.02, shares, "cpu")
    assert bad["classes_p"] < 1e-9
    assert (bad["doubtful_share"], bad["rarest_class_share"]) == (1, 0)
    assert bad["digits_recall"] < 0.1 < good["digits_recall"]
