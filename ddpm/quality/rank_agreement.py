"""How far two rankings agree."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def kendall_tau(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b of two rankings; 0 when either is constant or has one element."""
    if np.size(x) < 2:
        return 0.0
    tau = float(stats.kendalltau(x, y).statistic)
    return 0.0 if math.isnan(tau) else tau
