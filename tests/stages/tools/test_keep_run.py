"""`keep_run` keeps a table only under the parameters that it was made with, as dvc.lock says."""

import json
from pathlib import Path

import pytest

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.analysis.runs import FOLDER, RANKING, TABLE
from stages.support import settings
from stages.tools.keep_run import keep
from tests.conftest import edit_params
from tests.locked import lock_tables

FID, TAU = Path("metrics") / TABLE, Path("metrics") / RANKING


@pytest.fixture
def made(tiny_study: Path) -> Path:
    """A study whose tables are up to date."""
    grid = settings.load().grid
    axes = [(cell, sampler) for cell in grid.cells() for sampler in grid.sampler]
    rows = [{"schedule": c.schedule, "T": c.T, "seed": c.seed, "sampler": s, "fid": 1.0} for c, s in axes]
    artifacts.write_csv(FID, rows)
    artifacts.write_json(TAU, {"grid": grid.model_dump(), "mean_tau": {}})
    lock_tables()
    return tiny_study


def refused(says: str) -> None:
    with pytest.raises(StudyError, match=says) as caught:
        keep("x")
    assert "\n" not in str(caught.value)
    assert not FOLDER.exists()


def test_tables_that_are_up_to_date_are_kept(made: Path) -> None:
    assert keep("x").startswith("8 rows in metrics/runs/x")
    assert {path.name for path in (FOLDER / "x").iterdir()} == {TABLE, RANKING, "params.yaml", "dvc.lock"}
    edit_params(made, validation={"images": 9}, chains={"frames": 9})  # which no number of the tables depends on
    assert keep("y")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"train": {"epochs": 15}}, "train"),
        ({"network": {"norm": "all"}, "sample": {"seed": 11}}, "network, sample"),
        ({"data": {"name": "fashion-mnist"}}, r"data\.name"),
    ],
)
def test_the_table_of_other_parameters_is_not_kept(made: Path, change: dict[str, dict[str, object]], says: str) -> None:
    """As after `dvc exp run -S train.epochs=15` that was interrupted: the committed table is there still."""
    edit_params(made, **change)
    refused(rf"metrics/fid_of_T\.csv: made with other {says} than params\.yaml has; run `dvc repro aggregate`$")


def test_a_table_that_dvc_did_not_make_is_not_kept(made: Path) -> None:
    artifacts.write_csv(FID, [row | {"fid": 2.0} for row in artifacts.read_csv(FID)])
    refused(r"metrics/fid_of_T\.csv: not the file that dvc\.lock names; run `dvc repro aggregate`$")


def test_without_an_entry_nothing_is_known_of_a_table(made: Path) -> None:
    Path("dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": {}}))
    refused(r"metrics/fid_of_T\.csv: dvc\.lock does not have the stage that makes it; run `dvc repro aggregate`$")
    Path("dvc.lock").write_text("x")
    refused(r"dvc\.lock: not a dvc\.lock")
    Path("dvc.lock").unlink()
    refused("does not have the stage")


def test_rankings_of_another_study_are_not_kept(made: Path) -> None:
    edit_params(made, ranking={"draws": 9})
    refused(r"metrics/ranking\.json: made with other ranking than params\.yaml has; run `dvc repro ranking`$")


def test_rankings_that_are_another_json_are_not_kept(made: Path) -> None:
    artifacts.write_json(TAU, [1])
    refused(r"metrics/ranking\.json: not a JSON object; run `dvc repro ranking`$")


def test_a_table_without_its_axes_is_not_kept(made: Path) -> None:
    artifacts.write_csv(FID, [{"fid": 1.0}])
    refused(r"metrics/fid_of_T\.csv: not the table of the grid in params\.yaml; run `dvc repro`$")


def test_rankings_of_other_cells_than_the_table_s_are_not_kept(made: Path) -> None:
    """As after another training and `dvc repro aggregate`, which leaves the rankings."""
    found = json.loads(Path("dvc.lock").read_text())
    found["stages"]["aggregate"]["deps"][0]["md5"] = "other"
    Path("dvc.lock").write_text(json.dumps(found))
    refused(r"metrics/ranking\.json: of other cells than the table; run `dvc repro ranking`$")


@pytest.mark.parametrize("written", range(4))
def test_a_run_killed_while_it_is_kept_has_no_lock(made: Path, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    """Nor that of the run that was kept there before: what has a lock is whole."""
    keep("x")
    write, calls = artifacts.write_bytes, list[Path]()

    def killed(path: Path, data: bytes) -> None:
        if len(calls) == written:
            raise KeyboardInterrupt
        calls.append(path)
        write(path, data)

    monkeypatch.setattr(artifacts, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        keep("x")
    assert not (FOLDER / "x" / "dvc.lock").exists()
    assert len(calls) == written


def test_another_run_is_not_overwritten(made: Path) -> None:
    keep("x")
    keep("x")  # the same again
    before = {path.name: path.read_bytes() for path in (FOLDER / "x").iterdir()}
    edit_params(made, grid={"seed": [7]}, chains={"seed": 7})
    with pytest.raises(StudyError, match=r"metrics/runs/x: keeps another run, which differs in grid; choose another"):
        keep("x")
    assert {path.name: path.read_bytes() for path in (FOLDER / "x").iterdir()} == before
