"""Simulated studies: a false claim is "supported" in at most 5 % of them, a planted effect as often as computed.

The variable NULL_STUDIES says how many. Cells scatter ten times as much on cosine as on sigmoid, as in the study's own
tables; also with equal scatter.
"""

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from stages.analysis.power import power
from stages.analysis.rules import parse_rules
from stages.analysis.statistics import Evidence
from stages.analysis.tables import Tables
from stages.analysis.verdicts import CLAIMS, verdicts_on
from tests.conftest import ROOT

RULES = parse_rules((ROOT / "conf/claims.yaml").read_text(), "conf/claims.yaml").claims
ALL_T = (50, 100, 200, 400, 800)
OCTAVES = np.log2(np.array(ALL_T) / ALL_T[0])
UNEQUAL = {"linear": 0.1, "cosine": 0.5, "sigmoid": 0.05}
EQUAL = dict.fromkeys(UNEQUAL, 0.2)
DRAWS = int(os.environ.get("NULL_STUDIES", "200"))
LIMIT = 0.05 + 3 * math.sqrt(0.05 * 0.95 / DRAWS)

Cells = Mapping[tuple[str, str, str], NDArray[np.float64]]  # column, schedule, sampler -> [seed, T]


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


@dataclass(frozen=True)
class Simulated(Tables):
    """Tables whose logarithms are arrays: thousands of studies are cheap."""

    cells: Cells

    @property
    def all_T(self) -> list[int]:
        return list(ALL_T)

    @property
    def schedules(self) -> list[str]:
        return list(UNEQUAL)

    def logs(self, column: str, schedule: str, sampler: str | None = None) -> pd.DataFrame:
        values = self.cells.get((column, schedule, sampler or self.sampler), self.cells.get((column, schedule, "")))
        return pd.DataFrame(values, columns=list(ALL_T))

    def has(self, sampler: str, schedules: Iterable[str]) -> bool:
        return all(("fid", name, sampler) in self.cells for name in schedules)


@dataclass(frozen=True)
class Law:
    """Means of the logarithms: of distance on cosine by sampler, of the others, and of the losses."""

    ancestral: float = 0.0
    clipped: float = 0.0
    first: float = 0.0
    gain: float = 0.0  # of cosine over the range of T
    all_gain: float = 0.0  # of every schedule
    cosine_loss: float = 0.0
    sigmoid_loss: float = 0.0
    loss_change: float = 0.0  # of cosine's loss over the range of T
    rho: float = 0.0  # of loss and distance between cells
    at_32: float | None = None  # tau at n = 32; otherwise the tau of two seeds


def study(law: Law, scatter: Mapping[str, float], seeds: int, rng: np.random.Generator) -> Simulated:
    """One study; a sampler's cells share most of the scatter with the same cell by another."""
    cells, shape, T = {}, (seeds, len(ALL_T)), OCTAVES / OCTAVES[-1]
    common = {} if law.at_32 is None else {name: rng.normal(size=len(ALL_T)) for name in scatter}
    for name, sd in scatter.items():
        cosine = name == "cosine"
        own, noise = rng.normal(size=shape), {}
        mean = -(law.gain * cosine + law.all_gain) * T + (common[name] * sd if common else 0.0)
        for sampler, level in (("ancestral", law.ancestral), ("clipped", law.clipped), ("clipped-first", law.first)):
            noise[sampler] = sd * (own if sampler == "ancestral" else 0.2 * own + 0.2 * rng.normal(size=shape))
            cells["fid", name, sampler] = mean + level * cosine + noise[sampler]
        level = law.cosine_loss * cosine + law.sigmoid_loss * (name == "sigmoid") + law.loss_change * cosine * T
        with_distance = law.rho * own + math.sqrt(1 - law.rho**2) * rng.normal(size=shape)
        cells["loss_simple", name, ""] = level + 0.01 * with_distance
        # noise levels alike, and schedules alike but for the scatter of the distance
        cells["loss_common", name, ""] = 0.01 * sd * with_distance
    taus = {} if law.at_32 is None else dict(enumerate(law.at_32 + 0.05 * rng.normal(size=seeds)))
    return Simulated(pd.DataFrame(), {}, taus, "fid", "ancestral", 0.95, cells)


def evidence(claim: str, tables: Tables) -> Evidence:
    return CLAIMS[claim].test(tables, next(iter(RULES[claim].thresholds.values()))).evidence


