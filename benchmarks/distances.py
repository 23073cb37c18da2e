"""Frechet distance compared with other implementations, in seconds on the same features."""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from benchmarks.measure import seconds_of
from ddpm.quality.frechet import frechet_distance

DIMENSIONS = 2048


def _features(n: int, seed: int) -> np.ndarray:
    """Correlated like features: a random mixture of fewer factors, plus a little of everything."""
    random = np.random.default_rng(seed)
    mixture = np.random.default_rng(0).standard_normal((256, DIMENSIONS))
    return random.standard_normal((n, 256)) @ mixture + 0.1 * random.standard_normal((n, DIMENSIONS))


def _sqrtm(x: np.ndarray, y: np.ndarray) -> float:
    """The route of pytorch-fid and of most code: covariances, then scipy's matrix square root."""
    s_x, s_y = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(s_x @ s_y)
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s_x) + np.trace(s_y) - 2 * np.trace(root.real))


def _torch_fidelity(x: np.ndarray, y: np.ndarray) -> float:
    with contextlib.redirect_stderr(io.StringIO()):
        statistics = [fid_features_to_statistics(torch.from_numpy(features)) for features in (x, y)]
        return float(fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"])


ROUTES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "ours": frechet_distance,
    "scipy sqrtm": _sqrtm,
    "torch-fidelity": _torch_fidelity,
}


def _timed(name: str, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    values: list[float] = []
    seconds = seconds_of(lambda: values.append(ROUTES[name](x, y)))
    return {"seconds": seconds, "value": values[-1]}


def measure(sizes: tuple[int, ...] = (1000, 10_000)) -> dict[str, Any]:
    """Seconds and value of each route at each n."""
    found: dict[str, Any] = {}
    for n in sizes:
        x, y = _features(n, 1), 1.1 * _features(n, 2) + 0.1
        found[str(n)] = {name: _timed(name, x, y) for name in ROUTES}
    return found
