"""How many seeds would decide a claim, from the scatter of those that there are.

The planted truth is the estimate. Powers of several tests together are bounded from below (Bonferroni), so that the
number is at worst too large.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from stages.analysis.statistics import Evidence, Part

POWER = 0.8
Goal = Literal["support it", "refute it", "place it on the threshold"]  # it: the claim
MOST = 1000  # seeds; a claim that needs more needs another test

Powers = NDArray[np.float64]


def holds(part: Part) -> bool:
    """Whether a condition holds for its estimate."""
    return part.lower < part.mean < part.upper


def one_sided(distance: float, sd: float, n: NDArray[np.int64], alpha: float) -> Powers:
    """Power of the one-sided t test whose true mean is ``distance`` beyond the threshold; ``[len(n)]``, n at least 2.

    The distribution of the statistic is the noncentral t.
    """
    if sd == 0:  # as for replicates without spread: the sign test
        return np.asarray((distance > 0) & (0.5**n < alpha), dtype=np.float64)
    power = stats.nct.sf(stats.t.isf(alpha, n - 1), n - 1, distance * np.sqrt(n) / sd)
    # the tail underflows to nan where it is all but certain
    return np.asarray(np.where(np.isnan(power), float(distance > 0), power), dtype=np.float64)


def _missed(part: Part, n: NDArray[np.int64], alpha: float) -> Powers:
    """At most this probability that a part which holds is not shown to hold."""
    distances = [part.mean - part.lower, part.upper - part.mean]
    missed = sum(1 - one_sided(d, part.planning_sd, n, alpha) for d in distances if math.isfinite(d))
    return np.asarray(missed, dtype=np.float64)


def _refuted(part: Part, n: NDArray[np.int64], alpha: float) -> Powers:
    """Power to show that a part does not hold."""
    distances = [d for d in (part.lower - part.mean, part.mean - part.upper) if math.isfinite(d)]
    powers = [one_sided(d, part.planning_sd, n, alpha / len(distances)) for d in distances]
    return np.asarray(np.max(powers, axis=0), dtype=np.float64)


def power(evidence: Evidence, n: Sequence[int], claims: int, confidence: float) -> Powers:
    """Power to support or refute a claim with n seeds, whichever its estimates point to; a lower bound.

    Args:
        evidence: of the seeds that there are, at least two.
        n: numbers of seeds, each at least 2.
        claims: how many claims are corrected together; the first step of Holm's correction divides by it.
        confidence: 1 - this is the level.

    Returns:
        One power a number of seeds; zeros where there is no scatter to compute it from.
    """
    seeds = np.asarray(n, dtype=np.int64)
    if not evidence.parts or evidence.n < 2:
        return np.zeros(len(seeds))
    alpha = (1 - confidence) / 2 / claims
    presupposed = sum((_missed(part, seeds, alpha) for part in evidence.given), np.zeros(len(seeds)))
    if all(holds(part) for part in evidence.parts):
        missed = sum((_missed(part, seeds, alpha) for part in evidence.parts), np.zeros(len(seeds)))
    else:
        refuted = [_refuted(part, seeds, alpha / len(evidence.parts)) for part in evidence.parts]
        missed = 1 - np.max(refuted, axis=0)
    return np.asarray(np.clip(1 - presupposed - missed, 0, 1), dtype=np.float64)


def _shown(part: Part, n: NDArray[np.int64], confidence: float) -> NDArray[np.bool_]:
    """Whether a part would be shown to hold, uncorrected, if n seeds had these estimates."""
    if part.planning_sd == 0:  # the sign test
        return np.asarray((0.5**n < 1 - confidence) & (part.lower < part.mean < part.upper))
    error = stats.t.ppf(confidence, n - 1) * part.planning_sd / np.sqrt(n)
    return np.asarray((part.mean - error > part.lower) & (part.mean + error < part.upper))


def on_the_threshold(evidence: Evidence, n: Sequence[int], confidence: float, narrow: float) -> NDArray[np.bool_]:
    """Whether the verdict would be "on the threshold" if n seeds had these estimates; ``[len(n)]``."""
    seeds = np.asarray(n, dtype=np.int64)
    half = stats.t.ppf((1 + confidence) / 2, seeds - 1) / np.sqrt(seeds)
    decided, holding = np.ones(len(seeds), dtype=bool), np.zeros(len(seeds), dtype=bool)
    for part in evidence.parts:
        nearest = min(abs(part.mean - bound) for bound in (part.lower, part.upper))
        shown = _shown(part, seeds, confidence)
        # without scatter there is no interval
        sd = part.planning_sd
        on_bound = (sd > 0) & (half * sd >= nearest) & (2 * half * sd <= narrow) & ~shown
        decided &= on_bound | shown
        holding |= on_bound
    for part in evidence.given:
        decided &= _shown(part, seeds, confidence)
    return decided & holding


def seeds_needed(
    evidence: Evidence, claims: int, confidence: float, narrow: float = 0.0, more_than: int = 1
) -> tuple[int, Goal] | None:
    """The smallest number of seeds that would decide a claim, and how; None where that is more than 1,000.

    That is with 80 % power after the correction, or by an interval at most ``narrow`` wide that holds a threshold.

    Args:
        evidence: of the seeds that there are.
        claims, confidence: as in ``power``.
        narrow: 0 where a claim cannot be on the threshold.
        more_than: the number of seeds that are known not to decide it, at least 1.
    """
    numbers = np.arange(more_than + 1, MOST + 1)
    clear = power(evidence, numbers.tolist(), claims, confidence) >= POWER
    level = on_the_threshold(evidence, numbers.tolist(), confidence, narrow) if narrow else np.zeros_like(clear)
    enough = np.flatnonzero(clear | level)
    if not len(enough):
        return None
    goal: Goal = "support it" if all(holds(part) for part in evidence.parts) else "refute it"
    return int(numbers[enough[0]]), goal if clear[enough[0]] else "place it on the threshold"