def shares(claim: str, law: Law, scatter: Mapping[str, float], seeds: int) -> tuple[float, float]:
    """Shares of studies with a claim supported and refuted, before the correction, which only lowers them."""
    rng = np.random.default_rng(7)
    found = [evidence(claim, study(law, scatter, seeds, rng)) for _ in range(DRAWS)]
    clear = [one for one in found if one.p < 0.05]
    supported = sum(one.p_for < one.p_against for one in clear)
    return supported / DRAWS, (len(clear) - supported) / DRAWS


WORSE = Law(ancestral=1.0, cosine_loss=-0.4)
# each claim is false, by as little as can be where its threshold is a margin
FALSE = [
    ("cosine-worse", Law(cosine_loss=-0.4)),
    ("cosine-worse", Law(ancestral=1.0)),  # worse, but its loss is no smaller
    ("cosine-why", Law()),
    ("cosine-why", Law(ancestral=1.0, cosine_loss=-0.4, gain=0.8)),  # the clip removes it
    ("cosine-why", Law(ancestral=1.0, clipped=1.0, first=1.0, cosine_loss=-0.4, gain=0.2)),  # 0.05 a doubling
    ("one-step", Law()),
    ("one-step", Law(ancestral=1.0, first=0.1)),
    ("T-small-effect", Law(all_gain=math.log(1.25))),
    ("T-small-effect", Law(gain=math.log(1.25))),
    ("good-schedule-fewer-steps", Law()),
    ("good-schedule-fewer-steps", Law(gain=math.log(1.1))),
    ("good-schedule-fewer-steps", Law(all_gain=1.0)),
    ("loss-not-quality", Law(rho=0.5)),  # tau = 2 / pi * asin(rho) = 1 / 3
    ("sigmoid-loss", Law()),
    ("sigmoid-loss", Law(sigmoid_loss=math.log(1.25))),
    ("loss-flat-in-T", Law(loss_change=math.log(1.05))),
]


@pytest.mark.parametrize("scatter", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
@pytest.mark.parametrize(("claim", "law"), FALSE)
def test_what_is_false_is_seldom_supported(claim: str, law: Law, scatter: Mapping[str, float]) -> None:
    assert shares(claim, law, scatter, 5)[0] <= LIMIT


def test_more_seeds_do_not_support_what_is_false() -> None:
    # the smallest sufficient T of noisy cells did so in 94 % of studies of 20 seeds
    assert shares("good-schedule-fewer-steps", Law(), UNEQUAL, 20)[0] <= LIMIT
    assert shares("one-step", Law(), UNEQUAL, 20)[0] <= LIMIT


@pytest.mark.parametrize("scatter", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
def test_rankings_by_few_that_agree_as_two_seeds_do(scatter: Mapping[str, float]) -> None:
    agreement = _agreement(scatter)
    assert shares("n32-enough", Law(at_32=agreement), scatter, 6)[0] <= LIMIT
    assert shares("n32-enough", Law(at_32=agreement + 0.4), scatter, 6)[0] > 0.3
    assert shares("n32-enough", Law(at_32=agreement - 0.4), scatter, 6)[1] > 0.3


def _agreement(scatter: Mapping[str, float]) -> float:
    """Mean tau of two seeds, from many studies of the same law."""
    rng = np.random.default_rng(8)
    found = [CLAIMS["n32-enough"].test(study(Law(at_32=0.0), scatter, 6, rng), 0.0) for _ in range(DRAWS)]
    return float(np.mean([one.details["tau between seeds at full n"] for one in found]))


def test_after_the_correction_a_study_without_effects_has_seldom_any_support() -> None:
    rng = np.random.default_rng(9)
    names = ("cosine-worse", "cosine-why", "one-step", "good-schedule-fewer-steps", "sigmoid-loss")
    rules = {name: RULES[name] for name in names}
    wrong = 0
    for _ in range(DRAWS):
        found = verdicts_on(study(Law(cosine_loss=-0.4, sigmoid_loss=0.0), UNEQUAL, 5, rng), rules)
        # sigmoid-loss is true by the loss on cosine, so it does not count
        wrong += any(one.verdict == "supported" for one in found if one.claim != "sigmoid-loss")
    assert wrong / DRAWS <= LIMIT


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
    truth = evidence(claim, study(law, UNEQUAL, 1000, np.random.default_rng(3)))
    computed = float(power(truth, [seeds], 1, 0.95)[0])
    found = shares(claim, law, UNEQUAL, seeds)[0 if supported else 1]
    assert computed > 0.2
    assert found >= computed - 0.02 - 3 * math.sqrt(0.25 / DRAWS)
