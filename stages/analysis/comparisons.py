"""What one change does to the samples: cells that differ in it alone, compared in pairs.

Training seed, noise, T and everything else that a change does not name are the same in both cells of a pair, so that
their ratio is the change's doing. As in ``stages.analysis.statistics``, the replicates are the seeds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from stages.analysis import statistics
from stages.analysis.tables import Row

AXES = ("schedule", "T", "seed", "sampler")
Selector = Mapping[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Effect:
    """Distance after the change over distance before it, geometric mean of all pairs.

    Attributes:
        ratio: above 1 the change makes samples worse.
        low, high: its confidence interval over seeds; 0 and infinity with one seed, or equal ones.
        p: two-sided; 1 with one seed.
        pairs, seeds: how many there are.
        by_T: the ratio at each T, where T is not part of the change.
    """

    ratio: float
    low: float
    high: float
    p: float
    pairs: int
    seeds: int
    by_T: dict[int, float]


def _chosen(rows: Sequence[Row], side: Selector, usual: Selector) -> dict[Key, dict[str, Row]]:
    """What is left of a cell's axes -> run -> its row, of the rows as one side has them and otherwise as usual."""
    wanted = {**usual, **side}
    found: dict[Key, dict[str, Row]] = {}
    for row in rows:
        if all(row[name] == value for name, value in wanted.items()):
            key = tuple(row[axis] for axis in AXES if axis not in side)
            found.setdefault(key, {}).setdefault(row["run"], row)
    return found


def _log_ratio(before: Mapping[str, Row], after: Mapping[str, Row], quality: str) -> float:
    """Distance after to distance before of one pair, of one run where it has both: machines may differ."""
    both = [run for run in before if run in after]
    a, b = (side[both[0]] if both else next(iter(side.values())) for side in (before, after))
    return math.log(b[quality] / a[quality])


def effect(
    rows: Sequence[Row], before: Selector, after: Selector, usual: Selector, quality: str, confidence: float
) -> Effect | None:
    """Compare all pairs of cells that are ``before`` and ``after`` a change.

    Args:
        rows: ``run``, the axes of a cell, every name of ``usual``, and its distances, which are positive.
        before, after: values of axes or parameters, the same names in both, never the seed.
        usual: parameter -> the value that it has in both cells where the change does not name it.
        quality: which column is the distance.
        confidence: of the interval.

    Returns:
        The effect over the cells that every seed has; None when there is no pair.
    """
    sides = [_chosen(rows, side, usual) for side in (before, after)]
    seed_at = [axis for axis in AXES if axis not in before].index("seed")
    logs: dict[Any, dict[Key, float]] = {}
    for key in sides[0]:
        if key in sides[1]:
            rest = key[:seed_at] + key[seed_at + 1 :]
            logs.setdefault(key[seed_at], {})[rest] = _log_ratio(sides[0][key], sides[1][key], quality)
    shared = sorted(set.intersection(*(set(of_seed) for of_seed in logs.values()))) if logs else []
    if not shared:
        return None
    per_seed = [np.mean([of_seed[rest] for rest in shared]) for of_seed in logs.values()]
    found = statistics.above(per_seed, 0.0, confidence)
    by_T: dict[int, list[float]] = {}
    if "T" not in before:
        T_at = [axis for axis in AXES if axis not in (*before, "seed")].index("T")
        for rest in shared:
            by_T.setdefault(rest[T_at], []).extend(of_seed[rest] for of_seed in logs.values())
    return Effect(
        ratio=math.exp(found.estimate),
        low=math.exp(found.low),
        high=math.exp(found.high),
        p=found.p,
        pairs=len(shared) * len(logs),
        seeds=len(logs),
        by_T={T: math.exp(np.mean(values)) for T, values in sorted(by_T.items())},
    )


def verdict(effect: Effect, adjusted_p: float, confidence: float) -> Literal["better", "worse", "not told apart"]:
    """What the change does, where the corrected p allows a word."""
    if adjusted_p >= 1 - confidence:
        return "not told apart"
    return "better" if effect.ratio < 1 else "worse"
