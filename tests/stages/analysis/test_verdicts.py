"""Every claim's verdict in both directions, on cells whose truth was planted."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ddpm.errors import StudyError
from ddpm.schedules import audit, make_schedule
from stages.analysis.claims_on_schedules import straightness, sup_distance
from stages.analysis.rules import ClaimRule
from stages.analysis.verdicts import CLAIMS, confirmatory, verdicts_by_both_metrics, verdicts_on
from tests.stages.analysis.planted import ALL_RULES, RULES, clip_is_all, flat, octave, only, planted, smaller, verdicts

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("loss-flat-in-T", {"loss": flat}, "supported"),
    ("loss-flat-in-T", {"loss": lambda name, T, _: 0.1 * octave(T) * (name == "cosine")}, "refuted"),
    ("sigmoid-loss", {"loss": only("sigmoid", 0.1)}, "supported"),
    ("sigmoid-loss", {"loss": only("sigmoid", -0.1)}, "refuted"),
    ("sigmoid-loss", {"loss": only("sigmoid", 1.0)}, "refuted"),  # worse, but not slightly
    ("loss-not-quality", {"loss": smaller, "seeds": 30}, "supported"),  # between schedules alone
    (
        "loss-not-quality",  # every tau is 1, so that only the number of seeds counts
        {
            "loss": lambda _, T, __: octave(T),
            "fid": lambda _, T, __: octave(T),
            "common": lambda _, T, __: octave(T),
            "seeds": 14,
        },
        "refuted",
    ),
    ("cosine-worse", {"fid": only("cosine", 0.2), "loss": smaller}, "supported"),
    ("cosine-worse", {"fid": only("sigmoid", 0.2), "loss": smaller}, "refuted"),
    ("cosine-worse", {"fid": only("cosine", 0.2), "loss": only("cosine", 0.4)}, "refuted"),  # nor is its loss smaller
    (
        "cosine-why",
        {"fid": lambda name, T, _: (1 - 0.2 * octave(T)) * (name == "cosine"), "loss": smaller},
        "supported",
    ),
    ("cosine-why", {"fid": lambda name, T, _: (1 - 0.01 * octave(T)) * (name == "cosine"), "loss": smaller}, "refuted"),
    ("cosine-why", {"fid": clip_is_all, "loss": smaller}, "refuted"),
    ("cosine-why", {"fid": only("sigmoid", 1), "loss": smaller}, "undecided"),  # nothing to explain
    ("one-step", {"fid": clip_is_all}, "supported"),
    ("one-step", {"fid": lambda name, _, sampler: (name == "cosine") * {"clipped": 0.0}.get(sampler, 1.0)}, "refuted"),
    ("one-step", {"fid": flat}, "undecided"),  # the clip gains nothing
    ("T-small-effect", {"fid": lambda _, T, __: 0.02 * octave(T)}, "supported"),
    ("T-small-effect", {"fid": lambda name, T, _: -0.2 * octave(T) * (name == "linear")}, "refuted"),
    ("good-schedule-fewer-steps", {"fid": lambda name, T, _: -0.3 * octave(T) * (name == "cosine")}, "supported"),
    ("good-schedule-fewer-steps", {"fid": lambda name, T, _: -0.3 * octave(T) * (name != "cosine")}, "refuted"),
    ("good-schedule-fewer-steps", {"fid": flat}, "refuted"),  # the smallest T suffices for all of them
]


@pytest.mark.parametrize(("claim", "laws", "expected"), CASES)
def test_verdict_on_planted_cells(claim: str, laws: dict[str, Any], expected: str) -> None:
    assert verdicts(planted(**laws))[claim] == expected


def test_an_interval_is_that_of_the_scatter_beside_it() -> None:
    """Also where the seeds' means agree by luck and more seeds are planned from the scatter within each T."""
    tables = planted(only("cosine", 0.2), smaller, seeds=4)
    rows = tables.rows
    apart = (rows["seed"] - 1.5) * rows["T"].map({50: 1.0, 800: -1.0}).fillna(0) * (rows["schedule"] == "cosine")
    by_luck = replace(tables, rows=rows.assign(fid=rows["fid"] * np.exp(apart)))
    found = {result.claim: result.finding for result in verdicts_on(by_luck, RULES) if result.finding is not None}
    parts = [part for finding in found.values() for part in finding.evidence.parts]
    assert len(parts) > 10
    for part in parts:
        half = stats.t.ppf(0.975, part.n - 1) * part.sd / np.sqrt(part.n)
        assert (part.low, part.high) == pytest.approx((part.mean - half, part.mean + half))
    distance, loss = found["cosine-worse"].evidence.parts
    assert distance.planning_sd > distance.sd
    assert loss.planning_sd == loss.sd


@pytest.mark.parametrize(
    ("claim", "threshold", "told"),
    [
        ("T-small-effect", -0.25, "margin must be at least 0, not -0.25"),
        ("sigmoid-loss", -2.0, "slightly must be at least 0, not -2"),
        ("one-step", 9.0, "share must be at least 0 and at most 1, not 9"),
        ("linear-abar", 98.0, "r_squared must be at least 0 and at most 1, not 98"),
    ],
)
def test_a_threshold_out_of_its_range_is_refused(claim: str, threshold: float, told: str) -> None:
    rules = {claim: ClaimRule(says="so", **{CLAIMS[claim].threshold: threshold})}
    with pytest.raises(StudyError, match=f"^claims: claim {claim}: {told}$"):
        verdicts_on(planted(), rules)


