"""Agreement of two rankings, and of rankings by few and by all samples."""

import numpy as np
import pytest

from ddpm.quality.frechet import fit_gaussian, gaussian_distance
from ddpm.quality.rank_agreement import kendall_tau, tau_at_few


def test_kendall() -> None:
    assert kendall_tau([1, 2, 3], [3, 2, 1]) == -1
    assert kendall_tau([1, 1, 1], [3, 2, 1]) == 0
    assert kendall_tau([1], [2]) == 0


def test_few_samples_rank_worse_than_many() -> None:
    rng = np.random.default_rng(0)
    real = fit_gaussian(rng.normal(size=(500, 4)))
    sets = {f"set {i}": (rng.normal(size=(200, 4)) + 0.1 * i).astype(np.float32) for i in range(6)}
    full = [gaussian_distance(fit_gaussian(rows), real) for rows in sets.values()]
    calls: list[int] = []
    by_few = tau_at_few(sets, full, real, 5, 20, calls.append)
    assert len(by_few) == 20
    assert calls == [1] * 120
    assert tau_at_few(sets, full, real, 200, 3, calls.append) == pytest.approx([1, 1, 1])  # all, reordered
    assert np.mean(by_few) < np.mean(tau_at_few(sets, full, real, 100, 20, calls.append))
    assert tau_at_few(sets, full, real, 5, 20, calls.append) == by_few
