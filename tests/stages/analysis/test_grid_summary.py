"""The summary against the committed tables."""

import pytest

from ddpm import artifacts
from stages.analysis.grid_summary import summarise
from tests.committed import only_as_committed
from tests.conftest import ROOT


@only_as_committed
def test_the_summary_of_the_committed_table_is_the_committed_one() -> None:
    committed = artifacts.read_json(ROOT / "metrics/summary.json")
    found = summarise(artifacts.read_csv(ROOT / "metrics/fid_of_T.csv"), committed.get("classifier", {}))
    for part in ("best", "measured_with"):
        assert found[part] == pytest.approx(committed[part])
    for schedule, of_T in found["fid"]["ancestral"].items():
        shown = artifacts.read_json(ROOT / "metrics" / "fid" / f"{schedule}.json")
        assert of_T == pytest.approx(shown)
        assert list(shown) == sorted(shown, key=int)