@pytest.mark.parametrize("claim", sorted({case[0] for case in CASES}))
def test_with_one_seed_a_claim_about_training_is_undecided(claim: str) -> None:
    for name, laws, _ in CASES:
        if name == claim:
            assert verdicts(planted(**(laws | {"seeds": 1})))[claim] == "undecided"


def test_noise_without_effect_is_undecided() -> None:
    found = verdicts(planted(noise=0.3))
    assert found["cosine-worse"] == found["good-schedule-fewer-steps"] == found["one-step"] == "undecided"


def test_every_claim_of_the_file_has_its_function_and_the_other_way_round() -> None:
    assert list(RULES) == list(CLAIMS)
    assert len(RULES) == 12
    assert all(result.plain and result.says for result in verdicts_on(planted(), RULES))


def test_schedules_of_the_report() -> None:
    found = {result.claim: result for result in verdicts_on(planted(), RULES)}
    # SCIENCE of the report's own definitions: linear keeps 8.1 % of the amplitude at T = 800, sigmoid likewise
    assert found["gaussian-end"].verdict == "refuted"
    assert found["gaussian-end"].finding is not None
    assert found["gaussian-end"].finding.details["linear, T = 800"] == pytest.approx(0.0810, abs=5e-5)
    kl = audit(make_schedule("linear", 800)).prior_kl_nats
    assert found["gaussian-end"].finding.details["linear, T = 800, prior KL in nats"] == pytest.approx(kl)
    assert found["linear-abar"].finding is not None
    assert found["linear-abar"].finding.details["cosine, largest deviation"] == pytest.approx(0.106, abs=1e-3)
    assert found["same-shape"].verdict == "refuted"  # 0.0225 between T = 50 and 800
    assert found["linear-abar"].verdict == "supported"
    # cos^2 over a quarter turn: R^2 = 96 / pi^4
    assert straightness(np.cos(np.linspace(0, np.pi / 2, 10_001)) ** 2) == pytest.approx(96 / np.pi**4, abs=1e-4)


@pytest.mark.parametrize(
    ("claim", "rule"),
    [
        ("gaussian-end", {"sqrt_alpha_bar_T": 0.1}),
        ("same-shape", {"sup_distance": 0.03}),
        ("linear-abar", {"r_squared": 0.999}),
    ],
)
def test_thresholds_turn_arithmetic_round(claim: str, rule: dict[str, float]) -> None:
    before = verdicts(planted())[claim]
    changed = {claim: ClaimRule(says="x", **rule)}
    after = verdicts_on(planted(), changed)[0].verdict
    assert {before, after} == {"supported", "refuted"}


def test_few_samples_rank_or_do_not() -> None:
    tables = planted(noise=0.3)  # rankings of two seeds hardly agree
    many, few, none = (replace(tables, tau_at_32=dict(enumerate(taus))) for taus in ([0.9] * 5, [-0.9] * 5, [0.9]))
    assert (verdicts(many)["n32-enough"], verdicts(few)["n32-enough"]) == ("supported", "refuted")
    found = {result.claim: result for result in verdicts_on(none, RULES)}
    assert found["n32-enough"].plain == "rankings by 32 samples are there for 1 of the 3 seeds needed"


def test_verdicts_are_of_seeds_3_and_up_alone() -> None:
    tables = planted(fid=only("cosine", 0.2), loss=smaller, seeds=9)
    early = tables.rows["seed"] < 3
    tables.rows.loc[early & (tables.rows["schedule"] == "cosine"), "fid"] *= 0.5
    found = {result.claim: result for result in confirmatory(tables, ALL_RULES)}["cosine-worse"]
    assert found.finding is not None
    assert found.exploratory is not None
    assert (found.verdict, found.finding.evidence.n) == ("supported", 6)
    assert (found.exploratory.finding.evidence.estimate < 0) if found.exploratory.finding else False


def test_second_opinion_speaks_where_quality_matters_alone() -> None:
    tables = planted(fid=only("cosine", 0.2), loss=smaller)
    tables.rows["digits_distance"] = 1.0 / tables.rows["fid"]
    found = {result.claim: result for result in verdicts_by_both_metrics(tables, "digits_distance", RULES)}
    assert (found["cosine-worse"].verdict, found["cosine-worse"].second_opinion) == ("supported", "refuted")
    assert found["sigmoid-loss"].second_opinion is None


def test_sup_distance_of_lines() -> None:
    assert sup_distance(np.linspace(1, 0, 3), np.linspace(1, 0, 9)) == pytest.approx(0, abs=1e-15)
    assert sup_distance(np.array([1.0, 0.0]), np.array([1.0, 0.9, 0.0])) == pytest.approx(0.4)


def test_shares_are_over_the_seeds_that_have_both_samplers() -> None:
    tables = planted(fid=clip_is_all)
    rows = tables.rows.copy()
    strong = (rows["seed"] == 4) & (rows["schedule"] == "cosine")
    rows.loc[strong & (rows["sampler"] == "ancestral"), "fid"] *= 10  # the clip gains much more there
    rows = rows[~(strong & (rows["sampler"] == "clipped-first"))]
    found = CLAIMS["one-step"].test(replace(tables, rows=rows), 0.9)
    assert found.details["share of clipped-first"] == pytest.approx(1.0, abs=0.01)
