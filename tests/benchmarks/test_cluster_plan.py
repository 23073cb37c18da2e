"""The simulated cluster: what holds whatever the costs are; and the committed page is of the committed costs."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks import cluster_plan
from benchmarks.cluster_plan import CELLS, COSTS, PLACES, TABLE, Costs, Server, collect, simulate

FREE = Costs(10.0, 0.0, 0.0, 0.0, 8, 0.0, 0.0)


def test_a_server_serves_one_after_another() -> None:
    server = Server()
    assert [server.serve(asked, 2.0) for asked in (0.0, 1.0, 10.0)] == [2.0, 4.0, 12.0]
    assert server.busy == 6.0


def test_without_costs_the_places_compute_all_the_time() -> None:
    for places in (1, 4, 20):
        plan = simulate(FREE, 20, places)
        assert plan.hours * 3600 == pytest.approx(20 / places * 10, rel=1e-2)
        assert plan.efficiency == pytest.approx(1, rel=1e-2)
        assert plan.limit == "places"
    assert simulate(FREE, 20, 100).limit == "more places than jobs"


def test_a_batch_takes_all_that_came_meanwhile() -> None:
    costs = Costs(0.0, 0.0, 1.0, 2.0, 1, 0.0, 0.0)
    # the first at 0: 2 + 1 entry; the two that came meanwhile: 2 + 3 entries; one by one: 3, 4, 5
    assert collect([0.0, 1.0, 2.0], costs, batches=True) == (8.0, 8.0)
    assert collect([0.0, 1.0, 2.0], costs, batches=False) == (12.0, 12.0)


def test_more_places_and_batches_never_take_longer() -> None:
    costs = Costs(**json.loads(COSTS.read_text()))
    for places, more in pairwise(PLACES[:5]):
        assert simulate(costs, CELLS[0], more).hours <= simulate(costs, CELLS[0], places).hours
        assert simulate(costs, CELLS[0], places).hours <= simulate(costs, CELLS[0], places, batches=False).hours


def test_the_committed_page_is_of_the_committed_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_plan, "TABLE", tmp_path / "table")
    monkeypatch.setattr(cluster_plan, "FIGURE", tmp_path / "figure.png")
    cluster_plan.main(measured=False)
    assert (tmp_path / "table").read_text() == TABLE.read_text()
    assert (tmp_path / "figure.png").stat().st_size > 5_000
