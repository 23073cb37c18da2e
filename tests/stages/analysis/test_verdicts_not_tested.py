"""A claim whose seeds, cells or values are missing is not tested and says what is missing; a wrong table is refused."""

import math
from dataclasses import replace

import pytest

from ddpm.errors import StudyError
from stages.analysis.rules import ClaimRule
from stages.analysis.tables import Tables, results
from stages.analysis.verdicts import CLAIMS, confirmatory, verdicts_on
from tests.stages.analysis.planted import ALL_RULES, RULES, clip_is_all, only, planted, smaller


def test_without_the_samplers_of_one_step_it_says_so() -> None:
    tables = planted(fid=clip_is_all, loss=smaller)
    part = replace(tables, rows=tables.rows[tables.rows["sampler"] != "clipped-first"])
    found = {result.claim: result for result in verdicts_on(part, RULES)}
    assert found["one-step"].verdict == "not tested"
    assert found["one-step"].plain == "there are no cells of clipped-first on cosine yet"
    why = found["cosine-why"].finding
    assert why is not None
    assert len(why.evidence.parts) == 2  # the slope and the clip


def test_what_a_claim_only_shows_may_be_absent() -> None:
    tables = planted(fid=only("cosine", 0.2), loss=smaller)
    alone = replace(tables, rows=tables.rows[tables.rows["sampler"] == "ancestral"].drop(columns="loss_common"))
    found = {result.claim: result for result in verdicts_on(alone, RULES)}
    assert found["cosine-worse"].verdict == "supported"
    assert "clipping" not in found["cosine-worse"].plain
    assert found["sigmoid-loss"].verdict == "supported"
    assert "log SNR" not in found["sigmoid-loss"].plain


def test_one_seed_of_one_schedule_is_undecided() -> None:
    tables = planted(seeds=1)
    one = replace(tables, rows=tables.rows[tables.rows["schedule"] == "cosine"])
    assert {result.claim: result for result in verdicts_on(one, RULES)}["T-small-effect"].verdict == "undecided"


def test_a_claim_that_is_not_tested_counts_in_the_correction() -> None:
    tables = planted(fid=only("cosine", 0.2), loss=smaller, seeds=3, noise=0.05)
    every = {result.claim: result for result in verdicts_on(tables, RULES)}
    part = replace(tables, rows=tables.rows[tables.rows["sampler"] != "clipped-first"])
    fewer = {result.claim: result for result in verdicts_on(part, RULES)}
    assert fewer["one-step"].verdict == "not tested"
    smallest = min(every, key=lambda name: every[name].adjusted_p if not CLAIMS[name].exact else 2)
    assert fewer[smallest].adjusted_p == every[smallest].adjusted_p > 0


def test_rankings_by_few_samples_are_of_fid() -> None:
    tables = replace(planted(), tau_at_32=dict.fromkeys(range(5), 0.9))
    assert {r.claim: r.verdict for r in verdicts_on(tables, RULES)}["n32-enough"] != "not tested"
    by_digits = {r.claim: r for r in verdicts_on(replace(tables, quality="digits_distance"), RULES)}
    assert by_digits["n32-enough"].plain == "the rankings by 32 samples are by fid, not by digits_distance"


def test_without_confirmatory_seeds_only_arithmetic_is_tested() -> None:
    found = confirmatory(planted(fid=only("cosine", 0.2), loss=smaller, seeds=3), ALL_RULES)
    for result in found:
        if CLAIMS[result.claim].exact:
            assert result.verdict in ("supported", "refuted")
        else:
            assert (result.verdict, result.plain) == ("not tested", "no confirmatory seeds yet")
            assert result.exploratory is not None
    shown = {result.claim: result for result in found}["cosine-worse"].as_json()
    assert shown["exploratory"]["plain"].startswith("cosine's distance is 1.22 times sigmoid's")
    assert shown["seeds_needed"].startswith("about ")


def test_what_the_grid_lacks_is_said() -> None:
    tables = planted(fid=only("cosine", 0.2))
    rows = tables.rows[tables.rows["schedule"] != "sigmoid"]
    part = Tables(rows, {"cosine": tables.alpha_bar["cosine"]}, tables.tau_at_32, "fid", "ancestral", 0.95)
    found = {result.claim: result for result in verdicts_on(part, RULES)}
    assert found["cosine-worse"].verdict == "not tested"
    assert "no sigmoid-50-0" in found["cosine-worse"].plain
    assert found["gaussian-end"].plain == "the grid has no linear"


def test_refuses_unknown_claims_and_missing_thresholds() -> None:
    with pytest.raises(StudyError, match="unknown claim 'moon'"):
        verdicts_on(planted(), {"moon": ClaimRule(says="x")})
    with pytest.raises(StudyError, match="claim gaussian-end takes one threshold, 'sqrt_alpha_bar_T', not limit"):
        verdicts_on(planted(), {"gaussian-end": ClaimRule(says="x", limit=1.0)})  # type: ignore[call-arg]


def test_refuses_a_configuration_twice_and_a_table_that_is_none() -> None:
    rows = planted().rows.to_dict("records")
    with pytest.raises(StudyError, match="two rows of linear-50-0-ancestral"):
        results([*rows, rows[0]])
    with pytest.raises(StudyError, match="no column 'schedule'"):
        results([])


@pytest.mark.parametrize(("value", "says"), [(0.0, "a fid of 0"), (-1.0, "a fid of -1"), (math.nan, "no fid")])
def test_a_value_without_a_logarithm_is_said(value: float, says: str) -> None:
    tables = planted()
    tables.rows.loc[tables.rows["schedule"] == "cosine", "fid"] = value
    found = {result.claim: result for result in verdicts_on(tables, RULES)}
    assert found["cosine-worse"].verdict == "not tested"
    assert found["cosine-worse"].plain == f"cosine-50-0-ancestral has {says}"
