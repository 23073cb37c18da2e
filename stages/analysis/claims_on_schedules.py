"""The report's claims about schedules, which are arithmetic."""

import math
from itertools import combinations

import numpy as np
import torch

from ddpm.diffusion import Schedule
from ddpm.errors import StudyError
from ddpm.schedules import audit
from stages.analysis import statistics
from stages.analysis.tables import Array, Finding, Tables

_RESCALED = ("linear", "sigmoid")  # by 1000 / T; they end at beta_max


def prior_kl(alpha_bar: Array) -> float:
    """E KL(q(x_T | x_0) || N(0, I)) of MNIST, nats an image (Ho et al. 2020, L_T in eq. 5)."""
    beta = 1 - alpha_bar[1:] / alpha_bar[:-1]
    return audit(Schedule.from_beta(torch.from_numpy(beta))).prior_kl_nats


def gaussian_end(tables: Tables, limit: float) -> Finding:
    """sqrt(alpha_bar_T) of the schedules that end at beta_max, and the prior KL."""
    left = {f"{name}, T = {T}": math.sqrt(bar[-1]) for name in _RESCALED for T, bar in tables.bars(name).items()}
    worst = max(left.values())
    kl = {
        f"{name}, T = {T}, prior KL in nats": prior_kl(bar)
        for name in _RESCALED
        for T, bar in tables.bars(name).items()
    }
    plain = (
        f"sqrt(alpha_bar_T) is up to {worst:.3f}; threshold: {limit:.3f}; the KL of x_T to N(0, I) is up to "
        f"{max(kl.values()):.2f} nats per image"
    )
    return Finding(statistics.exact(worst, holds=worst <= limit), "largest sqrt(alpha_bar_T)", plain, left | kl)


def sup_distance(a: Array, b: Array) -> float:
    """Largest gap between two curves over t / T, at the points of either; each is a line between its points."""
    u, v = np.linspace(0, 1, len(a)), np.linspace(0, 1, len(b))
    points = np.union1d(u, v)
    return float(np.abs(np.interp(points, u, a) - np.interp(points, v, b)).max())


def same_shape(tables: Tables, limit: float) -> Finding:
    """The largest gap between alpha_bar curves of one schedule at two T."""
    if any(len(tables.bars(name)) < 2 for name in _RESCALED):
        raise StudyError("the grid has only one T")
    gaps = {name: max(sup_distance(a, b) for a, b in combinations(tables.bars(name).values(), 2)) for name in _RESCALED}
    worst = max(gaps.values())
    found = ", ".join(f"{gap:.4f} ({name})" for name, gap in gaps.items())
    plain = f"the curves of alpha_bar over t/T at two T differ by up to {found}; threshold: {limit:g}"
    evidence = statistics.exact(worst, holds=worst <= limit)
    return Finding(evidence, "largest gap of alpha_bar", plain, gaps)


def straightness(alpha_bar: Array) -> float:
    """R^2 of a straight line through alpha_bar over t / T."""
    return float(np.corrcoef(np.linspace(0, 1, len(alpha_bar)), alpha_bar)[0, 1] ** 2)


def deviation(alpha_bar: Array) -> float:
    """The largest gap between alpha_bar over t / T and the straight line from 1 to 0."""
    return float(np.abs(alpha_bar - np.linspace(1, 0, len(alpha_bar))).max())


def linear_abar(tables: Tables, limit: float) -> Finding:
    """R^2 of cosine's alpha_bar compared with the others'; for each schedule that of its least straight T."""
    names = ("cosine", *_RESCALED)
    r_squared = {name: min(map(straightness, tables.bars(name).values())) for name in names}
    found, others = r_squared["cosine"], max(r_squared[name] for name in _RESCALED)
    gaps = {f"{name}, largest deviation": max(map(deviation, tables.bars(name).values())) for name in names}
    plain = (
        f"R^2 of a straight line is {found:.3f} for cosine and at most {others:.3f} for the other two; cosine deviates "
        f"from the line from 1 to 0 by up to {gaps['cosine, largest deviation']:.3f}"
    )
    evidence = statistics.exact(found, holds=found >= max(limit, others))
    return Finding(evidence, "R^2 of a line, cosine", plain, r_squared | gaps)
