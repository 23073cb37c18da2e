"""From repeated measurements to a verdict: intervals, one-sided tests, Holm's correction.

The unit of replication is the training seed. Every claim about trained models is reduced to parts, each one number a
seed whose mean must lie between two bounds, so that the tests need no more than Student's t, and the sign test where
all seeds give the same number. Variance between samples of one model is never used as variance of training.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from ddpm.errors import StudyError

Verdict = Literal["supported", "refuted", "on the threshold", "undecided", "not tested"]
DECIDED = ("supported", "refuted", "on the threshold")


@dataclass(frozen=True)
class Part:
    """One condition of a claim: a mean over seeds that must lie between two bounds.

    Attributes:
        mean, sd, n: of the replicates; sd is 0 with fewer than two.
        low, high: confidence interval of the mean; not finite when there is none.
        lower, upper: the condition is lower < mean < upper; at least one is finite.
        p_for, p_against: as in ``Evidence``.
        planning_sd: the scatter from which more seeds are planned: sd, or more where that is small by luck.
    """

    mean: float
    sd: float
    n: int
    low: float
    high: float
    lower: float
    upper: float
    p_for: float
    p_against: float
    planning_sd: float

    def holds_a_bound(self, width: float) -> bool:
        """Whether the interval is at most this wide and holds a bound."""
        narrow = math.isfinite(self.high - self.low) and self.high - self.low <= width
        return narrow and any(self.low <= bound <= self.high for bound in (self.lower, self.upper))


@dataclass(frozen=True)
class Evidence:
    """What the data say about one claim.

    Attributes:
        estimate: the quantity of the claim.
        low, high: its confidence interval; not finite when there is none.
        p_for: probability of data at least this favourable if the claim were false; small: the claim is supported.
        p_against: probability of data at least this adverse if the claim were true; small: the claim is refuted.
        n: independent replicates behind it.
        parts: the conditions that must all hold; none for arithmetic.
        given: conditions without which the claim has neither verdict.
    """

    estimate: float
    low: float
    high: float
    p_for: float
    p_against: float
    n: int
    parts: tuple[Part, ...] = ()
    given: tuple[Part, ...] = ()

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

    Computed from SciPy's distribution function, as ``ttest_1samp`` does at 100 times the cost. A quantity
    on a grid, such as a rank correlation, gives equal replicates: a spread of 0 does not mean an error of 0.
    """
    if _without_spread(x):
        return 0.5 ** len(x) if x.min() > threshold else 1.0
    error = x.std(ddof=1) / math.sqrt(len(x))
    return float(special.stdtr(len(x) - 1, (threshold - x.mean()) / error))


def interval(values: ArrayLike, confidence: float) -> tuple[float, float]:
    """Student's confidence interval of the mean of independent replicates; infinite where they show no spread."""
    x = _replicates(values)
    if len(x) < 2 or _without_spread(x):
        return -math.inf, math.inf
    half = special.stdtrit(len(x) - 1, (1 + confidence) / 2) * x.std(ddof=1) / math.sqrt(len(x))
    return float(x.mean() - half), float(x.mean() + half)


def inside(values: ArrayLike, lower: float, upper: float, confidence: float) -> Evidence:
    """Evidence that lower < mean < upper: one-sided tests against each finite bound; outside counts against.

    With two finite bounds this is the equivalence test of Schuirmann 1987. One replicate proves nothing.
    """
    x = _replicates(values)
    mean, (low, high), n = float(x.mean()), interval(x, confidence), len(x)
    sides = [(x, lower)] * math.isfinite(lower) + [(-x, -upper)] * math.isfinite(upper)
    p_for, p_against = 1.0, 1.0
    if n > 1:
        p_for = max(_p_above(y, bound) for y, bound in sides)
        p_against = min(1.0, len(sides) * min(_p_above(-y, -bound) for y, bound in sides))
    sd = 0.0 if n < 2 or _without_spread(x) else float(x.std(ddof=1))
    part = Part(mean, sd, n, low, high, lower, upper, p_for, p_against, planning_sd=sd)
    return Evidence(mean, low, high, p_for, p_against, n, (part,))


