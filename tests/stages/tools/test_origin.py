"""A cell's run names its data set and its model, by checksum and path; no large file is copied."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from ddpm import artifacts
from stages.tools import publish, store
from tests.stage_runs import CELL, run


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one process MLflow keeps the connection of a relative address, whatever folder it is in later."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / store.DATABASE}")


def cell_run() -> Any:
    client, experiment = store.connect()
    (found,) = client.search_runs([experiment], f"tags.cell = '{CELL}'")
    return found


def test_the_data_set_is_an_input(whole_grid: Path) -> None:
    import mlflow

    run(publish)
    (used,) = cell_run().inputs.dataset_inputs
    assert used.dataset.name == "mnist"
    assert cell_run().data.params["data.name"] == "mnist"
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "training")]
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in Path("data/raw").iterdir()}
    assert len(files) == 4
    assert all(f'"{name}": "{checksum}"' in used.dataset.profile for name, checksum in files.items())
    listed = "".join(f"{checksum}  {name}\n" for name, checksum in sorted(files.items()))  # as sha256sum prints it
    assert hashlib.sha256(listed.encode()).hexdigest().startswith(used.dataset.digest)
    assert mlflow.data.get_source(used).uri == "data/raw"


def test_the_model_is_linked_and_not_copied(aggregated: Path) -> None:
    run(publish)
    (file,) = (aggregated / "mlruns").rglob(f"{cell_run().info.run_id}/artifacts/model.json")
    link, data = artifacts.read_json(file), CELL.model.read_bytes()
    assert link == {
        "file": str(CELL.model),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "md5": cell_run().data.tags["dvc.model_md5"],
    }
    assert {path.suffix for path in (aggregated / "mlruns").rglob("*") if path.is_file()} <= {".json", ".png", ".csv"}


def test_a_run_of_an_earlier_form_is_completed(whole_grid: Path) -> None:
    """Runs that earlier releases sent lack the data set; the next publish adds it, and no second run."""
    raw = whole_grid / "data" / "raw"
    shutil.move(raw, whole_grid / "elsewhere")
    run(publish)  # also without the data set's files: results may have been pulled alone
    before = cell_run()
    assert before.inputs.dataset_inputs == []
    client, _ = store.connect()
    client.set_tag(before.info.run_id, "complete", "true")
    client.delete_tag(before.info.run_id, "mlflow.runColor")
    shutil.move(whole_grid / "elsewhere", raw)
    run(publish)
    after = cell_run()
    assert after.info.run_id == before.info.run_id
    assert after.info.end_time == before.info.end_time
    assert len(after.inputs.dataset_inputs) == 1
    assert after.data.tags["mlflow.runColor"] == "#1f77b4"  # linear's in the figures
    assert client.get_metric_history(after.info.run_id, "loss") == client.get_metric_history(before.info.run_id, "loss")
