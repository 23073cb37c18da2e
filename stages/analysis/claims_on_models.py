"""Tests of the report's claims about losses and images: one number per seed; ratios are compared as logarithms."""

import math
from itertools import combinations

import numpy as np
import pandas as pd

from ddpm.quality.rank_agreement import kendall_tau
from stages.analysis import statistics
from stages.analysis.tables import Finding, Tables


def _ratio(log_ratio: float) -> str:
    return f"{math.exp(log_ratio):.2f} times"


def _contrast(tables: Tables, column: str, first: str, second: str, sampler: str | None = None) -> pd.Series:
    """Log ratio of two schedules' values, mean over T, one a seed."""
    return (tables.logs(column, first, sampler) - tables.logs(column, second, sampler)).mean(axis=1)


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
    plain = f"the held-out losses of two T differ most for {name}: {_ratio(details[name])}"
    return Finding(found, "log ratio of loss between two T, the least equal pair", plain, details)


def _sigmoid_to_others(tables: Tables, column: str) -> pd.Series:
    linear, cosine = (_contrast(tables, column, "sigmoid", other) for other in ("linear", "cosine"))
    return (linear + cosine) / 2


def sigmoid_loss(tables: Tables, slightly: float) -> Finding:
    """Log ratio of held-out loss, sigmoid to the mean of the other two: above 0, and no more than slightly."""
    own = _sigmoid_to_others(tables, "loss_simple")
    common = float(_sigmoid_to_others(tables, "loss_common").mean())
    worse = statistics.above(own, 0.0, tables.confidence)
    not_much = statistics.below(own, math.log1p(slightly), tables.confidence)
    plain = (
        f"sigmoid's loss is {_ratio(float(own.mean()))} that of the others under each schedule's own weighting, "
        f"{_ratio(common)} on a common grid of log SNR"
    )
    quantity = "log ratio of loss, sigmoid to the others"
    return Finding(statistics.all_of([worse, not_much]), quantity, plain, {"on the common log-SNR grid": common})


def _tau(tables: Tables, loss: str, schedules: list[str]) -> list[float]:
    """Kendall's tau of loss and distance over the cells of these schedules, one a seed."""
    losses = pd.concat([tables.logs(loss, name) for name in schedules], axis=1).to_numpy()
    distances = pd.concat([tables.logs(tables.quality, name) for name in schedules], axis=1).to_numpy()
    return [kendall_tau(x, y) for x, y in zip(losses, distances, strict=True)]


def loss_not_quality(tables: Tables, tau: float) -> Finding:
    """Kendall's tau between loss and distance over the cells of a seed."""
    tables.at_least(3)
    own = _tau(tables, "loss_simple", tables.schedules)
    details = {f"within {name}": float(np.mean(_tau(tables, "loss_simple", [name]))) for name in tables.schedules}
    details["partial, schedules held fixed"] = float(np.mean(list(details.values())))
    details["loss on the common log-SNR grid"] = float(np.mean(_tau(tables, "loss_common", tables.schedules)))
    plain = (
        f"Kendall's tau of loss and quality over all cells is {np.mean(own):.2f}, within a schedule "
        f"{details['partial, schedules held fixed']:.2f}"
    )
    found = statistics.below(own, tau, tables.confidence)
    return Finding(found, "Kendall's tau of loss and distance", plain, details)


def cosine_worse(tables: Tables, log_ratio: float) -> Finding:
    """Log ratio of distance, cosine to sigmoid, mean over T."""
    own = _contrast(tables, tables.quality, "cosine", "sigmoid")
    details = {
        "log ratio of loss": float(_contrast(tables, "loss_simple", "cosine", "sigmoid").mean()),
        "log ratio of distance, clipped": float(
            _contrast(tables, tables.quality, "cosine", "sigmoid", "clipped").mean()
        ),
    }
    plain = (
        f"cosine's distance is {_ratio(float(own.mean()))} sigmoid's, with clipping "
        f"{_ratio(details['log ratio of distance, clipped'])}, its loss {_ratio(details['log ratio of loss'])}"
    )
    found = statistics.above(own, log_ratio, tables.confidence)
    return Finding(found, "log ratio of distance, cosine to sigmoid", plain, details)


