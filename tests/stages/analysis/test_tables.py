"""Ratios and intervals in sentences."""

import math
import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from stages.analysis.tables import factor, largest_complete, number, spread
from stages.analysis.verdicts import CLAIMS, verdicts_on
from tests.stages.analysis.planted import RULES, clip_is_all, octave, only, planted, smaller


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (0.00432, "0.0043"),
        (0.994, "0.99"),
        (9.99, "9.99"),
        (19.52, "19.5"),
        (218, "218"),
        (1234.4, "1,234"),
    ],
)
def test_large_ratios_have_fewer_decimals_and_small_ones_more(value: float, says: str) -> None:
    assert number(value) == says
    assert factor(math.log(value)) == says


def test_a_table_without_rows_has_none() -> None:
    assert largest_complete({}) == ([], frozenset())
    assert largest_complete({0: frozenset({1, 2}), 1: frozenset({2}), 2: frozenset({2})}) == ([0, 1, 2], frozenset({2}))


def test_an_interval_in_brackets() -> None:
    assert spread(0.0, math.log(2)) == " (1.00 to 2.00)"
    assert spread(0.0, math.log(2), "linear") == " (1.00 to 2.00; linear)"
    assert spread(-math.inf, math.inf, "linear") == " (linear)"
    assert spread(-math.inf, math.inf) == ""
    assert spread(0.1, 0.2, show="{:.2f}".format) == " (0.10 to 0.20)"


def test_every_claim_about_models_says_its_interval() -> None:
    tables = replace(planted(fid=clip_is_all, loss=smaller), tau_at_32=dict(enumerate([0.9, 0.8, 0.9])))
    several = verdicts_on(tables, RULES)
    one = verdicts_on(planted(fid=clip_is_all, loss=smaller, seeds=1), RULES)
    arithmetic = {name for name, claim in CLAIMS.items() if claim.exact}
    for result in several:
        assert result.claim in arithmetic or re.search(r"\(-?[\d.]+ to -?[\d.]+", result.plain), result.plain
    for result in one:
        assert "inf" not in result.plain
        assert "nan" not in result.plain


def test_the_sentence_on_the_slope_says_which_condition_is_not_met() -> None:
    found = {r.claim: r.plain for r in verdicts_on(planted(fid=only("sigmoid", 0.7), loss=smaller), RULES)}
    assert "(needed: more than 1" not in found["cosine-why"]
    assert "needed: more than 1, not met); the claim presupposes that cosine is worse" in found["cosine-why"]
    found = {r.claim: r.plain for r in verdicts_on(planted(fid=only("cosine", 0.7), loss=smaller), RULES)}
    assert "needed: more than 1); the claim presupposes" in found["cosine-why"]
    assert "undecided" not in found["cosine-why"]
    noisy = planted(fid=only("cosine", 0.7), loss=smaller, noise=0.5)
    assert ", undecided); with clipping" in {r.claim: r.plain for r in verdicts_on(noisy, RULES)}["cosine-why"]


def test_the_seeds_that_would_decide_are_named_with_the_direction() -> None:
    def needed(claim: str, **laws: Any) -> str | None:
        return {r.claim: r.seeds_needed for r in verdicts_on(planted(loss=smaller, **laws), RULES)}[claim]

    up, down = (needed("cosine-worse", fid=only("cosine", by), noise=0.1) or "" for by in (0.1, -0.1))
    assert re.fullmatch(r"about \d+ seeds needed to support it", up)
    assert re.fullmatch(r"about \d+ seeds needed to refute it", down)
    by_T = lambda name, T, _: (0.1 + 0.5 * (octave(T) - 2)) * (name == "cosine")  # noqa: E731
    assert needed("cosine-worse", fid=by_T, noise=0.1) == up, "what all seeds of a T share is no scatter"
    assert needed("cosine-why", fid=only("sigmoid", 1)) == "its premise is contradicted by the estimate"


def test_the_common_grid_has_its_own_answer_on_sigmoids_loss() -> None:
    def said(common: float) -> str:
        tables = planted(fid=clip_is_all, loss=only("sigmoid", 0.5), common=only("sigmoid", math.log(common)))
        return {r.claim: r.plain for r in verdicts_on(tables, RULES)}["sigmoid-loss"]

    assert re.search(r"1\.\d\d times \(1\.\d\d to 1\.\d\d; slightly worse\) on a common grid", said(1.1))
    assert re.search(r"1\.\d\d times \(1\.\d\d to 1\.\d\d\) on a common grid", said(1.4))


def test_samplers_of_other_seeds_leave_a_claim_its_own_cells() -> None:
    """Clipped cells of cosine and sigmoid, or of two samplers, that share no seed."""
    tables = planted(fid=clip_is_all, loss=smaller)
    rows = tables.rows
    odd = rows["seed"] % 2 == 1
    clipped = (rows["sampler"] == "clipped") & (
        ((rows["schedule"] == "cosine") & odd) | (rows["schedule"] == "sigmoid") & ~odd
    )
    first = (rows["sampler"] == "clipped-first") & ~odd
    found = {
        r.claim: r
        for r in verdicts_on(replace(tables, rows=rows[(rows["sampler"] == "ancestral") | clipped | first]), RULES)
    }
    assert found["cosine-worse"].verdict == "supported"
    assert "clipping" not in found["cosine-worse"].plain
    assert found["one-step"].verdict == "not tested"
    assert all(math.isfinite(value) for r in found.values() for value in r.as_json().get("details", {}).values())


def test_a_sampler_that_shares_no_seed_with_the_clip_is_not_mentioned() -> None:
    tables = planted(fid=clip_is_all, loss=smaller)
    rows, odd = tables.rows, tables.rows["seed"] % 2 == 1
    rest = rows[(rows["sampler"] == "clipped-first") & odd].assign(sampler="clipped-rest")
    few = rows[(rows["sampler"] != "clipped") | ~odd]
    found = {r.claim: r for r in verdicts_on(replace(tables, rows=pd.concat([few, rest])), RULES)}["one-step"]
    assert found.verdict == "supported"
    assert "nan" not in found.plain
    assert "other steps" not in found.plain
