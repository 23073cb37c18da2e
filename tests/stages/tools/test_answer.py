"""The answer: its numbers are those of the rows, and what it cannot say is one line."""

import math
from typing import Any

import pytest

from ddpm.errors import StudyError
from stages.tools import answer

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


def test_the_sentences_have_the_numbers() -> None:
    first_steps = [
        row | {"fid": 0.3 * row["fid"]} if row["sampler"] == "clipped-first" else row for row in rows(3, 4, 5)
    ]
    of_two = [row for row in first_steps if row["seed"] < 5 or row["sampler"] != "clipped-first"]
    said = " ".join(answer.answer(of_two, AUDIT, CLAIMS).split())
    assert (
        "real test images have 0.22; ratios: geometric means over 3 training seeds, with 95 % confidence intervals)"
        in said
    )
    assert "Cosine is worse than linear because of one step" in said
    assert "by 100 at every T" in said
    assert "in that step alone, cosine's FID is 0.90 times (2 seeds) linear's. Raising T from 50 to 800" in said
    assert "does not lower this network's FID: it becomes 1.50 times" in said
    assert "it becomes 1.50 times as large on linear, 1.50 times on sigmoid and 1.50 times on cosine with the" in said
    assert "cosine's FID is 1.50 times sigmoid's, which leaves open whether cosine is worse here." in said
    kid = {"linear": 1.0, "sigmoid": 4.0, "cosine": 3.0}
    by_kid = answer.answer([row | {"kid": kid[row["schedule"]]} for row in rows(3, 4, 5)], AUDIT, CLAIMS)
    assert "open whether cosine is worse here; by KID, another distance in the same features, it is 0.75 times." in (
        " ".join(by_kid.split())
    )
    assert "cosine's FID is 3.00 times linear's. Raising" in " ".join(by_kid.split()), "of all seeds"
    there = {"verdict": "supported", "estimate": math.log(18), "low": math.log(9), "high": math.log(36), "n": 3}
    found = {name: {"claims": {"cosine-worse": there | more}} for name, more in (("a", {}), ("b", CLAIM))}
    said = " ".join(answer.answer(rows(3, 4, 5), AUDIT, CLAIMS | {"networks": found | {"c": {"claims": {}}}}).split())
    assert (
        "is worse here. With a, cosine's FID is 18.0 times (9.00 to 36.0; 3 seeds) sigmoid's, so cosine is worse"
        in said
    )
    assert "again because of that step" not in said
    found["a"]["claims"]["one-step"] = {"verdict": "supported"}
    said = " ".join(answer.answer(rows(3, 4, 5), AUDIT, CLAIMS | {"networks": found}).split())
    assert said.endswith("sigmoid's, so cosine is worse there, again because of that step.")
    unsure = CLAIMS | {"claims": CLAIMS["claims"] | {"one-step": CLAIM}}
    assert "Cosine seems to be worse than linear because" in " ".join(
        answer.answer(rows(3, 4, 5), AUDIT, unsure).split()
    )


def test_a_row_a_network() -> None:
    halved = {("cosine", 800): 0.5}
    there = [row | {"fid": row["fid"] * halved.get((row["schedule"], row["T"]), 1)} for row in rows(3, 4, 5)]
    there = [row for row in there if row["sampler"] != "clipped-first"]
    two = [row for row in there if row["seed"] < 5]
    no_sigmoid = [row for row in there if row["schedule"] != "sigmoid"]
    apart = [row for row in rows(3, 4, 5) if row["T"] == (50 if row["schedule"] == "cosine" else 800)]
    networks = {"own": rows(3, 4, 5), "other": there, "few": two, "partial": no_sigmoid}
    header, lines = answer.by_network(networks, 0.95)
    assert header[1:4] == ["Linear", "Sigmoid", "Cosine"]
    assert {len(line) for line in lines} == {len(header)}
    own, other, few = lines
    assert own[:2] == ["own (3 seeds, T = 50, 800)", "1.03 to 1.58"]
    assert own[4] == own[3] != own[1]
    assert own[-1] == "1.50 at T = 50; 1.50 at T = 800"
    assert other[4] == "not run"
    assert other[-1] == "1.50 at T = 50; 0.75 at T = 800"
    assert few[0] == "few (2 seeds, T = 50, 800)"
    assert few[-1] == "1.06, mean over T"
    (last,) = answer.by_network({"apart": apart}, 0.95)[1]
    assert last[-1] == "", "no T has both"


def test_a_further_schedule_takes_no_seed_away() -> None:
    further = [row | {"schedule": "linear-ho"} for row in rows(3) if row["schedule"] == "linear"]
    assert answer.by_network({"own": rows(3, 4, 5) + further}, 0.95) == answer.by_network({"own": rows(3, 4, 5)}, 0.95)


def test_the_ratios_of_all_networks_are_at_the_T_that_they_share() -> None:
    few_T = [row for row in rows(3, 4, 5) if row["T"] == 50]
    _, lines = answer.by_network({"own": rows(3, 4, 5), "other": few_T}, 0.95)
    assert [line[-1] for line in lines] == ["1.50 at T = 50"] * 2


def test_other_seeds_are_beside_the_range() -> None:
    once = [row for row in rows(3, 4, 5) if row["seed"] == 3 or row["sampler"] != "clipped-first"]
    (line,) = answer.by_network({"own": once}, 0.95)[1]
    assert line[3:6] == ["3.09 to 4.73", "3.09 to 4.63 (seed 3)", "3.09 to 4.73"]
    of_cosine = [row for row in rows(3, 4, 5, 6, 7) if row["seed"] < 6 or row["schedule"] == "cosine"]
    apart = [row for row in of_cosine if row["seed"] in (3, 5, 6) or row["sampler"] != "clipped-first"]
    (line,) = answer.by_network({"own": apart}, 0.95)[1]
    assert line[0] == "own (3 seeds, T = 50, 800)"
    assert line[1] == "1.03 to 1.58"
    assert line[3].endswith(" (seeds 3 to 7)")
    assert line[4].endswith(" (seeds 3, 5, 6)")


@pytest.mark.parametrize(
    ("absent", "says"),
    [
        ({"sampler": "clipped-first"}, r"no seed has clipped-first on cosine .*make campaign ONLY=first-step-3"),
        ({"schedule": "cosine", "sampler": "clipped"}, "no seed of cosine has T = 50 and 800"),
    ],
)
def test_what_is_missing_is_one_line(absent: dict[str, str], says: str) -> None:
    left = [row for row in rows(3, 4, 5) if not row.items() >= absent.items()]
    with pytest.raises(StudyError, match=says):
        answer.answer(left, AUDIT, CLAIMS)


def test_no_verdict_is_one_line() -> None:
    untested = CLAIMS | {"claims": {"one-step": CLAIM, "cosine-worse": {"verdict": "not tested"}}}
    with pytest.raises(StudyError, match="no verdict on cosine-worse, which the answer names"):
        answer.answer(rows(3, 4, 5), AUDIT, untested)
