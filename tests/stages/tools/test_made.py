"""What dvc.lock says of a cell's files: whether they are of the parameters that params.yaml has."""

import json
from pathlib import Path
from typing import Any

import pytest

from stages.support import settings
from stages.tools import lock, made
from tests.committed import only_as_committed
from tests.conftest import ROOT, edit_params
from tests.locked import lock_cells
from tests.stage_runs import CELL


def fault() -> str:
    params = settings.load()
    names = (*made.SHARED, *made.outputs(CELL, params.grid.sampler))
    return made.cell_fault(CELL, params.grid.sampler, lock.entries(Path(), names), made.values())


@pytest.fixture
def locked(tiny_study: Path) -> Path:
    """A cell's files and their dvc.lock, as DVC leaves them; the files say nothing."""
    params = settings.load()
    files = [path for paths in made.outputs(CELL, params.grid.sampler).values() for path in paths]
    for path in (*files, CELL.table):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(path))
    lock_cells(tiny_study, [CELL], params.grid.sampler)
    return tiny_study


def test_files_of_today_s_parameters(locked: Path) -> None:
    assert fault() == ""
    edit_params(locked, diff={"log_ratio": 0.5}, grid={"T": [20]}, ranking={"draws": 9})  # which no cell depends on
    assert fault() == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"train": {"epochs": 15}}, "train@linear-20-0: made with other train than params.yaml has"),
        ({"heldout": {"images": 9}}, "heldout@linear-20-0: made with other heldout"),
        ({"sample": {"seed": 5}}, "sample@linear-20-0-ancestral: made with other sample"),
        ({"fid": {"kid_images": 9}}, "fid@linear-20-0-ancestral: made with other fid"),
        ({"data": {"name": "fashion-mnist"}}, "mnist: made with other data.name"),
        ({"schedules": {"linear": {"beta_max": 0.009}}}, "schedules: made with other parameters"),
        ({"schedules": {"cosine": {"s": 0.5}}}, ""),  # not this cell's
    ],
)
def test_files_of_other_parameters(locked: Path, change: dict[str, dict[str, object]], says: str) -> None:
    edit_params(locked, **change)
    assert fault().startswith(says)
    assert bool(fault()) == bool(says)


def test_files_that_changed_since(locked: Path) -> None:
    CELL.samples("clipped").write_text("others")
    assert fault() == "sample@linear-20-0-clipped: not the file that dvc.lock names"


@pytest.mark.parametrize(
    ("stage", "path"),
    [("sample@linear-20-0-ancestral", CELL.model), ("train@linear-20-0", Path("data/raw"))],
    ids=["sample", "train"],
)
def test_files_made_of_what_was_there_before(locked: Path, stage: str, path: Path) -> None:
    """As after a training with the samples still to be made, and after new images with the training still to come."""
    found: dict[str, Any] = json.loads(Path("dvc.lock").read_text())
    (dep,) = (dep for dep in found["stages"][stage]["deps"] if dep["path"] == path.as_posix())
    dep["md5"] = "0" * 32
    Path("dvc.lock").write_text(json.dumps(found))
    assert fault() == f"{stage}: made of an earlier {path}"


def test_a_table_of_betas_that_changed_since(locked: Path) -> None:
    CELL.table.write_text("others")
    assert fault() == f"train@linear-20-0: made of an earlier {CELL.table}"


def test_nothing_is_known_of_what_was_run_without_dvc(locked: Path) -> None:
    Path("dvc.lock").unlink()
    assert fault() == ""


@only_as_committed
def test_every_cell_of_the_committed_study_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    params = settings.load()
    samplers = params.grid.sampler
    names = [name for cell in params.grid.cells() for name in made.outputs(cell, samplers)]
    entries, now = lock.entries(Path(), (*made.SHARED, *names)), made.values()
    monkeypatch.setattr(made, "outputs", lambda cell, _: {name: () for name in names if f"@{cell}" in name})
    assert [told for cell in params.grid.cells() if (told := made.cell_fault(cell, samplers, entries, now))] == []
