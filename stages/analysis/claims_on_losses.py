"""Tests of the report's claims about losses: one number per seed; ratios are compared as logarithms."""

import math
from itertools import combinations

import numpy as np
import pandas as pd

from ddpm.quality.rank_agreement import kendall_tau
from stages.analysis import statistics
from stages.analysis.tables import Finding, Tables, contrast, per_seed, spread, times


def loss_flat_in_T(tables: Tables, margin: float) -> Finding:
    """Equivalence of held-out L_simple between all pairs of T, in every schedule."""
    tables.need_two_T()
    parts, details = [], {}
    for schedule in tables.schedules:
        logs = tables.logs("loss_simple", schedule)
        for a, b in combinations(tables.all_T, 2):
            difference = logs[b] - logs[a]
            parts.append(statistics.within(difference, math.log1p(margin), tables.confidence))
            details[f"{schedule}, T = {b} to {a}"] = float(difference.mean())
    found = statistics.all_of(parts)
    name = max(details, key=lambda key: abs(details[key]))
    part = parts[list(details).index(name)]
    most = f"{math.exp(details[name]):.3f} times"
    most += spread(part.low, part.high, show=lambda bound: f"{math.exp(bound):.3f}")
    plain = f"the held-out losses of two T differ most for {name}: {most}; threshold: {1 + margin:.2f} times"
    return Finding(found, "log ratio of loss between two T, the least equal pair", plain, details)


def _sigmoid_to_others(tables: Tables, column: str) -> pd.Series:
    linear, cosine = (contrast(tables, column, "sigmoid", other) for other in ("linear", "cosine"))
    return per_seed((linear + cosine) / 2)


def sigmoid_loss(tables: Tables, slightly: float) -> Finding:
    """Log ratio of held-out loss, sigmoid to the mean of the other two: above 0, and no more than slightly."""
    own = _sigmoid_to_others(tables, "loss_simple")
    worse = statistics.above(own, 0.0, tables.confidence)
    not_much = statistics.below(own, math.log1p(slightly), tables.confidence)
    most = f"at most {1 + slightly:.2f} times"
    much = worse.low > math.log1p(slightly)
    sure = spread(worse.low, worse.high, f"more than slightly, which is {most}" if much else f"slightly: {most}")
    plain = (
        f"sigmoid's loss is {times(float(own.mean()))}{sure} the geometric mean of the other two's under each "
        f"schedule's own weighting"
    )
    details = {}
    if tables.covers("loss_common"):
        common = statistics.above(_sigmoid_to_others(tables, "loss_common"), 0.0, tables.confidence)
        details["on the common log-SNR grid"] = common.estimate
        there = "slightly worse" if 0 < common.low <= common.high < math.log1p(slightly) else ""
        plain += f", {times(common.estimate)}{spread(common.low, common.high, there)} on a common grid of log SNR"
    return Finding(statistics.all_of([worse, not_much]), "log ratio of loss, sigmoid to the others", plain, details)


def _tau(tables: Tables, loss: str, schedules: list[str]) -> pd.Series:
    """Kendall's tau of loss and distance over the cells of these schedules, one a seed that has all of them."""
    losses = pd.concat([tables.logs(loss, name) for name in schedules], axis=1)
    distances = pd.concat([tables.logs(tables.quality, name) for name in schedules], axis=1)
    complete = losses.notna().all(axis=1) & distances.notna().all(axis=1)
    taus = {seed: kendall_tau(losses.loc[seed], distances.loc[seed]) for seed in losses.index[complete]}
    return per_seed(pd.Series(taus, dtype=np.float64))


def loss_not_quality(tables: Tables, tau: float) -> Finding:
    """Tau of loss and distance near 0, within schedules and, over all cells, with the losses at equal noise levels.

    Over all cells and with each schedule's own weighting it would mostly say that cosine's losses are smaller.
    """
    tables.at_least(3)
    tables.need_two_T()
    by_schedule = {name: _tau(tables, "loss_simple", [name]) for name in tables.schedules}
    within = per_seed(pd.concat(by_schedule, axis=1).mean(axis=1, skipna=False))
    common = _tau(tables, "loss_common", tables.schedules)
    parts = {"within schedules": within, "at equal noise levels": common}
    evidence = [statistics.within(values, tau, tables.confidence) for values in parts.values()]
    found = statistics.all_of(evidence)
    details = {f"within {name}": float(values.mean()) for name, values in by_schedule.items()}
    details |= {name: float(values.mean()) for name, values in parts.items()}
    details |= {f"{name}, p of tau = 0": statistics.above(x, 0.0, tables.confidence).p for name, x in parts.items()}
    own = _tau(tables, "loss_simple", tables.schedules)
    details["all cells, own weighting"] = float(own.mean())
    said = [
        f"{part.estimate:.2f}{spread(part.low, part.high, show='{:.2f}'.format)}"
        for part in (*evidence, statistics.within(own, tau, tables.confidence))
    ]
    plain = (
        f"Kendall's rank correlation (tau) of loss and distance is {said[0]} within schedules and {said[1]} over all "
        f"cells with the losses at equal noise levels; threshold: {tau:.2f}; over all cells with each schedule's own "
        f"weighting, which is no condition, {said[2]}"
    )
    return Finding(found, "Kendall's tau of loss and distance, the part further from 0", plain, details)
