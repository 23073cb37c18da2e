"""The answer: numbers and words are those of the rows and verdicts, and what it cannot say is one line."""

import math
from typing import Any

import pytest

from ddpm.errors import StudyError
from stages.analysis import answer

FACTOR = {"linear": 1.0, "sigmoid": 2.0, "cosine": 3.0}
SAMPLERS = ("ancestral", "clipped", "clipped-first")


def rows(*seeds: int) -> list[dict[str, Any]]:
    """FID = factor of the schedule x 1.5 at T = 800 x (1 + seed / 100); the digit classifier sees no schedule."""
    return [
        {"schedule": schedule, "T": T, "seed": seed, "sampler": sampler, "fid_floor": 0.09, "fid_test_images": 0.22}
        | {"fid": factor * (1.5 if T == 800 else 1) * (1 + seed / 100), "digits_distance": 1 + seed / 100, "kid": -1.0}
        | {"fid_infinity": 1.0}
        for schedule, factor in FACTOR.items()
        for T in (50, 800)
        for seed in seeds
        for sampler in SAMPLERS
    ]


CLAIM = {"n": 3, "verdict": "undecided", "estimate": math.log(1.5), "low": None, "high": None}
CLAIMS: dict[str, Any] = {
    "confidence": 0.95,
    "claims": {"one-step": {"verdict": "supported"}, "cosine-worse": CLAIM},
    "networks": {},
}
AUDIT = [{"schedule": "cosine", "error_gain": 100.2}, {"schedule": "linear", "error_gain": 1.1}]


def said(table: list[dict[str, Any]], *, audit: Any = AUDIT, claims: Any = CLAIMS, **others: Any) -> str:
    basis, points = answer.answer({"own": table} | others, audit, claims)
    return " ".join([f"{basis}:", *points])


def scattered(table: list[dict[str, Any]], **factors: float) -> list[dict[str, Any]]:
    """FID at T = 800 times a factor by schedule, and times 1.1 ** (seed - 4), so that intervals have a width."""
    return [
        row
        | ({"fid": row["fid"] * factors.get(row["schedule"], 1) * 1.1 ** (row["seed"] - 4)} if row["T"] == 800 else {})
        for row in table
    ]


def test_the_sentences_have_the_numbers() -> None:
    first_steps = [
        row | {"fid": 0.3 * row["fid"]} if row["sampler"] == "clipped-first" else row for row in rows(3, 4, 5)
    ]
    of_two = [row for row in first_steps if row["seed"] < 5 or row["sampler"] != "clipped-first"]
    text = said(of_two)
    assert text.startswith("FID: lower is better, real test images have 0.22; ratios: geometric means over 3 training")
    assert "Cosine is worse than linear because of one step" in text
    assert "by 100 at every T" in text
    assert "in that step alone, cosine's FID is 0.90 times (2 seeds) linear's. Raising T from 50 to 800" in text
    assert "cosine's FID is 1.50 times sigmoid's, which leaves open whether cosine is worse here." in text
    assert "cosine's FID is 3.00 times linear's. Raising" in said(rows(3, 4, 5)), "of all seeds"


def test_kid_is_said_where_it_is_positive() -> None:
    kid = {"linear": 1.0, "sigmoid": 4.0, "cosine": 3.0}
    text = said([row | {"kid": kid[row["schedule"]]} for row in rows(3, 4, 5)])
    assert "open whether cosine is worse here; by KID, another distance in the same features, it is 0.75 times." in text


def test_other_networks_are_said_by_their_verdicts() -> None:
    there = {"verdict": "supported", "estimate": math.log(18), "low": math.log(9), "high": math.log(36), "n": 3}
    found = {name: {"claims": {"cosine-worse": there | more}} for name, more in (("a", {}), ("b", CLAIM))}
    text = said(rows(3, 4, 5), claims=CLAIMS | {"networks": found | {"c": {"claims": {}}}})
    assert "is worse here. With a, cosine's FID is 18.0 times (9.00 to 36.0; 3 seeds) sigmoid's, so cosine is" in text
    assert text.endswith("so cosine is worse there.")
    found["a"]["claims"]["one-step"] = {"verdict": "supported"}
    text = said(rows(3, 4, 5), claims=CLAIMS | {"networks": found})
    assert text.endswith("sigmoid's, so cosine is worse there, again because of that step.")


