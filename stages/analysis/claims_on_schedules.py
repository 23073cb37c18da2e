"""The report's claims about schedules, which are arithmetic, and about 32 samples, which is simulation."""

import math
from itertools import combinations

import numpy as np

from ddpm.errors import StudyError
from stages.analysis import statistics
from stages.analysis.tables import Array, Finding, Tables

_RESCALED = ("linear", "sigmoid")  # by 1000 / T; they end at beta_max


def gaussian_end(tables: Tables, limit: float) -> Finding:
    """sqrt(alpha_bar_T) of the schedules that end at beta_max."""
    left = {f"{name}, T = {T}": math.sqrt(bar[-1]) for name in _RESCALED for T, bar in tables.bars(name).items()}
    worst = max(left.values())
    plain = f"sqrt(alpha_bar_T) is up to {worst:.3f}; threshold: {limit:.3f}"
    return Finding(statistics.exact(worst, holds=worst <= limit), "largest sqrt(alpha_bar_T)", plain, left)


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
    plain = f"the curves of alpha_bar over t/T at any two T differ by at most {worst:.4f}"
    evidence = statistics.exact(worst, holds=worst <= limit)
    return Finding(evidence, "largest gap of alpha_bar", plain, gaps)


def straightness(alpha_bar: Array) -> float:
    """R^2 of a straight line through alpha_bar over t / T."""
    return float(np.corrcoef(np.linspace(0, 1, len(alpha_bar)), alpha_bar)[0, 1] ** 2)


def linear_abar(tables: Tables, limit: float) -> Finding:
    """R^2 of cosine's alpha_bar compared with the others'; for each schedule that of its least straight T."""
    names = ("cosine", *_RESCALED)
    r_squared = {name: min(map(straightness, tables.bars(name).values())) for name in names}
    found, others = r_squared["cosine"], max(r_squared[name] for name in _RESCALED)
    plain = f"R^2 of a straight line is {found:.3f} for cosine and at most {others:.3f} for the other two"
    evidence = statistics.exact(found, holds=found >= max(limit, others))
    return Finding(evidence, "R^2 of a line, cosine", plain, r_squared)


def n32_enough(tables: Tables, limit: float) -> Finding:
    """How well 32 samples rank the cells, by drawing 32 of each cell's samples again and again."""
    tables.at_least(3)
    if not len(tables.tau_at_32):
        raise StudyError(f"the grid has no {tables.sampler}")
    found = statistics.from_draws(tables.tau_at_32, limit, tables.confidence)
    plain = f"Kendall's tau between the rankings by 32 and by all samples is {found.estimate:.2f}"
    return Finding(found, "Kendall's tau of the ranking at n = 32", plain, {})
