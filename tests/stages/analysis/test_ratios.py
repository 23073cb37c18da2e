"""A ratio over the seeds and its interval."""

import math

import pytest

from stages.analysis import ratios
from stages.analysis.tables import results
from tests.stages.analysis.planted_fids import rows


def test_a_ratio_has_the_interval_of_the_seeds() -> None:
    table = rows(3, 4, 5)
    for row in table:
        row["fid"] *= 2 ** (row["seed"] - 4) if row["schedule"] == "cosine" else 1
    logs = ratios.logs_of(results(table), "fid")
    found = ratios.ratio(logs, [("cosine", "ancestral", 50)], [("linear", "ancestral", 50)], 0.95)
    assert found is not None
    half = 4.302653 * math.log(2) / math.sqrt(3)  # the 97.5 % quantile of Student's t, two degrees
    assert (found.estimate, found.low, found.high) == pytest.approx((3, 3 * math.exp(-half), 3 * math.exp(half)))
    assert ratios.ratio(logs, [("cosine", "ddim", 50)], [("linear", "ancestral", 50)], 0.95) is None
