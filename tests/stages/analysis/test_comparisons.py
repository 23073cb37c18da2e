"""A planted effect is found, with the right sign and only there; pairs are what they are called."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from stages.analysis import comparisons
from stages.analysis.rules import Change, Changes

USUAL = {"network.attention": False, "train.epochs": 5}


def cells(run: str = "", seeds: int = 3, *, effect: float = 1.0, noise: float = 0.0, **changed: Any) -> list[Any]:
    """A row a cell of 2 schedules x 2 T x seeds; seeds differ widely, so that only pairs show a small effect."""
    rng = np.random.default_rng(len(run))
    return [
        {
            "run": run,
            "schedule": schedule,
            "T": T,
            "seed": seed,
            "sampler": "ancestral",
            **USUAL,
            "fid": (1 + seed) * (2 if schedule == "cosine" else 1) * effect * math.exp(noise * rng.normal()),
            **changed,
        }
        for schedule in ("linear", "cosine")
        for T in (50, 100)
        for seed in range(seeds)
    ]


def test_a_planted_effect_is_found_in_pairs() -> None:
    rows = cells() + cells("kept", effect=1.1, noise=0.01, sampler="clipped")
    found = comparisons.effect(rows, {"sampler": "ancestral"}, {"sampler": "clipped"}, USUAL, "fid", 0.95)
    assert found is not None
    assert (found.pairs, found.seeds) == (12, 3)
    assert found.low < 1.1 < found.high
    assert found.low > 1
    assert comparisons.verdict(found, found.p, 0.95) == "worse"
    back = comparisons.effect(rows, {"sampler": "clipped"}, {"sampler": "ancestral"}, USUAL, "fid", 0.95)
    assert back is not None
    assert back.ratio == pytest.approx(1 / found.ratio)
    assert (back.low, back.p) == pytest.approx((1 / found.high, found.p))
    assert comparisons.verdict(back, back.p, 0.95) == "better"


def test_interval_and_p_are_students_over_seeds() -> None:
    rows = cells() + cells("kept", noise=0.3, sampler="clipped")
    found = comparisons.effect(rows, {"sampler": "ancestral"}, {"sampler": "clipped"}, USUAL, "fid", 0.9)
    logs = np.zeros(3)
    for before, after in zip(rows[:12], rows[12:], strict=True):
        logs[before["seed"]] += math.log(after["fid"] / before["fid"]) / 4
    theirs = stats.ttest_1samp(logs, 0)
    assert found is not None
    assert found.ratio == pytest.approx(math.exp(logs.mean()))
    assert (found.low, found.high) == pytest.approx(tuple(np.exp(theirs.confidence_interval(0.9))))
    assert found.p == pytest.approx(theirs.pvalue)


def test_no_effect_is_rarely_called_one() -> None:
    wrong = 0
    for trial in range(200):
        rng = np.random.default_rng(trial)
        rows = cells(sampler="clipped") + [row | {"fid": row["fid"] * math.exp(rng.normal())} for row in cells()]
        found = comparisons.effect(rows, {"sampler": "ancestral"}, {"sampler": "clipped"}, USUAL, "fid", 0.95)
        assert found is not None
        wrong += comparisons.verdict(found, found.p, 0.95) != "not significant"
    assert wrong <= stats.binom.ppf(0.9999, 200, 0.05)


def test_a_parameter_is_a_change_too_and_others_must_be_usual() -> None:
    rows = cells() + cells("attention", effect=0.5, **{"network.attention": True})
    rows += cells("attention, longer", effect=0.1, **{"network.attention": True, "train.epochs": 50})
    change = ({"network.attention": False}, {"network.attention": True})
    found = comparisons.effect(rows, *change, USUAL, "fid", 0.95)
    assert found is not None
    assert found.ratio == pytest.approx(0.5)
    assert found.by_T == pytest.approx({50: 0.5, 100: 0.5})
    alone = comparisons.effect(rows[:12], *change, USUAL, "fid", 0.95)
    assert alone is None


def test_a_change_of_T_and_sampler_at_once_pairs_over_schedules() -> None:
    rows = cells() + [row | {"sampler": "ancestral-50", "fid": 3 * row["fid"]} for row in cells()]
    before, after = {"T": 50, "sampler": "ancestral"}, {"T": 100, "sampler": "ancestral-50"}
    found = comparisons.effect(rows, before, after, USUAL, "fid", 0.95)
    assert found is not None
    assert found.ratio == pytest.approx(3)
    assert (found.pairs, found.by_T) == (6, {})


def test_a_pair_is_of_one_run_where_one_has_both() -> None:
    elsewhere = cells("elsewhere", effect=7) + cells("elsewhere", effect=14, sampler="clipped")
    change = ({"sampler": "ancestral"}, {"sampler": "clipped"})
    found = comparisons.effect(cells() + elsewhere, *change, USUAL, "fid", 0.95)
    assert found is not None
    assert found.ratio == pytest.approx(2)


def test_only_cells_that_every_seed_has_count() -> None:
    after = [row | {"sampler": "clipped", "fid": row["fid"] * row["T"]} for row in cells()]
    after = [row for row in after if row["seed"] == 0 or row["T"] == 50]
    found = comparisons.effect(cells() + after, {"sampler": "ancestral"}, {"sampler": "clipped"}, USUAL, "fid", 0.95)
    assert found is not None
    assert found.ratio == pytest.approx(50)
    assert found.pairs == 6


def test_one_seed_proves_nothing() -> None:
    rows = cells(seeds=1) + cells("kept", seeds=1, effect=9, sampler="clipped")
    found = comparisons.effect(rows, {"sampler": "ancestral"}, {"sampler": "clipped"}, USUAL, "fid", 0.95)
    assert found is not None
    assert (found.low, found.high, found.p) == (0, math.inf, 1)
    assert comparisons.verdict(found, found.p, 0.95) == "not significant"


def test_a_seed_that_lacks_cells_does_not_take_the_others_away() -> None:
    after = [row | {"sampler": "clipped", "fid": 2 * row["fid"]} for row in cells(seeds=4)]
    few = [row for row in after if row["seed"] < 3 or (row["T"], row["schedule"]) == (50, "linear")]
    change = ({"sampler": "ancestral"}, {"sampler": "clipped"})
    found = comparisons.effect(cells(seeds=4) + few, *change, USUAL, "fid", 0.95)
    assert found is not None
    assert (found.pairs, found.seeds) == (12, 3)
    elsewhere = [row | {"T": 25} for row in [*cells(seeds=4), *after] if row["seed"] == 3]  # no cell in common
    found = comparisons.effect([*cells(), *after, *elsewhere], *change, USUAL, "fid", 0.95)
    assert found is not None
    assert (found.pairs, found.seeds) == (12, 3)


def test_the_correction_is_over_all_changes_of_the_file() -> None:
    rows = cells(seeds=5) + cells("kept", seeds=5, effect=1.1, noise=0.05, sampler="clipped")
    ran = {"clip": Change(before={"sampler": "ancestral"}, after={"sampler": "clipped"})}
    absent = {f"absent {i}": Change(before={"sampler": "x"}, after={"sampler": f"y{i}"}) for i in range(30)}
    one, many = (
        comparisons.compare_all(rows, Changes(confidence=0.95, quality="fid", changes=changes), USUAL)["clip"]
        for changes in (ran, ran | absent)
    )
    assert many["adjusted_p"] == pytest.approx(31 * one["adjusted_p"])
    assert (one["verdict"], many["verdict"]) == ("worse", "not significant")
