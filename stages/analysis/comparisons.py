"""The effect of one change on the samples: cells that differ in it alone, compared in pairs.

Training seed, noise, T and every other parameter that a change does not name are the same in both cells of a pair, so
that their ratio is due to the change. As in ``stages.analysis.statistics``, the replicates are the seeds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from stages.analysis import statistics
from stages.analysis.rules import Change, Changes
from stages.analysis.tables import AXES, Row, largest_complete

Selector = Mapping[str, Any]


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


def _selected(rows: Sequence[Row], side: Selector, usual: Selector, quality: str) -> pd.DataFrame:
    """``run``, axes and distance of the rows that have a side's values, and otherwise the usual ones."""
    wanted = {**usual, **side}
    chosen = [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]
    return pd.DataFrame(chosen, columns=["run", *AXES, quality]).dropna(subset=[quality])


def _pairs(before: pd.DataFrame, after: pd.DataFrame, changed: Selector) -> pd.DataFrame:
    """Pairs of a cell before the change and the same cell after it, named by its axes before it.

    A pair is of one run where one has both, since machines may differ.
    """
    same = [axis for axis in AXES if axis not in changed]
    after = after.drop(columns=[axis for axis in AXES if axis in changed])
    of_one_run = before.merge(after, on=["run", *same], suffixes=("_before", "_after"))
    of_any_run = before.merge(after.drop(columns="run"), on=same, suffixes=("_before", "_after"))
    return pd.concat([of_one_run, of_any_run]).drop_duplicates(same)


def _complete(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs of a large table of seeds and cells without gaps, so that all seeds are compared on the same cells."""
    cells = pd.Series(list(zip(pairs["schedule"], pairs["T"], pairs["sampler"], strict=True)), index=pairs.index)
    seeds, shared = largest_complete({seed: frozenset(found) for seed, found in cells.groupby(pairs["seed"])})
    return pairs[pairs["seed"].isin(seeds) & cells.isin(shared)]


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
        The effect over a table of seeds and cells without gaps; None when there is no pair.
    """
    a, b = (_selected(rows, side, usual, quality) for side in (before, after))
    if a.empty or b.empty:
        return None
    pairs = _pairs(a, b, before)
    pairs["log_ratio"] = np.log(pairs[f"{quality}_after"] / pairs[f"{quality}_before"])
    if pairs.empty:
        return None
    shared = _complete(pairs)
    per_seed = shared.groupby("seed")["log_ratio"].mean()
    found = statistics.above(per_seed, 0.0, confidence)
    by_T = {} if "T" in before else np.exp(shared.groupby("T")["log_ratio"].mean()).to_dict()
    return Effect(
        ratio=math.exp(found.estimate),
        low=math.exp(found.low),
        high=math.exp(found.high),
        p=found.p,
        pairs=len(shared),
        seeds=len(per_seed),
        by_T=by_T,
    )


def verdict(effect: Effect, adjusted_p: float, confidence: float) -> Literal["better", "worse", "not significant"]:
    """Better, worse or not significant, at the adjusted p-value."""
    if adjusted_p >= 1 - confidence:
        return "not significant"
    return "better" if effect.ratio < 1 else "worse"


def _as_json(change: Change, effect: Effect | None, adjusted_p: float | None, confidence: float) -> dict[str, Any]:
    """One change of comparisons.json; infinite bounds are null, and so are all values of a change without cells."""
    found: dict[str, Any] = {"before": change.before, "after": change.after, "adjusted_p": adjusted_p}
    if effect is None:
        nothing = {"pairs": 0, "seeds": 0, "ratio": None, "low": None, "high": None}
        return found | nothing | {"verdict": "no cells"}
    bounded = math.isfinite(effect.high)
    return found | {
        "pairs": effect.pairs,
        "seeds": effect.seeds,
        "ratio": effect.ratio,
        "low": effect.low if bounded else None,
        "high": effect.high if bounded else None,
        "by_T": {str(T): ratio for T, ratio in effect.by_T.items()},
        "verdict": "one seed" if adjusted_p is None else verdict(effect, adjusted_p, confidence),
    }


def compare_all(rows: Sequence[Row], rules: Changes, usual: Selector) -> dict[str, dict[str, Any]]:
    """Every change of conf/comparisons.yaml, with p-values adjusted together (Holm 1979): name -> its JSON entry.

    The correction is over all changes of the file, also those that have no cells yet: a verdict does not depend on
    which of the others have been run.
    """
    effects = {
        name: effect(rows, change.before, change.after, usual, rules.quality, rules.confidence)
        for name, change in rules.changes.items()
    }
    tested = {name for name, found in effects.items() if found and found.seeds > 1}
    adjusted = statistics.holm({name: found.p if found else 1.0 for name, found in effects.items()})
    return {
        name: _as_json(rules.changes[name], found, adjusted[name] if name in tested else None, rules.confidence)
        for name, found in effects.items()
    }