def test_the_lowest_schedule_is_that_of_each_network() -> None:
    assert "Without the clip, the linear schedule has the lowest FID with each network below." in said(rows(3, 4, 5))
    no_sigmoid = [row for row in rows(3) if row["schedule"] != "sigmoid"]
    assert "the linear schedule has the lowest FID with each" in said(rows(3, 4, 5), partial=no_sigmoid)
    other = [row | {"fid": 0.1} if row["schedule"] == "cosine" else row for row in rows(3)]
    clipped = [row | {"fid": 0.1} if row["sampler"] == "clipped" else row for row in rows(3)]
    text = said(rows(3, 4, 5), a=other, b=clipped)
    assert "Without the clip, the lowest FID has linear with own and b and cosine with a. Cosine is" in text


def test_the_cause_is_said_by_its_verdict() -> None:
    unsure = CLAIMS | {"claims": CLAIMS["claims"] | {"one-step": CLAIM}}
    assert "That cosine is worse than linear because of one step is undecided: its first reverse" in (
        said(rows(3, 4, 5), claims=unsure)
    )
    two = [{"schedule": "cosine", "error_gain": gain} for gain in (100.0, 31.6, None, 31.6)]
    assert "the network's error by 32 to infinity. With x_0" in said(rows(3, 4, 5), audit=two)


def test_what_more_steps_do_is_said_where_the_seeds_tell() -> None:
    text = said(scattered(rows(3, 4, 5)))
    assert "Raising T from 50 to 800, in training and sampling together, does not lower this network's FID: it" in text
    assert "FID: it becomes 1.50 times (1.18 to 1.90) as large on linear, 1.50 times (1.18 to 1.90) on sigmoid" in text
    assert "on cosine with the clip; on cosine without it 1.50 times (1.18 to 1.90). Without the clip" in text
    once = said(rows(3))
    assert "together, changes this network's FID: it becomes 1.50 times as large on linear, 1.50 times on" in once
    assert "on cosine with the clip; on cosine without it 1.50 times. Without the clip" in once
    lower = said(scattered(rows(3, 4, 5), sigmoid=0.5))
    assert (
        "together, changes this network's FID: it becomes 1.50 times (1.18 to 1.90) as large on linear, 0.75" in lower
    )
    unsure = said(scattered(rows(3, 4, 5), linear=0.7))
    assert "together, changes this network's FID: it becomes 1.05 times (0.83 to 1.33) as" in unsure
    assert "on cosine without it 1.50 times (1.18 to 1.90)." in unsure
    level = said(scattered(rows(3, 4, 5), cosine=0.7))
    assert "on cosine with the clip; on cosine without it the seeds differ too much to tell. Without" in level


@pytest.mark.parametrize(
    ("absent", "says"),
    [
        ({"sampler": "clipped-first"}, "a seed with clipped-first on cosine at all T"),
        ({"schedule": "cosine", "sampler": "clipped"}, "a seed with clipped on cosine at all T"),
        ({"schedule": "sigmoid", "T": 50}, "a seed with ancestral on sigmoid at all T"),
    ],
)
def test_what_is_missing_is_one_line(absent: dict[str, Any], says: str) -> None:
    left = [row for row in rows(3, 4, 5) if not row.items() >= absent.items()]
    assert answer.lacking(rows(3, 4, 5), CLAIMS) == ""
    assert answer.lacking(left, CLAIMS) == says
    with pytest.raises(StudyError, match=f"lacks {says}, which the answer names.*make campaign ONLY=first-step-3"):
        said(left)


def test_cells_of_other_seeds_do_not_make_a_whole() -> None:
    halves = [
        row for row in rows(3, 4) if row["schedule"] != "sigmoid" or row["T"] == (50 if row["seed"] == 3 else 800)
    ]
    assert answer.lacking(halves, CLAIMS) == "a seed with ancestral on sigmoid at all T"


def test_without_seeds_or_verdict_nothing_is_answered() -> None:
    assert answer.lacking([], CLAIMS) == "a confirmatory seed"
    untested = CLAIMS | {"claims": {"one-step": CLAIM, "cosine-worse": {"verdict": "not tested"}}}
    assert answer.lacking(rows(3, 4, 5), untested) == "a verdict on cosine-worse"
    with pytest.raises(StudyError, match="lacks a verdict on cosine-worse, which the answer names"):
        said(rows(3, 4, 5), claims=untested)
