"""The report's claims about losses and images: each becomes one number a seed; ratios are compared as logarithms."""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ddpm.quality.rank_agreement import kendall_tau
from stages.analysis import statistics
from stages.analysis.tables import Array, Finding, Rule, Tables


def _ratio(log_ratio: float) -> str:
    return f"{math.exp(log_ratio):.2f} times"


def _contrast(tables: Tables, column: str, first: str, second: str, sampler: str | None = None) -> Array:
    """Log ratio of two schedules' values, mean over T, one a seed."""
    return tables.per_seed(
        lambda seed: tables.mean_log(column, first, seed, sampler) - tables.mean_log(column, second, seed, sampler)
    )


def loss_flat_in_T(tables: Tables, rule: Rule) -> Finding:
    """Equivalence of held-out L_simple between all pairs of T, in every schedule."""
    margin, parts, details = math.log1p(rule["margin"]), [], {}
    for schedule in tables.schedules:
        for a, b in combinations(tables.varied_T, 2):
            logs = tables.per_seed(lambda seed: tables.log("loss_simple", schedule, b, seed))  # noqa: B023  # called at once
            logs -= tables.per_seed(lambda seed: tables.log("loss_simple", schedule, a, seed))  # noqa: B023
            parts.append(statistics.within(logs, margin, tables.confidence))
            details[f"{schedule}, T = {b} to {a}"] = float(logs.mean())
    found = statistics.all_of(parts)
    name = max(details, key=lambda key: abs(details[key]))
    plain = f"the held-out losses of two T differ most for {name}: {_ratio(details[name])}"
    return Finding(found, "log ratio of loss between two T, the least equal pair", plain, details)


def sigmoid_loss(tables: Tables, rule: Rule) -> Finding:
    """Log ratio of held-out loss, sigmoid to the mean of the other two: above 0, and no more than slightly."""

    def contrast(column: str) -> Array:
        return (_contrast(tables, column, "sigmoid", "linear") + _contrast(tables, column, "sigmoid", "cosine")) / 2

    own, common = contrast("loss_simple"), float(contrast("loss_common").mean())
    worse = statistics.above(own, 0.0, tables.confidence)
    slightly = statistics.below(own, math.log1p(rule["slightly"]), tables.confidence)
    plain = (
        f"sigmoid's loss is {_ratio(float(own.mean()))} that of the others under each schedule's own weighting, "
        f"{_ratio(common)} on a common grid of log SNR"
    )
    quantity = "log ratio of loss, sigmoid to the others"
    return Finding(statistics.all_of([worse, slightly]), quantity, plain, {"on the common log-SNR grid": common})


def loss_not_quality(tables: Tables, rule: Rule) -> Finding:
    """Kendall's tau between loss and distance over the cells of a seed."""
    tables.at_least(3)

    def tau(loss: str, schedules: Sequence[str]) -> Array:
        def number(seed: int) -> float:
            cells = [(name, T) for name in schedules for T in tables.all_T]
            losses = [tables.log(loss, *cell, seed) for cell in cells]
            return kendall_tau(losses, [tables.log(tables.quality, *cell, seed) for cell in cells])

        return tables.per_seed(number)

    own = tau("loss_simple", tables.schedules)
    details = {f"within {name}": float(tau("loss_simple", [name]).mean()) for name in tables.schedules}
    details["partial, schedules held fixed"] = float(np.mean(list(details.values())))
    details["loss on the common log-SNR grid"] = float(tau("loss_common", tables.schedules).mean())
    plain = (
        f"over all cells the loss ranks the quality with tau = {own.mean():.2f}, within a schedule with "
        f"{details['partial, schedules held fixed']:.2f}"
    )
    found = statistics.below(own, rule["tau"], tables.confidence)
    return Finding(found, "Kendall's tau of loss and distance", plain, details)


def cosine_worse(tables: Tables, rule: Rule) -> Finding:
    """Log ratio of distance, cosine to sigmoid, mean over T."""
    own = _contrast(tables, tables.quality, "cosine", "sigmoid")
    details = {
        "log ratio of loss": float(_contrast(tables, "loss_simple", "cosine", "sigmoid").mean()),
        "log ratio of distance, clipped": float(
            _contrast(tables, tables.quality, "cosine", "sigmoid", "clipped").mean()
        ),
    }
    plain = (
        f"cosine's distance is {_ratio(float(own.mean()))} sigmoid's, with a clip "
        f"{_ratio(details['log ratio of distance, clipped'])}, its loss {_ratio(details['log ratio of loss'])}"
    )
    found = statistics.above(own, rule["log_ratio"], tables.confidence)
    return Finding(found, "log ratio of distance, cosine to sigmoid", plain, details)