def above(values: ArrayLike, threshold: float, confidence: float) -> Evidence:
    """Evidence that the mean is above a threshold; below it counts against. One replicate proves nothing."""
    return inside(values, threshold, math.inf, confidence)


def below(values: ArrayLike, threshold: float, confidence: float) -> Evidence:
    """Evidence that the mean is below a threshold; above it counts against."""
    return inside(values, -math.inf, threshold, confidence)


def within(values: ArrayLike, margin: float, confidence: float) -> Evidence:
    """Evidence that abs(mean) < margin; outside it counts against."""
    return inside(values, -margin, margin, confidence)


def all_of(evidence: Sequence[Evidence]) -> Evidence:
    """Evidence that every part holds: supported when each is (intersection-union), refuted when one is (Bonferroni).

    The estimate and interval are those of the part that decides: the least favourable, with one seed the one that is
    furthest beyond its bounds.
    """

    def unfavourable(one: Evidence) -> tuple[float, float, float]:
        beyond = max(max(part.lower - part.mean, part.mean - part.upper) for part in one.parts) if one.parts else 0.0
        return one.p_for, -one.p_against, beyond

    worst = max(evidence, key=unfavourable)
    p_against = min(1.0, len(evidence) * min(part.p_against for part in evidence))
    p_for, n = max(part.p_for for part in evidence), min(part.n for part in evidence)
    parts = tuple(part for one in evidence for part in one.parts)
    return Evidence(worst.estimate, worst.low, worst.high, p_for, p_against, n, parts)


def given(presupposed: Evidence, found: Evidence) -> Evidence:
    """The evidence of a claim that presupposes another: without that it is neither supported nor refuted."""
    p_for, p_against = max(presupposed.p_for, found.p_for), max(presupposed.p_for, found.p_against)
    n = min(presupposed.n, found.n)
    return Evidence(found.estimate, found.low, found.high, p_for, p_against, n, found.parts, presupposed.parts)


def exact(value: float, *, holds: bool) -> Evidence:
    """A deterministic fact, such as a property of the betas."""
    return Evidence(value, value, value, 0.0 if holds else 1.0, 1.0 if holds else 0.0, 1)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down correction (Holm 1979): adjusted p, in the order given."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda key: p_values[key])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


def verdict(evidence: Evidence, adjusted_p: float, confidence: float, narrow: float = 0.0) -> Verdict:
    """Supported or refuted where the corrected p allows it; else on the threshold or undecided.

    On the threshold: what the claim presupposes is shown, and every part that is not shown has an interval at most
    ``narrow`` wide that holds a bound.
    """
    alpha = 1 - confidence
    if adjusted_p < alpha:
        return "supported" if evidence.p_for < evidence.p_against else "refuted"
    unshown = [part for part in evidence.parts if part.p_for >= alpha]
    presupposed = all(part.p_for < alpha for part in evidence.given)
    if presupposed and unshown and all(part.holds_a_bound(narrow) for part in unshown):
        return "on the threshold"
    return "undecided"


def trend_p(blocks: ArrayLike) -> float:
    """Two-sided p of Page's test (1963) for a trend along the columns of ``[blocks, treatments]``; a block: a seed."""
    x = np.asarray(blocks)
    one_sided = [float(stats.page_trend_test(values).pvalue) for values in (x, -x)]
    return min(1.0, 2 * min(one_sided))


def jackknife_of_pairs(of_pairs: ArrayLike) -> NDArray[np.float64]:
    """Pseudo-values of the mean over all pairs, ``[n]``, from a symmetric ``[n, n]`` (Arvesen 1969); n is at least 3.

    Pairs that share a seed are not independent, so that a t test of the pairs would claim too much.
    """
    x = np.array(of_pairs, dtype=np.float64)
    np.fill_diagonal(x, 0.0)
    n, total, own = len(x), x.sum() / 2, x.sum(axis=1)
    left_out = (total - own) / ((n - 1) * (n - 2) / 2)
    pseudo: NDArray[np.float64] = n * total / (n * (n - 1) / 2) - (n - 1) * left_out
    return pseudo
