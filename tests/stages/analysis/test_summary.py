"""The sentences hold the table's own numbers."""

from typing import Any

import pytest

from ddpm import artifacts
from stages.analysis.summary import sentences
from tests.committed import only_as_committed
from tests.conftest import ROOT


def row(schedule: str, T: int, fid: float, seed: int = 0, sampler: str = "ancestral") -> dict[str, Any]:
    axes = {"schedule": schedule, "T": T, "seed": seed, "sampler": sampler}
    return axes | {"fid": fid, "fid_floor": 0.25, "samples": 1000}


def test_best_and_range_of_every_schedule() -> None:
    rows = [row("linear", 50, 3.0), row("linear", 100, 1.0), row("cosine", 50, 2.0), row("cosine", 100, 9.0)]
    rows += [row("linear", 50, 0.1, sampler="clipped")]  # another sampler's
    best, linear, cosine, how = sentences(rows, "ancestral")
    assert best.startswith("Of T = 50 to 100, linear is best at T = 100: FID 1.00 (ancestral sampler)")
    assert best.endswith("0.25.")
    assert linear == "linear: lowest FID 1.00 (T = 100), highest 3.00 (T = 50)."
    assert cosine == "cosine: lowest FID 2.00 (T = 50), highest 9.00 (T = 100)."
    assert "1,000 samples" in how
    assert "one training seed" in how


def test_ranges_are_of_means_over_seeds() -> None:
    rows = [row("linear", 50, 1.0), row("linear", 50, 2.0, seed=1), row("linear", 100, 4.0), row("linear", 100, 4.5, 1)]
    rows += [row("cosine", 50, 0.9), row("cosine", 50, 9.0, seed=1)]  # one lucky seed is not the best schedule
    best, *others = sentences(rows, "ancestral")
    assert best.startswith("Of T = 50 to 100, linear is best at T = 50: FID 1.41 (ancestral")
    assert others == [
        "linear: lowest FID 1.41 (T = 50), highest 4.24 (T = 100).",
        "cosine: lowest FID 2.85 (T = 50), highest 2.85 (T = 50).",
        "Measured with 1,000 samples per configuration and 2 training seeds (0, 1), of which FIDs are geometric means.",
    ]


def test_the_tables_sampler_where_the_claims_is_not_there() -> None:
    assert "(ddim sampler)" in sentences([row("linear", 50, 1.0, sampler="ddim")], "ancestral")[0]


@only_as_committed
@pytest.mark.parametrize("sampler", ["ancestral", "clipped"])
def test_the_committed_table(sampler: str) -> None:
    rows = artifacts.read_csv(ROOT / "metrics/fid_of_T.csv")
    best = min((r for r in rows if r["sampler"] == sampler), key=lambda r: float(r["fid"]))
    assert f"{best['schedule']} is best at T = {best['T']}: FID {best['fid']:.2f}" in sentences(rows, sampler)[0]
