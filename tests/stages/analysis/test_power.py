"""Numbers of seeds against tabled powers and against simulation."""

import numpy as np
import pytest
from scipy import stats

from stages.analysis import statistics
from stages.analysis.power import on_the_threshold, power, seeds_needed


def replicates(mean: float, sd: float, n: int = 6) -> np.ndarray:
    x = np.linspace(-1, 1, n)
    found: np.ndarray = mean + sd * x / x.std(ddof=1)
    return found


def test_cohens_table() -> None:
    # Cohen 1988, one-sample t, d = 0.5, two-sided 5 %: 34 seeds have 80 %; d = 0.8: 15
    assert seeds_needed(statistics.above(replicates(0.5, 1), 0, 0.95), 1, 0.95) == (34, "support it")
    assert seeds_needed(statistics.above(replicates(-0.8, 1), 0, 0.95), 1, 0.95) == (15, "refute it")


def test_the_correction_asks_for_more_and_no_effect_for_too_many() -> None:
    found = statistics.above(replicates(0.5, 1), 0, 0.95)
    assert (seeds_needed(found, 9, 0.95) or (0, ""))[0] > 34
    assert seeds_needed(statistics.above(replicates(0.001, 1), 0, 0.95), 1, 0.95) is None
    assert seeds_needed(statistics.above([1.0], 0, 0.95), 1, 0.95) is None


@pytest.mark.parametrize(("mean", "margin"), [(0.0, 1.0), (2.0, 1.0)])
def test_power_of_equivalence_by_simulation(mean: float, margin: float) -> None:
    computed = power(statistics.within(replicates(mean, 0.7), margin, 0.95), [8], 1, 0.95)[0]
    draws = np.random.default_rng(0).normal(mean, 0.7, size=(2000, 8))
    found = np.mean([statistics.within(x, margin, 0.95).p < 0.05 for x in draws])
    assert computed - 0.04 <= found <= computed + 0.08  # a lower bound, and close


def test_what_is_presupposed_needs_seeds_too() -> None:
    clear, faint = (statistics.above(replicates(mean, 1), 0, 0.95) for mean in (3.0, 0.5))
    alone, presupposing = (seeds_needed(found, 1, 0.95) for found in (clear, statistics.given(faint, clear)))
    assert alone is not None
    assert presupposing is not None
    assert presupposing[0] >= 34 > alone[0]


def test_a_claim_on_its_threshold_is_decided_by_a_narrow_interval() -> None:
    found = statistics.within(replicates(0.1, 0.02), 0.1, 0.95)
    assert seeds_needed(found, 9, 0.95) is None  # no number of seeds shows that it is within or beyond
    needed = seeds_needed(found, 9, 0.95, narrow=0.02)
    assert needed is not None
    seeds, goal = needed
    assert goal == "place it on the threshold"
    width = 2 * stats.t.ppf(0.975, seeds - 1) * 0.02 / np.sqrt(seeds)
    assert width <= 0.02 < 2 * stats.t.ppf(0.975, seeds - 2) * 0.02 / np.sqrt(seeds - 1)
    draws = np.random.default_rng(0).normal(0.1, 0.015, size=(500, seeds))
    verdicts = [
        statistics.verdict(one, min(1.0, 9 * one.p), 0.95, 0.02)
        for one in (statistics.within(x, 0.1, 0.95) for x in draws)
    ]
    assert verdicts.count("on the threshold") > 400


def test_a_threshold_far_off_or_a_missing_premise_is_not_on_it() -> None:
    numbers = [5, 20, 400]
    far = statistics.within(replicates(0.3, 0.02), 0.1, 0.95)
    assert not on_the_threshold(far, numbers, 0.95, 0.02).any()
    near, premise = statistics.within(replicates(0.1, 0.02), 0.1, 0.95), statistics.above(replicates(-1, 0.1), 0, 0.95)
    assert on_the_threshold(near, numbers, 0.95, 0.02).tolist() == [False, True, True]
    assert not on_the_threshold(statistics.given(premise, near), numbers, 0.95, 0.02).any()


def test_without_scatter_nothing_is_on_the_threshold() -> None:
    found = statistics.above(np.zeros(5), 0.0, 0.95)
    assert statistics.verdict(found, 1.0, 0.95, 0.1) == "undecided"
    assert not on_the_threshold(found, [5, 20, 400], 0.95, 0.1).any()


def test_what_would_be_shown_is_not_on_the_threshold() -> None:
    # as in `verdict`: 0.01 beyond the bound, the one-sided interval leaves it out before the two-sided does
    found = statistics.above(replicates(0.01, 0.02, 5), 0.0, 0.95)
    numbers = range(2, 400)
    expected = [
        statistics.verdict(statistics.above(replicates(0.01, 0.02, n), 0.0, 0.95), 1.0, 0.95, 0.1) == "on the threshold"
        for n in numbers
    ]
    assert on_the_threshold(found, list(numbers), 0.95, 0.1).tolist() == expected
    assert any(expected)


def test_a_number_of_seeds_that_did_not_decide_is_not_named() -> None:
    found = statistics.above(replicates(0.5, 1), 0, 0.95)
    assert seeds_needed(found, 1, 0.95, more_than=34) == (35, "support it")
    equal = statistics.above([0.5] * 3, 0.0, 0.95)  # without spread the sign test decides
    assert not on_the_threshold(equal, [3], 0.95, 0.1).any()
