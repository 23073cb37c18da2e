"""Each statistic against SciPy, a closed form, or a simulation whose truth is known."""

import math

import numpy as np
import pytest
from scipy import stats

from ddpm.errors import StudyError
from stages.analysis import statistics

X = np.array([0.1, 0.3, 0.2, 0.4])


def test_interval_and_p_are_students() -> None:
    theirs = stats.ttest_1samp(X, 0.05)
    assert statistics.interval(X, 0.95) == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    found = statistics.above(X, 0.05, 0.95)
    assert found.p_for == pytest.approx(stats.ttest_1samp(X, 0.05, alternative="greater").pvalue)
    assert found.p_against == pytest.approx(stats.ttest_1samp(X, 0.05, alternative="less").pvalue)
    assert found.p == pytest.approx(theirs.pvalue)
    lower = statistics.below(X, 0.05, 0.95)
    assert (lower.p_for, lower.p_against) == pytest.approx((found.p_against, found.p_for))
    assert (lower.estimate, lower.low, lower.high, lower.n) == (found.estimate, found.low, found.high, 4)


def test_equivalence_is_two_one_sided_tests() -> None:
    margin = 0.5
    found = statistics.within(X, margin, 0.95)
    upper = stats.ttest_1samp(X, margin, alternative="less").pvalue
    lower = stats.ttest_1samp(X, -margin, alternative="greater").pvalue
    assert found.p_for == pytest.approx(max(upper, lower))
    # supported at 5 % exactly when the 90 % interval lies within the margin
    low, high = statistics.interval(X, 0.90)
    edge = max(abs(low), abs(high))
    assert statistics.within(X, edge * 1.001, 0.95).p_for < 0.05 < statistics.within(X, edge * 0.999, 0.95).p_for


def test_one_replicate_proves_nothing() -> None:
    for found in (
        statistics.above([5.0], 0, 0.95),
        statistics.below([5.0], 0, 0.95),
        statistics.within([0.0], 1, 0.95),
        statistics.all_of([statistics.above([5.0], 0, 0.95), statistics.exact(1, holds=True)]),
    ):
        assert found.p == 1
        assert statistics.verdict(found, found.p, 0.95) == "undecided"


@pytest.mark.parametrize("n", [2, 3, 8])
def test_equal_replicates_weigh_what_the_sign_test_says(n: int) -> None:
    equal = np.ones(n)
    sign_test = stats.binomtest(n, n, alternative="greater").pvalue
    higher, lower = statistics.above(equal, 0.5, 0.95), statistics.above(equal, 1.5, 0.95)
    assert higher.p_for == pytest.approx(sign_test)
    assert lower.p_against == pytest.approx(sign_test)
    assert higher.p_against == lower.p_for == 1
    assert statistics.within(equal, 1.5, 0.95).p_for == pytest.approx(sign_test)
    assert statistics.within(equal, 0.5, 0.95).p_against == pytest.approx(2 * sign_test)
    assert statistics.interval(equal, 0.95) == (-math.inf, math.inf)


@pytest.mark.parametrize("value", [0.1, 0.3, 1e6 / 3])
def test_rounding_is_no_spread(value: float) -> None:
    rounded = value * np.array([1, 1 + 2e-16, 1])  # and NumPy's own std of three equal 0.1 is 1.7e-17
    for x in ([value] * 3, rounded):
        assert statistics.interval(x, 0.95) == (-math.inf, math.inf)
        assert statistics.above(x, 0, 0.95).p_for == 0.5**3


def test_equal_replicates_at_the_threshold_say_nothing() -> None:
    assert statistics.above(np.zeros(9), 0, 0.95).p == 1


@pytest.mark.parametrize("effect", [0.0, 2.0])
def test_a_planted_effect_is_found_at_its_power_and_none_is_not(effect: float) -> None:
    n, runs = 5, 2000
    draws = np.random.default_rng(0).normal(effect, 1, size=(runs, n))
    found = [statistics.above(x, 0, 0.95).p_for < 0.05 for x in draws]
    critical = stats.t.ppf(0.95, n - 1)
    power = stats.nct.sf(critical, n - 1, effect * math.sqrt(n)) if effect else 0.05
    assert np.mean(found) == pytest.approx(power, abs=4 * math.sqrt(power * (1 - power) / runs))


def test_equivalence_finds_equality_and_keeps_its_level_at_the_margin() -> None:
    n, runs, margin = 8, 2000, 1.0
    rng = np.random.default_rng(1)
    inside = [statistics.within(x, margin, 0.95).p_for < 0.05 for x in rng.normal(0, 0.5, size=(runs, n))]
    at_margin = [statistics.within(x, margin, 0.95).p_for < 0.05 for x in rng.normal(margin, 0.5, size=(runs, n))]
    outside = [statistics.within(x, margin, 0.95).p_against < 0.05 for x in rng.normal(3, 0.5, size=(runs, n))]
    assert np.mean(inside) > 0.95
    assert np.mean(at_margin) <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / runs)
    assert np.mean(outside) > 0.99