def _slope_per_doubling(log_ratios: pd.DataFrame) -> np.ndarray:
    """Least-squares slope over log2(T) of ``[seed, T]``, one a seed."""
    slopes: np.ndarray = np.polyfit(np.log2(log_ratios.columns.to_numpy()), log_ratios.to_numpy().T, 1)[0]
    return slopes


def cosine_why(tables: Tables, per_doubling: float) -> Finding:
    """Whether cosine's disadvantage shrinks with T, as the report's explanation requires, and what clipping removes."""
    tables.need_two_T()
    ancestral, clipped = (
        tables.logs(tables.quality, "cosine", sampler) - tables.logs(tables.quality, "sigmoid", sampler)
        for sampler in ("ancestral", "clipped")
    )
    own = _slope_per_doubling(ancestral)
    gained = ancestral.mean(axis=1) - clipped.mean(axis=1)
    low, high = statistics.interval(gained, tables.confidence)
    details = {
        "slope with the clip": float(_slope_per_doubling(clipped).mean()),
        "what the clip gains cosine over sigmoid, log ratio": float(gained.mean()),
    }
    if math.isfinite(low):
        details |= {"that gain, low": low, "that gain, high": high}
    plain = (
        f"each doubling of T changes the ratio of cosine's distance to sigmoid's by {_ratio(float(own.mean()))}; "
        f"clipping changes it by {_ratio(-float(gained.mean()))}"
    )
    found = statistics.below(own, per_doubling, tables.confidence)
    return Finding(found, "slope of the log ratio of distance per doubling of T", plain, details)


def T_small_effect(tables: Tables, margin: float) -> Finding:
    """Equivalence of the distance at the smallest and the largest T, in every schedule; and its trend over all T."""
    tables.need_two_T()
    first, last = tables.all_T[0], tables.all_T[-1]
    logs = {name: tables.logs(tables.quality, name) for name in tables.schedules}
    parts, details = [], {}
    for name, of_T in logs.items():
        change = of_T[last] - of_T[first]
        parts.append(statistics.within(change, math.log1p(margin), tables.confidence))
        details[f"{name}, T = {last} to {first}"] = float(change.mean())
    worst = max(details, key=lambda key: abs(details[key]))
    plain = f"the distance changes most for {worst}: {_ratio(details[worst])}"
    if len(tables.all_T) > 2:
        blocks = np.concatenate([of_T.to_numpy() for of_T in logs.values()])  # [schedule x seed, T]
        details["p of a trend in T (Page)"] = statistics.trend_p(blocks)
    return Finding(statistics.all_of(parts), "log ratio of distance, the least equal schedule", plain, details)


def _sufficient_octaves(tables: Tables, schedule: str, not_inferior: float) -> pd.Series:
    """log2 of the smallest T whose distance is within a margin of the schedule's best, one a seed."""
    logs = tables.logs(tables.quality, schedule)
    enough = logs.le(logs.min(axis=1) + math.log1p(not_inferior), axis=0)
    return np.log2(enough.idxmax(axis=1))  # of equal values idxmax takes the first, and T ascends


def good_schedule_fewer_steps(tables: Tables, not_inferior: float) -> Finding:
    """Doublings of T that linear and sigmoid save against cosine, each at its own smallest sufficient T."""
    tables.need_two_T()
    octaves = {name: _sufficient_octaves(tables, name, not_inferior) for name in ("linear", "sigmoid", "cosine")}
    saved = octaves["cosine"] - (octaves["linear"] + octaves["sigmoid"]) / 2
    details = {name: float(2 ** values.mean()) for name, values in octaves.items()}
    plain = "smallest sufficient T: " + ", ".join(f"{name} {T:.0f}" for name, T in details.items())
    found = statistics.above(saved, 0.0, tables.confidence)
    return Finding(found, "doublings of T that linear and sigmoid save", plain, details)
