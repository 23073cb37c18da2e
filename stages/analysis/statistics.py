"""From repeated measurements to a verdict: intervals, one-sided tests, Holm's correction.

The unit of replication is the training seed. Every claim about trained models is reduced to one number a seed, so that
the tests need no more than Student's t, and the sign test where all seeds give the same number. Variance between
samples of one model is never used as variance of training.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ddpm.errors import StudyError

Verdict = Literal["supported", "refuted", "undecided"]


@dataclass(frozen=True)
class Evidence:
    """What the data say about one claim.

    Attributes:
        estimate: the quantity of the claim.
        low, high: its confidence interval; not finite when there is none.
        p_for: probability of data at least this favourable if the claim were false; small: the claim is supported.
        p_against: probability of data at least this adverse if the claim were true; small: the claim is refuted.
        n: independent replicates behind it.
    """

    estimate: float
    low: float
    high: float
    p_for: float
    p_against: float
    n: int

    @property
    def p(self) -> float:
        """Two-sided: either conclusion was open."""
        return min(1.0, 2 * min(self.p_for, self.p_against))


def _replicates(values: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or not len(x) or not np.isfinite(x).all():
        raise StudyError(f"replicates must be finite numbers, one per seed, not {x!r:.80}", where="statistics")
    return x


def _without_spread(x: NDArray[np.float64]) -> bool:
    """Whether all replicates are equal but for rounding; they are logarithms, ranks and the like, of order 1."""
    return bool(np.ptp(x) <= 1e-12 * max(1.0, float(np.abs(x).max())))


def _p_above(x: NDArray[np.float64], threshold: float) -> float:
    """One-sided p for mean > threshold: of Student's t; of the sign test where all replicates are equal.

    A quantity on a grid, such as the best of five T, gives equal replicates: a spread of 0 does not mean an error of 0.
    """
    if _without_spread(x):
        return 0.5 ** len(x) if x.min() > threshold else 1.0
    return float(stats.ttest_1samp(x, threshold, alternative="greater").pvalue)


def interval(values: ArrayLike, confidence: float) -> tuple[float, float]:
    """Student's confidence interval of the mean of independent replicates; infinite where they show no spread."""
    x = _replicates(values)
    if len(x) < 2 or _without_spread(x):
        return -math.inf, math.inf
    low, high = stats.ttest_1samp(x, 0.0).confidence_interval(confidence)
    return float(low), float(high)


def above(values: ArrayLike, threshold: float, confidence: float) -> Evidence:
    """Evidence that the mean is above a threshold; below it counts against. One replicate proves nothing."""
    x = _replicates(values)
    mean, (low, high) = float(x.mean()), interval(x, confidence)
    if len(x) < 2:
        return Evidence(mean, low, high, 1.0, 1.0, len(x))
    return Evidence(mean, low, high, _p_above(x, threshold), _p_above(-x, -threshold), len(x))


def below(values: ArrayLike, threshold: float, confidence: float) -> Evidence:
    """Evidence that the mean is below a threshold; above it counts against."""
    found = above(values, threshold, confidence)
    return Evidence(found.estimate, found.low, found.high, found.p_against, found.p_for, found.n)


def within(values: ArrayLike, margin: float, confidence: float) -> Evidence:
    """Evidence that abs(mean) < margin by two one-sided tests (Schuirmann 1987); outside it counts against."""
    x = _replicates(values)
    mean, (low, high) = float(x.mean()), interval(x, confidence)
    if len(x) < 2:
        return Evidence(mean, low, high, 1.0, 1.0, len(x))
    p_for = max(_p_above(x, -margin), _p_above(-x, -margin))
    p_against = min(1.0, 2 * min(_p_above(x, margin), _p_above(-x, margin)))
    return Evidence(mean, low, high, p_for, p_against, len(x))


def all_of(parts: Sequence[Evidence]) -> Evidence:
    """Evidence that every part holds: supported when each is (intersection-union), refuted when one is (Bonferroni).

    The estimate and interval are those of the part that decides: the least favourable.
    """
    worst = max(parts, key=lambda part: (part.p_for, -part.p_against))
    p_against = min(1.0, len(parts) * min(part.p_against for part in parts))
    p_for, n = max(part.p_for for part in parts), min(part.n for part in parts)
    return Evidence(worst.estimate, worst.low, worst.high, p_for, p_against, n)


def exact(value: float, *, holds: bool) -> Evidence:
    """A deterministic fact, such as a property of the betas."""
    return Evidence(value, value, value, 0.0 if holds else 1.0, 1.0 if holds else 0.0, 1)


def from_draws(draws: ArrayLike, threshold: float, confidence: float) -> Evidence:
    """Evidence from simulation that a quantity is at least a threshold: the share of draws on either side.

    The interval is that of the draws, and no p is smaller than 1 / (draws + 1).
    """
    x = np.asarray(draws, dtype=np.float64)
    tail = (1 - confidence) / 2
    low, high = np.quantile(x, [tail, 1 - tail])
    p_for = (1 + (x < threshold).sum()) / (1 + len(x))
    p_against = (1 + (x >= threshold).sum()) / (1 + len(x))
    return Evidence(float(x.mean()), float(low), float(high), float(p_for), float(p_against), len(x))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down correction (Holm 1979): adjusted p, in the order given."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda key: p_values[key])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


def verdict(evidence: Evidence, adjusted_p: float, confidence: float) -> Verdict:
    """Supported or refuted where the corrected p allows it, otherwise undecided."""
    if adjusted_p >= 1 - confidence:
        return "undecided"
    return "supported" if evidence.p_for < evidence.p_against else "refuted"


def trend_p(blocks: ArrayLike) -> float:
    """Two-sided p of Page's test for a trend along the columns of ``[blocks, treatments]`` (Page 1963)."""
    x = np.asarray(blocks)
    one_sided = [float(stats.page_trend_test(values).pvalue) for values in (x, -x)]
    return min(1.0, 2 * min(one_sided))
