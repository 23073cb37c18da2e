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


CLAIM = {"verdict": "undecided", "estimate": math.log(1.5), "low": None, "high": None}
CLAIMS = {
    "confidence": 0.95,
    "claims": {"one-step": {"verdict": "supported"}, "cosine-worse": CLAIM},
    "networks": {},
}
AUDIT = [{"schedule": "cosine", "error_gain": 100.2}, {"schedule": "linear", "error_gain": 1.1}]


def test_the_sentences_have_the_numbers() -> None:
    halved = {("cosine", 800): 0.5}
    there = [row | {"fid": row["fid"] * halved.get((row["schedule"], row["T"]), 1)} for row in rows(3, 4, 5)]
    said = " ".join(answer.answer(rows(3, 4, 5), AUDIT, CLAIMS, {"other": there}).split())
    assert "geometric means over 3 training seeds, lowest to highest over T = 50 to 800" in said
    assert "linear is best with 1.04 to 1.56; sigmoid has 2.08 to 3.12, and cosine 3.12 to 4.68, with" in said
    assert "real images have 0.09 from the training set, 0.22 from the test set" in said
    assert "One step accounts for cosine's excess in FID" in said
    assert "by 100 at every T" in said
    assert "T = 800 has 1.50 times the FID of T = 50 on linear, 1.50 times on sigmoid and 1.50 times on cosine" in said
    assert "lowest to highest over T = 50 to 800; ratios with 95 % intervals;" in said
    assert "gives 3.12 to 4.68 (3 seeds), like clipping in all steps (3.12 to 4.68)" in said
    assert "1.50 times that of sigmoid, which leaves open whether cosine is worse here" in said
    assert "With other networks it is 1.50 times at T = 50 and 0.75 times at T = 800 (other)." in said
    two = answer.answer(rows(3, 4, 5), AUDIT, CLAIMS, {"other": [row for row in there if row["seed"] < 5]})
    assert "With other networks it is 1.06 times (other; 2 seeds)." in " ".join(two.split()), "the mean over T"
    assert "model): other (3 training seeds, T = 50, 800): linear 1.03 to 1.58, sigmoid 2.06 to 3.15, cosine" in said


@pytest.mark.parametrize(
    ("absent", "says"),
    [
        ({"sampler": "clipped-first"}, r"no cells of clipped-first on cosine.*make campaign ONLY=first-step-3"),
        ({"schedule": "sigmoid"}, "no cells of ancestral on sigmoid, which the answer names"),
    ],
)
def test_what_is_missing_is_one_line(absent: dict[str, str], says: str) -> None:
    left = [row for row in rows(3, 4, 5) if not row.items() >= absent.items()]
    with pytest.raises(StudyError, match=says):
        answer.answer(left, AUDIT, CLAIMS, {})


def test_no_verdict_is_one_line_and_no_ratio_is_no_words() -> None:
    untested = CLAIMS | {"claims": {"one-step": CLAIM, "cosine-worse": {"verdict": "not tested"}}}
    with pytest.raises(StudyError, match="no verdict on cosine-worse, which the answer names"):
        answer.answer(rows(3, 4, 5), AUDIT, untested, {})
    apart = [row for row in rows(3, 4, 5) if row["T"] == (50 if row["schedule"] == "cosine" else 800)]
    said = answer.answer(rows(3, 4, 5), AUDIT, CLAIMS, {"other": apart})
    assert "With other networks" not in said
