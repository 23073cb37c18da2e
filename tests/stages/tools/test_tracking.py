"""What is sent to MLflow: only what was made with the parameters of params.yaml, as far as dvc.lock knows."""

import json
from pathlib import Path

import pytest

from ddpm import artifacts
from stages.support import settings
from stages.tools import store, tracking
from tests.conftest import edit_params
from tests.locked import entry, lock_cells


def test_files_of_earlier_parameters_are_not_sent(
    whole_grid: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{whole_grid / store.DATABASE}")
    params = settings.load()
    lock_cells(whole_grid, params.grid.cells(), params.grid.sampler)
    summary = "metrics/summary.json"
    artifacts.write_json(Path(summary), {})
    found = json.loads(Path("dvc.lock").read_text())
    found["stages"]["aggregate"] = entry("aggregate", [summary], whole_grid)
    Path("dvc.lock").write_text(json.dumps(found))
    edit_params(whole_grid, train={"epochs": 15})  # and a training that failed
    tracking.report(tracking.publish(settings.load()))
    told = capsys.readouterr().out
    assert "MLflow: 0 runs sent, 0 cells up to date" in told
    assert (
        "left out: 4 cells that are not of this study; the first: "
        "train@linear-20-0: made with other train than params.yaml has; run `make study`"
    ) in told
    client, experiment = store.connect()
    (study,) = client.search_runs([experiment])  # no run of a cell
    assert client.list_artifacts(study.info.run_id) == []

    edit_params(whole_grid, train={"epochs": params.train.epochs})
    first = params.grid.cells()[0]
    artifacts.write_bytes(first.heldout, artifacts.read_bytes(first.heldout) + b"\n")
    second = params.grid.cells()[1]
    artifacts.remove(second.log)  # not there yet
    done = tracking.publish(settings.load())
    assert (done.sent, done.complete) == (2, 2)
    assert done.faults == (f"heldout@{first}: not the file that dvc.lock names",)
    for _ in range(2):  # the first is made, and made again by other code
        artifacts.write_bytes(first.heldout, artifacts.read_bytes(first.heldout) + b"\n")
        lock_cells(whole_grid, [cell for cell in params.grid.cells() if cell != second], params.grid.sampler)
        assert tracking.publish(settings.load()).sent == 1
    made = client.search_runs([experiment], f"tags.cell = '{first}'")
    assert sorted(run.data.tags["current"] for run in made) == ["no", "yes"]
    monkeypatch.setattr(store, "_PAGE", 1)  # more runs than the store hands out at once
    assert tracking.publish(settings.load()).sent == 0
    tracking.report(done)
    assert "MLflow: 2 runs sent, 2 cells up to date" in capsys.readouterr().out
    sent = client.search_runs([experiment], "tags.cell = 'study'")
    assert [len(client.list_artifacts(run.info.run_id)) for run in sent if run.info.run_id != study.info.run_id] == [1]
