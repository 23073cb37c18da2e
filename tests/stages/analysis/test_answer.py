"""The answer: what its numbers are, and what a study lacks is one line."""

from typing import Any

import pytest

from ddpm.errors import StudyError
from stages.analysis import answer
from tests.stages.analysis.planted_fids import CLAIM, CLAIMS, FACTOR, rows, said, study


def test_the_basis_is_what_the_numbers_are() -> None:
    text = said(study(3, 4, 5))
    assert text.startswith(
        "FID: lower is better; real images have 0.09 (of the training set) and 0.22 (of the test set); ratios: "
        "geometric means over 3 training seeds, and over T where none is named, with 95 % confidence intervals; "
        '"open": the interval contains 1: Without the clip'
    )
    no_test_images = [row | {"fid_test_images": None} for row in study(3)]
    assert "have 0.09 (of the training set); ratios: of one training seed: Which" in said(no_test_images)
    assert "means over 3 training seeds, with" in said([row for row in study(3, 4, 5) if row["T"] == 200])
    of_linear = [row for row in study(6, 7) if row["schedule"] == "linear"]
    assert "means over 3 training seeds, and over T" in said(study(3, 4, 5) + of_linear), "seeds with all schedules"


@pytest.mark.parametrize(
    ("absent", "says"),
    [
        ({"sampler": "clipped-first"}, "a seed with clipped-first on cosine at all T"),
        ({"schedule": "cosine", "sampler": "clipped"}, "a seed with clipped on cosine at all T"),
        ({"schedule": "sigmoid", "T": 50}, "a seed with ancestral on sigmoid at all T"),
    ],
)
def test_what_is_missing_is_one_line(absent: dict[str, Any], says: str) -> None:
    left = [row for row in study(3, 4, 5) if not row.items() >= absent.items()]
    assert answer.lacking(study(3, 4, 5), CLAIMS) == ""
    assert answer.lacking(left, CLAIMS) == says
    with pytest.raises(StudyError, match=f"lacks {says}, which the answer names.*make campaign ONLY=first-step-3"):
        said(left)


def test_cells_of_other_seeds_do_not_make_a_whole() -> None:
    halves = [
        row for row in rows(3, 4) if row["schedule"] != "sigmoid" or row["T"] == (50 if row["seed"] == 3 else 800)
    ]
    assert answer.lacking(halves, CLAIMS) == "a seed with ancestral on sigmoid at all T"


def test_cells_that_no_seed_has_together_do_not_make_a_whole() -> None:
    apart = [row for row in study(3, 4, 5) if row["schedule"] == [*FACTOR][row["seed"] - 3]]
    assert answer.lacking(apart, CLAIMS) == "one seed with all of the cells"


def test_without_seeds_verdicts_or_fid_nothing_is_answered() -> None:
    table = study(3, 4, 5)
    assert answer.lacking([], CLAIMS) == "a confirmatory seed"
    assert answer.lacking(table, CLAIMS | {"quality": "kid"}) == "claims on FID"
    assert answer.lacking(table, CLAIMS | {"claims": {"cosine-worse": CLAIM}}) == "a verdict on one-step"
    untested = CLAIMS | {"claims": CLAIMS["claims"] | {"cosine-worse": {"verdict": "not tested", "n": 0}}}
    assert answer.lacking(table, untested) == "a verdict on cosine-worse"
    with pytest.raises(StudyError, match="lacks a verdict on cosine-worse, which the answer names"):
        said(table, claims=untested)
