"""Ratios and intervals in sentences."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from stages.analysis.tables import factor, number, spread
from stages.analysis.verdicts import verdicts_on
from tests.stages.analysis.planted import RULES, clip_is_all, only, planted, smaller


@pytest.mark.parametrize(
    ("value", "says"), [(0.994, "0.99"), (9.99, "9.99"), (19.52, "19.5"), (218, "218"), (1234.4, "1,234")]
)
def test_large_ratios_have_fewer_decimals(value: float, says: str) -> None:
    assert number(value) == says
    assert factor(math.log(value)) == says


def test_an_interval_in_brackets() -> None:
    assert spread(0.0, math.log(2)) == " (1.00 to 2.00)"
    assert spread(0.0, math.log(2), "linear") == " (1.00 to 2.00; linear)"
    assert spread(-math.inf, math.inf, "linear") == " (linear)"
    assert spread(-math.inf, math.inf) == ""
    assert spread(0.1, 0.2, show="{:.2f}".format) == " (0.10 to 0.20)"


def test_every_claim_about_models_says_its_interval() -> None:
    several = verdicts_on(planted(fid=clip_is_all, loss=smaller), RULES)
    one = verdicts_on(planted(fid=clip_is_all, loss=smaller, seeds=1), RULES)
    shown = {"cosine-worse", "cosine-why", "one-step", "T-small-effect", "loss-not-quality", "sigmoid-loss"}
    for result in several:
        assert (result.claim not in shown) or " to " in result.plain, result.plain
    for result in one:
        assert "inf" not in result.plain
        assert "nan" not in result.plain


def test_the_sentence_on_the_slope_says_which_condition_is_not_met() -> None:
    found = {r.claim: r.plain for r in verdicts_on(planted(fid=only("sigmoid", 0.7), loss=smaller), RULES)}
    assert "(needed: more than 1" not in found["cosine-why"]
    assert "needed: more than 1, not met); the claim presupposes that cosine is worse" in found["cosine-why"]
    found = {r.claim: r.plain for r in verdicts_on(planted(fid=only("cosine", 0.7), loss=smaller), RULES)}
    assert "needed: more than 1); the claim presupposes" in found["cosine-why"]


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
