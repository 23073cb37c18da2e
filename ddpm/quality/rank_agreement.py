"""How far two rankings agree, and a ranking by few samples with that by all."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ddpm.core import rng
from ddpm.quality.frechet import Gaussian, fit_gaussian, gaussian_distance


def kendall_tau(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b of two rankings; 0 when either is constant or has one element."""
    if np.size(x) < 2:
        return 0.0
    tau = float(stats.kendalltau(x, y).statistic)
    return 0.0 if math.isnan(tau) else tau


def tau_at_few(
    features: Mapping[str, NDArray[np.float32]],
    full: Sequence[float],
    real: Gaussian,
    few: int,
    draws: int,
    advance: Callable[[int], None],
) -> list[float]:
    """Kendall's tau between the ranking by all samples and that by ``few`` of each set, drawn without replacement.

    Args:
        features: of the samples of each set, ``[n, d]``; the name of a set decides its draws.
        full: the distance of each set, in the same order.
        real: fitted to real images.
        few: samples of a draw.
        draws: how many.
        advance: told of every distance computed.

    Returns:
        One tau a draw.
    """
    taus = []
    for draw in range(draws):
        distances = []
        for name, rows in features.items():
            chosen = torch.randperm(len(rows), generator=rng.stream(draw, "few", name))[:few].numpy()
            distances.append(gaussian_distance(fit_gaussian(rows[chosen]), real))
            advance(1)
        taus.append(kendall_tau(distances, full))
    return taus
