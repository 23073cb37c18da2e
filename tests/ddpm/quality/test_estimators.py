"""Estimators on Gaussians whose distance is known."""

import numpy as np
import pytest

from ddpm.errors import StudyError
from ddpm.quality.estimators import blocks, frechet_infinity, kernel_distance_by_blocks
from ddpm.quality.frechet import Gaussian, fit_gaussian, gaussian_distance, kernel_distance

D = 16


def truth(shift: float, scale: float) -> tuple[Gaussian, float]:
    """The real side without sampling error, and the true distance of N(shift, scale^2 I) to it."""
    return Gaussian(np.zeros(D), np.eye(D)), D * (shift**2 + (scale - 1) ** 2)


def permutations(n: int, seed: int):  # type: ignore[no-untyped-def]
    return lambda k: np.random.default_rng((seed, k)).permutation(n)


def test_blocks_are_disjoint_whole_and_leave_the_rest() -> None:
    assert blocks(10, 3) == [slice(0, 3), slice(3, 6), slice(6, 9)]
    assert blocks(2, 3) == []


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.3, 1.1)])
def test_infinity_recovers_the_true_distance_within_its_error(shift: float, scale: float) -> None:
    real, true = truth(shift, scale)
    n, misses, biases, plain = 400, 0, [], []
    for seed in range(60):
        x = shift + scale * np.random.default_rng(seed).normal(size=(n, D))
        found = frechet_infinity(x, real, permutations(n, seed))
        misses += abs(found.value - true) > 3 * found.error  # 4 blocks: Student's t with 3 degrees of freedom, 94 %
        biases.append(found.value - true)
        plain.append(gaussian_distance(fit_gaussian(x), real) - true)
    assert misses <= 9  # of 60; 3.6 expected
    assert np.mean(plain) > 10 * abs(np.mean(biases))  # the bias that extrapolation removes


def test_infinity_is_a_function_of_its_arguments() -> None:
    x = np.random.default_rng(0).normal(size=(100, D))
    real, _ = truth(0, 1)
    assert frechet_infinity(x, real, permutations(100, 0)) == frechet_infinity(x, real, permutations(100, 0))
    assert frechet_infinity(x, real, permutations(100, 0)) != frechet_infinity(x, real, permutations(100, 1))


def test_kernel_distance_by_blocks_is_unbiased_and_knows_its_error() -> None:
    estimates, errors = [], []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        found = kernel_distance_by_blocks(rng.normal(size=(200, D)), rng.normal(size=(200, D)), 40)
        estimates.append(found.value)
        errors.append(found.error)
    assert abs(np.mean(estimates)) < 4 * np.std(estimates) / np.sqrt(len(estimates))
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(estimates), rel=0.35)


def test_two_blocks_are_the_mean_of_two_distances() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(30, 3))
    halves = [kernel_distance(x[:10], y[:10]), kernel_distance(x[10:], y[10:20])]
    found = kernel_distance_by_blocks(x, y, 10)
    assert found.value == pytest.approx(np.mean(halves))
    assert found.error == pytest.approx(abs(halves[0] - halves[1]) / 2)


def test_refuses_too_few_rows() -> None:
    x = np.zeros((7, 2))
    with pytest.raises(StudyError, match="blocks"):
        frechet_infinity(x, truth(0, 1)[0], permutations(7, 0))
    with pytest.raises(StudyError, match="blocks"):
        kernel_distance_by_blocks(x, x, 4)
