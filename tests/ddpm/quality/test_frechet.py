"""Distances against closed forms, independent routes, and two libraries on the same features."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ddpm.errors import StudyError
from ddpm.quality import frechet
from ddpm.quality.frechet import frechet_distance, kernel_distance


def features(n: int, d: int, seed: int, shift: float = 0.0) -> NDArray[np.float64]:
    """Correlated, skewed and non-negative, as Inception's are."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(n, d)) @ np.random.default_rng(99).normal(size=(d, d)) / np.sqrt(d)
    return np.asarray(np.maximum(mixed + shift, 0))


def moments(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return x.mean(0), np.cov(x, rowvar=False)


def without_rounding(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Eigenvalues that rounding alone keeps from zero, as with fewer samples than dimensions, are zero."""
    return np.where(values > 1e-13 * values.max(), values, 0)


def by_eigenvalues(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """tr (S_1 S_2)^(1/2) from the symmetric product, float64: a second route, sharing no step with ours."""
    (mu_x, s_x), (mu_y, s_y) = moments(x), moments(y)
    values, vectors = np.linalg.eigh(s_x)
    root = (vectors * np.sqrt(without_rounding(values))) @ vectors.T
    trace = np.sqrt(without_rounding(np.linalg.eigvalsh(root @ s_y @ root))).sum()
    return float((mu_x - mu_y) @ (mu_x - mu_y) + np.trace(s_x) + np.trace(s_y) - 2 * trace)


@pytest.mark.parametrize(("n", "m", "d"), [(300, 200, 60), (40, 500, 60), (500, 40, 60), (64, 64, 500)])
def test_second_route_full_rank_and_not(n: int, m: int, d: int) -> None:
    x, y = features(n, d, 0), features(m, d, 1, 0.3)
    assert frechet_distance(x, y) == pytest.approx(by_eigenvalues(x, y), rel=1e-9)


@pytest.mark.parametrize(("n", "d"), [(50, 200), (500, 64)])
def test_affine_image_has_a_closed_form(n: int, d: int) -> None:
    # y = a x + b: covariances commute, d^2 = |mu (a - 1) + b|^2 + (a - 1)^2 tr S
    x = features(n, d, 0)
    mu, s = moments(x)
    expected = float(((0.25 * mu + 0.01) ** 2).sum() + 0.25**2 * np.trace(s))
    assert frechet_distance(x, 1.25 * x + 0.01) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(50, 200), (500, 64)])
def test_zero_for_equal_sets(n: int, d: int) -> None:
    x = features(n, d, 0)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-10 * float(np.trace(moments(x)[1])))


@given(seed=st.integers(0, 1000), n=st.integers(2, 40), m=st.integers(2, 40), d=st.integers(1, 30))
def test_laws(seed: int, n: int, m: int, d: int) -> None:
    x, y = features(n, d, seed), features(m, d, seed + 1, 0.5)
    distance, scale = frechet_distance(x, y), 1e-9 * (1 + (x**2).sum() + (y**2).sum())
    assert distance >= -scale
    assert frechet_distance(y, x) == pytest.approx(distance, abs=scale)
    assert frechet_distance(x[::-1], y) == pytest.approx(distance, abs=scale)
    assert frechet_distance(x + 3, y + 3) == pytest.approx(distance, abs=1e-6)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]
    assert frechet_distance(x @ rotation, y @ rotation) == pytest.approx(distance, abs=10 * scale)


def test_parity_with_pytorch_fid() -> None:
    from pytorch_fid.fid_score import calculate_frechet_distance

    x, y = features(400, 100, 0), features(300, 100, 1, 0.3)
    assert frechet_distance(x, y) == pytest.approx(
        float(calculate_frechet_distance(*moments(x), *moments(y))), rel=1e-7
    )


def test_parity_with_torch_fidelity() -> None:
    import torch
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric

    x, y = features(400, 100, 0), features(300, 100, 1, 0.3)
    statistics = [fid_features_to_statistics(torch.from_numpy(v)) for v in (x, y)]
    fid = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(x, y) == pytest.approx(fid, rel=1e-7)
    # one subset of everything: their KID is then a single unbiased estimate, as ours
    size = 300
    kid = kid_features_to_metric(
        torch.from_numpy(x[:size]), torch.from_numpy(y), kid_subsets=1, kid_subset_size=size, verbose=False
    )
    assert kernel_distance(x[:size], y) == pytest.approx(kid["kernel_inception_distance_mean"], rel=1e-6)


def test_sqrtm_agrees_where_it_can() -> None:
    x, y = features(400, 50, 0), features(300, 50, 1, 0.3)
    (mu_x, s_x), (mu_y, s_y) = moments(x), moments(y)
    trace = np.trace(scipy.linalg.sqrtm(s_x @ s_y).real)
    expected = float(((mu_x - mu_y) ** 2).sum() + np.trace(s_x) + np.trace(s_y) - 2 * trace)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-8)


def test_kid_is_unbiased() -> None:
    # equal distributions: the mean over repetitions is zero within its own error
    values = [kernel_distance(features(60, 20, 2 * i), features(60, 20, 2 * i + 1)) for i in range(200)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))
    assert kernel_distance(features(60, 20, 0), features(60, 20, 1, 1.0)) > 5 * np.std(values)


@pytest.mark.parametrize("pairs", [1, 700, 2500, 10_000])
def test_kid_by_blocks_of_rows_is_the_same(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = features(90, 20, 0), features(70, 20, 1, 0.3)
    whole = kernel_distance(x, y)
    monkeypatch.setattr(frechet, "_PAIRS", pairs)
    assert kernel_distance(x, y) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_refuses(distance) -> None:  # type: ignore[no-untyped-def]
    good = features(10, 5, 0)
    for bad, says in (
        (good[:1], "n >= 2"),
        (good[0], "n >= 2"),
        (good * np.nan, "NaN"),
        (good[:, :3], "different extractors"),
    ):
        with pytest.raises(StudyError, match=says):
            distance(good, bad)