def test_all_of_needs_all_and_falls_with_one() -> None:
    yes, no = statistics.above(X, 0, 0.95), statistics.above(X, 10, 0.95)
    assert statistics.all_of([yes, yes]).p_for == yes.p_for
    both = statistics.all_of([yes, no])
    assert both.p_for == no.p_for
    assert both.p_against == pytest.approx(2 * no.p_against)
    again = statistics.all_of([no, yes])
    assert (again.estimate, again.p_for, again.p_against) == (both.estimate, both.p_for, both.p_against)


def test_a_presupposition_keeps_both_verdicts_open() -> None:
    yes, no = statistics.above(X, 0, 0.95), statistics.above(X, 10, 0.95)
    assert statistics.given(no, yes).p_for == no.p_for
    assert statistics.given(no, no).p_against == no.p_for
    assert statistics.given(yes, no).p_against == yes.p_for
    assert statistics.given(yes, no).estimate == no.estimate


NEAR = np.array([0.09, 0.11, 0.10, 0.105, 0.095])


@pytest.mark.parametrize(
    ("evidence", "narrow", "expected"),
    [
        (statistics.above(NEAR, 0.1, 0.95), 0.05, "on the threshold"),
        (statistics.above(NEAR, 0.1, 0.95), 0.01, "undecided"),  # the interval is 0.02 wide
        (statistics.within(NEAR, 0.1, 0.95), 0.05, "on the threshold"),
        (statistics.above(NEAR, 0.0, 0.95), 0.05, "undecided"),  # shown before the correction, so not on the threshold
        (
            statistics.all_of([statistics.above(NEAR, 0.1, 0.95), statistics.above(10 * X, 1.5, 0.95)]),
            0.05,
            "undecided",
        ),
        (
            statistics.all_of([statistics.above(NEAR, 0.1, 0.95), statistics.above(NEAR, 0, 0.95)]),
            0.05,
            "on the threshold",
        ),
        (statistics.given(statistics.above(X, 0.4, 0.95), statistics.above(NEAR, 0.1, 0.95)), 0.05, "undecided"),
        (statistics.above([0.1], 0.1, 0.95), 0.05, "undecided"),
    ],
)
def test_on_the_threshold(evidence: statistics.Evidence, narrow: float, expected: str) -> None:
    assert statistics.verdict(evidence, 1.0, 0.95, narrow) == expected


def test_jackknife_of_pairs() -> None:
    x = np.random.default_rng(0).normal(size=(6, 6))
    x = x + x.T
    pseudo = statistics.jackknife_of_pairs(x)
    pairs = x[np.triu_indices(6, 1)]
    assert pseudo.mean() == pytest.approx(pairs.mean())
    without = np.delete(np.delete(x, 2, 0), 2, 1)
    assert pseudo[2] == pytest.approx(6 * pairs.mean() - 5 * without[np.triu_indices(5, 1)].mean())


def test_holm_by_hand() -> None:
    # Holm 1979: sorted .01 .02 .03 .04 times 4 3 2 1, made rising
    found = statistics.holm({"c": 0.03, "a": 0.01, "d": 0.04, "b": 0.02})
    assert list(found) == ["c", "a", "d", "b"]
    assert found == pytest.approx({"a": 0.04, "b": 0.06, "c": 0.06, "d": 0.06})
    assert statistics.holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def test_holm_keeps_the_family_wise_error() -> None:
    rng = np.random.default_rng(0)
    wrong = [min(statistics.holm(dict(enumerate(rng.uniform(size=8)))).values()) < 0.05 for _ in range(2000)]  # type: ignore[arg-type]
    assert np.mean(wrong) <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 2000)


def test_verdict_in_all_directions() -> None:
    assert statistics.verdict(statistics.exact(1, holds=True), 0.0, 0.95) == "supported"
    assert statistics.verdict(statistics.exact(1, holds=False), 0.0, 0.95) == "refuted"
    assert statistics.verdict(statistics.exact(1, holds=False), 0.06, 0.95) == "undecided"


def test_page() -> None:
    blocks = np.arange(5) + 0.1 * np.random.default_rng(0).normal(size=(6, 5))
    assert statistics.trend_p(blocks) == statistics.trend_p(-blocks) < 1e-3
    assert statistics.trend_p(np.random.default_rng(0).normal(size=(6, 5))) > 0.05


@pytest.mark.parametrize("bad", [[], [math.nan, 1.0], [[1.0, 2.0]]])
def test_refuses_what_is_no_list_of_replicates(bad: list[float]) -> None:
    with pytest.raises(StudyError, match="replicates"):
        statistics.above(bad, 0, 0.95)