def cosine_why(tables: Tables, rule: Rule) -> Finding:
    """Does cosine's disadvantage shrink with T, as the slope theory needs? And what of it does the clip remove?"""
    octaves = np.log2(tables.all_T)

    def slope(seed: int, sampler: str) -> float:
        def ratio(T: int) -> float:
            cosine, sigmoid = (tables.log(tables.quality, name, T, seed, sampler) for name in ("cosine", "sigmoid"))
            return cosine - sigmoid

        return float(np.polyfit(octaves, [ratio(T) for T in tables.varied_T], 1)[0])

    own = tables.per_seed(lambda seed: slope(seed, "ancestral"))
    clipped = _contrast(tables, tables.quality, "cosine", "sigmoid", "clipped")
    gained = _contrast(tables, tables.quality, "cosine", "sigmoid", "ancestral") - clipped
    low, high = statistics.interval(gained, tables.confidence)
    details = {
        "slope with the clip": float(tables.per_seed(lambda seed: slope(seed, "clipped")).mean()),
        "what the clip gains cosine over sigmoid, log ratio": float(gained.mean()),
    }
    if math.isfinite(low):
        details |= {"that gain, low": low, "that gain, high": high}
    plain = (
        f"with each doubling of T the ratio of cosine's distance to sigmoid's becomes {_ratio(float(own.mean()))} what "
        f"it was; the clip makes it {_ratio(-float(gained.mean()))}"
    )
    found = statistics.below(own, rule["per_doubling"], tables.confidence)
    return Finding(found, "slope of the log ratio of distance per doubling of T", plain, details)


def T_small_effect(tables: Tables, rule: Rule) -> Finding:
    """Equivalence of the distance at the smallest and the largest T, in every schedule; and its trend over all T."""
    first, last = tables.varied_T[0], tables.varied_T[-1]
    margin, parts, details = math.log1p(rule["margin"]), [], {}
    for name in tables.schedules:
        start, end = (tables.per_seed(lambda seed: tables.log(tables.quality, name, T, seed)) for T in (first, last))  # noqa: B023
        parts.append(statistics.within(end - start, margin, tables.confidence))
        details[f"{name}, T = {last} to {first}"] = float((end - start).mean())
    worst = max(details, key=lambda key: abs(details[key]))
    plain = f"the distance changes most for {worst}: {_ratio(details[worst])}"
    if len(tables.all_T) > 2:
        details["p of a trend in T (Page)"] = statistics.trend_p(_blocks_by_T(tables))
    return Finding(statistics.all_of(parts), "log ratio of distance, the least equal schedule", plain, details)


def _blocks_by_T(tables: Tables) -> Array:
    """Log distances ``[schedule x seed, T]``."""
    columns = [
        np.concatenate(
            [tables.per_seed(lambda seed: tables.log(tables.quality, name, T, seed)) for name in tables.schedules]  # noqa: B023
        )
        for T in tables.all_T
    ]
    return np.stack(columns, 1)


def good_schedule_fewer_steps(tables: Tables, rule: Rule) -> Finding:
    """Doublings of T that linear and sigmoid save against cosine, each at its own smallest sufficient T."""

    def sufficient(schedule: str, seed: int) -> float:
        logs = {T: tables.log(tables.quality, schedule, T, seed) for T in tables.varied_T}
        enough = min(logs.values()) + math.log1p(rule["not_inferior"])
        return math.log2(min(T for T, value in logs.items() if value <= enough))

    octaves = {
        name: tables.per_seed(lambda seed: sufficient(name, seed))  # noqa: B023
        for name in ("linear", "sigmoid", "cosine")
    }
    saved = octaves["cosine"] - (octaves["linear"] + octaves["sigmoid"]) / 2
    details = {name: float(2 ** values.mean()) for name, values in octaves.items()}
    plain = "T that suffices: " + ", ".join(f"{name} {T:.0f}" for name, T in details.items())
    found = statistics.above(saved, 0.0, tables.confidence)
    return Finding(found, "doublings of T that linear and sigmoid save", plain, details)
