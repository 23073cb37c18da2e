"""Cells whose FIDs are planted, and the ratios that follow from them."""

import math
from typing import Any

import numpy as np

from stages.analysis import answer
from stages.analysis.statistics import interval
from stages.analysis.tables import number

FACTOR = {"linear": 1.0, "sigmoid": 2.0, "cosine": 3.0}
SAMPLERS = {"ancestral": 1.0, "clipped": 1.1, "clipped-first": 1.2}


def rows(*seeds: int) -> list[dict[str, Any]]:
    """FID = factors of schedule and sampler x 1.5 at T = 800 x (1 + seed / 100); the digit classifier sees none."""
    return [
        {"schedule": schedule, "T": T, "seed": seed, "sampler": sampler, "fid_floor": 0.09, "fid_test_images": 0.22}
        | {
            "fid": factor * of_sampler * (1.5 if T == 800 else 1) * (1 + seed / 100),
            "digits_distance": 1 + seed / 100,
            "kid": -1.0,
        }
        | {"fid_infinity": 1.0}
        for schedule, factor in FACTOR.items()
        for T in (50, 800)
        for seed in seeds
        for sampler, of_sampler in SAMPLERS.items()
    ]


ALL_T = (50, 200, 800)
REPAIRED = {("cosine", "clipped"): 0.34, ("cosine", "clipped-first"): 0.33, ("linear", "clipped"): 1.7}


def study(*seeds: int, **of_T_800: float) -> list[dict[str, Any]]:
    """Cells of three T, no two alike: cosine's FID is three times linear's, with the clip in the first step as low.

    Args:
        seeds: each with a scatter of its own.
        of_T_800: factors by schedule at T = 800, in place of 1.4.
    """
    rng = np.random.default_rng(7)
    scatter = {key: math.exp(0.02 * rng.normal()) for key in cells_of(3, 4, 5, 6, 7)}
    return [
        {"schedule": schedule, "T": T, "seed": seed, "sampler": sampler, "fid_floor": 0.09, "fid_test_images": 0.22}
        | {"fid": fid * FACTOR[schedule] * REPAIRED.get((schedule, sampler), 1) * scatter[schedule, T, seed, sampler]}
        | {"kid": -1.0 if schedule == "linear" else 0.1 * T * FACTOR[schedule] * (1 + seed) ** len(sampler)}
        | {"digits_distance": 1.0 + seed}
        for schedule, T, seed, sampler in cells_of(*seeds)
        for fid in ({50: 1.0, 200: 1.9, 800: of_T_800.get(schedule, 1.4)}[T],)
    ]


def cells_of(*seeds: int) -> list[tuple[str, int, int, str]]:
    return [
        (schedule, T, seed, sampler) for schedule in FACTOR for T in ALL_T for seed in seeds for sampler in SAMPLERS
    ]


def fids(table: list[dict[str, Any]], schedule: str, sampler: str, *all_T: int) -> list[float]:
    """Mean log FID over T, one a seed."""
    wanted = [row for row in table if (row["schedule"], row["sampler"]) == (schedule, sampler) and row["T"] in all_T]
    seeds = sorted({row["seed"] for row in wanted})
    return [float(np.mean([math.log(row["fid"]) for row in wanted if row["seed"] == seed])) for seed in seeds]


def expected(above: list[float], below: list[float], times: str = "") -> str:
    """The geometric mean of the ratios and its interval, as they are written."""
    logs = np.subtract(above, below)
    low, high = np.exp(interval(logs, 0.95))
    return f"{number(math.exp(logs.mean()))}{times} ({number(low)} to {number(high)})"


CLAIM = {"n": 3, "verdict": "undecided", "estimate": math.log(1.5), "low": None, "high": None}
SUPPORTED = {"n": 3, "verdict": "supported", "estimate": math.log(1.5), "low": math.log(1.2), "high": math.log(1.8)}
CLAIMS: dict[str, Any] = {
    "confidence": 0.95,
    "quality": "fid",
    "claims": {"one-step": {"verdict": "supported", "n": 3}, "cosine-worse": CLAIM},
    "networks": {},
}
AUDIT = [{"schedule": "cosine", "error_gain": 100.2}, {"schedule": "linear", "error_gain": 1.1}]


def said(table: list[dict[str, Any]], *, audit: Any = AUDIT, claims: Any = CLAIMS, **others: Any) -> str:
    """The answer in one line."""
    basis, points = answer.answer({answer.HERE: table} | others, audit, claims)
    return " ".join([f"{basis}:", *points])
