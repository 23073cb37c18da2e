"""Simulated studies: a false claim is "supported" in at most 5 % of them, a planted effect as often as computed.

The variable NULL_STUDIES says how many.
"""

import math
import os
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from stages.analysis.power import power
from stages.analysis.verdicts import verdicts_on
from tests.stages.analysis.simulated import (
    FALSE,
    MORE_SEEDS,
    RULES,
    SCATTERS,
    Case,
    Law,
    agreement,
    evidence,
    shares,
    study,
)

STUDIES = int(os.environ.get("NULL_STUDIES", "200"))
LIMIT = 0.05 + 3 * math.sqrt(0.05 * 0.95 / STUDIES)

SCIPYS_TAU = stats.kendalltau


def tau(x: Any, y: Any) -> SimpleNamespace:
    """``scipy.stats.kendalltau`` without ties, and without the p-value that nobody uses."""
    x, y = np.asarray(x), np.asarray(y)
    i, j = np.triu_indices(len(x), 1)
    return SimpleNamespace(statistic=float(np.sign((x[i] - x[j]) * (y[i] - y[j])).mean()))


def test_tau_is_scipys() -> None:
    for x, y in np.random.default_rng(0).normal(size=(20, 2, 9)):
        assert tau(x, y).statistic == pytest.approx(SCIPYS_TAU(x, y).statistic, abs=1e-12)


@pytest.fixture(autouse=True)
def _plain_tau(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "kendalltau", tau)


@pytest.mark.parametrize("scatter", SCATTERS)
@pytest.mark.parametrize("case", FALSE, ids=lambda case: f"{case.claim}: {case.why}")
def test_what_is_false_is_seldom_supported(case: Case, scatter: str) -> None:
    assert shares(case.claim, case.law, SCATTERS[scatter], case.seeds, STUDIES)[0] <= LIMIT


@pytest.mark.parametrize("case", MORE_SEEDS, ids=lambda case: case.claim)
def test_more_seeds_do_not_support_what_is_false(case: Case) -> None:
    assert shares(case.claim, case.law, SCATTERS["unequal"], case.seeds, STUDIES)[0] <= LIMIT


@pytest.mark.parametrize("scatter", SCATTERS)
def test_rankings_by_few_that_agree_as_two_seeds_do(scatter: str) -> None:
    sds = SCATTERS[scatter]
    tau = agreement(sds, STUDIES)
    assert shares("n32-enough", Law(at_32=tau), sds, 6, STUDIES)[0] <= LIMIT
    assert shares("n32-enough", Law(at_32=tau + 0.4), sds, 6, STUDIES)[0] > 0.3
    assert shares("n32-enough", Law(at_32=tau - 0.4), sds, 6, STUDIES)[1] > 0.3


def test_after_the_correction_a_study_without_effects_has_seldom_any_support() -> None:
    rng = np.random.default_rng(9)
    names = ("cosine-worse", "cosine-why", "one-step", "good-schedule-fewer-steps", "sigmoid-loss")
    rules = {name: RULES[name] for name in names}
    wrong = 0
    for _ in range(STUDIES):
        found = verdicts_on(study(Law(cosine_loss=-0.4, sigmoid_loss=0.0), SCATTERS["unequal"], 5, rng), rules)
        # sigmoid-loss is true by the loss on cosine, so it does not count
        wrong += any(one.verdict == "supported" for one in found if one.claim != "sigmoid-loss")
    assert wrong / STUDIES <= LIMIT


# claim, law, seeds, whether it is supported
TRUE = [
    ("cosine-worse", Law(ancestral=0.4, cosine_loss=-0.4), 6, True),
    ("cosine-worse", Law(ancestral=-0.4, cosine_loss=-0.4), 6, False),
    ("cosine-why", Law(ancestral=1.0, clipped=1.0, first=1.0, gain=1.2, cosine_loss=-0.4), 6, True),
    ("cosine-why", Law(ancestral=1.0, clipped=-0.1, cosine_loss=-0.4, gain=0.8), 6, False),
    ("one-step", Law(ancestral=3.5), 8, True),
    ("one-step", Law(ancestral=1.0, first=0.5), 8, False),
    ("T-small-effect", Law(), 120, True),
    ("T-small-effect", Law(all_gain=0.6), 6, False),
    ("good-schedule-fewer-steps", Law(gain=1.0), 6, True),
    ("good-schedule-fewer-steps", Law(gain=-0.8), 6, False),
    ("loss-not-quality", Law(), 8, True),
    ("loss-not-quality", Law(rho=0.85), 8, False),
    ("sigmoid-loss", Law(sigmoid_loss=0.01), 4, True),
    ("sigmoid-loss", Law(sigmoid_loss=0.2), 4, True),
    ("loss-flat-in-T", Law(loss_change=0.02), 8, True),
    ("loss-flat-in-T", Law(loss_change=0.08), 6, False),
]


@pytest.mark.parametrize(("claim", "law", "seeds", "supported"), TRUE)
def test_a_planted_effect_is_found_as_often_as_computed(claim: str, law: Law, seeds: int, supported: bool) -> None:
    truth = evidence(claim, study(law, SCATTERS["unequal"], 1000, np.random.default_rng(3)))
    computed = float(power(truth, [seeds], 1, 0.95)[0])
    found = shares(claim, law, SCATTERS["unequal"], seeds, STUDIES)[0 if supported else 1]
    assert computed > 0.2
    assert found >= computed - 0.02 - 3 * math.sqrt(0.25 / STUDIES)
