"""Components of variance on tables whose truth was planted."""

from typing import Any

import numpy as np
import pytest

from ddpm.errors import StudyError
from stages.analysis.variance import components, crossed, rounding


def test_components_are_those_planted() -> None:
    rng, found = np.random.default_rng(0), []
    for _ in range(1500):
        rows, columns, rest = (
            rng.normal(0, sd, size=size) for sd, size in ((0.5, (5, 1)), (0.2, (1, 4)), (0.3, (5, 4)))
        )
        one = crossed(rows + columns + rest)
        found.append((one.rows, one.columns, one.rest))
    # truncation at 0 lifts the smallest component a little
    assert np.mean(found, axis=0) == pytest.approx([0.25, 0.04, 0.09], rel=0.12)


def test_no_effect_is_found_at_the_level_of_the_test() -> None:
    rng = np.random.default_rng(1)
    found = [crossed(rng.normal(size=(4, 3))) for _ in range(2000)]
    for p in ([one.rows_p for one in found], [one.columns_p for one in found]):
        assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.02)


def test_additive_table_has_no_rest() -> None:
    one = crossed(np.array([[0.0], [1.0]]) + np.array([[0.0, 0.5, 1.0]]))
    assert (one.rows, one.columns, one.rest) == pytest.approx((0.5, 0.25, 0.0))
    assert (one.rows_p, one.columns_p) == (0, 0)


def test_rounding_is_half_the_mean_square() -> None:
    x = np.random.default_rng(2).normal(0, 0.3, size=(2, 20_000))
    assert rounding(x[0], x[1]) == pytest.approx(0.09, rel=0.05)


@pytest.mark.parametrize("bad", [[[1.0, 2.0]], [1.0, 2.0], [[1.0, np.nan], [1.0, 2.0]]])
def test_refuses_what_is_no_crossed_table(bad: list[Any]) -> None:
    with pytest.raises(StudyError, match="2 x 2 finite values"):
        crossed(bad)


def rows(sampling: list[int | None], precision: str = "auto") -> list[dict[str, Any]]:
    rng = np.random.default_rng(len(precision))
    return [
        {"schedule": "cosine", "T": 50, "seed": seed, "sampler": "ancestral", "fid": float(np.exp(rng.normal()))}
        | {"sample.seed": of, "compute.precision": precision, "network.norm": "middle"}
        for seed in range(3)
        for of in sampling
    ]


USUAL = {"sample.seed": None, "compute.precision": "auto", "network.norm": "middle"}


def test_the_table_has_all_components_or_says_what_is_absent() -> None:
    found = components([*rows([None, 0, 1, 2]), *rows([None], "float32")], USUAL, "ancestral", "fid")
    by_name = {row["component"]: row for row in found["components"]}
    assert list(by_name) == ["training", "sampling", "estimator", "rounding"]
    assert by_name.pop("rounding")["share"] is None  # it works through training
    assert sum(row["share"] for row in by_name.values()) == pytest.approx(1)
    assert found["absent"] == []
    alone = components(rows([None]), USUAL, "ancestral", "fid")
    assert alone["components"] == []
    assert alone["absent"] == [
        "cosine: no runs of several training seeds x sampling seeds at T = 50",
        "cosine: no runs of the same cells in float32 at T = 50",
    ]
    other = [row | {"network.norm": "all"} for row in rows([None, 0, 1, 2])]
    assert components([*rows([None]), *other], USUAL, "ancestral", "fid")["components"] == []


def test_more_runs_take_no_component_away() -> None:
    usual = [*rows([None, 0, 1, 2]), *rows([None], "float32")]
    one = components(usual, USUAL, "ancestral", "fid")
    by_hand = [row | {"compute.precision": "bfloat16"} for row in rows([None])[:1]]
    elsewhere = [row | {"seed": 7, "sample.seed": of} for row, of in zip(rows([None]), (20, 21, 22), strict=True)]
    assert components([*usual, *by_hand, *elsewhere], USUAL, "ancestral", "fid") == one
