"""`mv` and `cp -r` of a folder with an MLflow database: its files are found, and a copy leaves its original alone."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.conftest import ROOT, edit_params

# what a user's MLflow client finds in the database of the working directory: the address of each run's artifacts
FIND = """
from mlflow import MlflowClient
client = MlflowClient("sqlite:///mlflow.db")
for run in client.search_runs([client.get_experiment_by_name("ddpm-mnist").experiment_id]):
    print(run.info.artifact_uri, *sorted(file.path for file in client.list_artifacts(run.info.run_id)), sep="\\t")
"""


def command(folder: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def found(folder: Path) -> dict[Path, list[str]]:
    """The folders of the runs' artifacts, and the files that MLflow lists there."""
    lines = [line.split("\t") for line in command(folder, "-c", FIND).splitlines()]
    return {Path(unquote(urlsplit(address).path)): files for address, *files in lines}


def contents(folder: Path) -> dict[Path, str]:
    """Checksums of the database and of all artifacts."""
    files = [folder / "mlflow.db", *(path for path in (folder / "mlruns").rglob("*") if path.is_file())]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def published(whole_grid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study whose results are in its own database."""
    folder = tmp_path / "old place"
    folder.mkdir()
    for name in ("data", "params.yaml"):
        shutil.move(tmp_path / name, folder / name)
    edit_params(folder, grid={"T": [20]})
    assert "2 runs sent, 2 cells up to date" in command(folder, "-m", "stages.tools.publish")
    return folder


def test_a_renamed_folder(published: Path, tmp_path: Path) -> None:
    folder = published.rename(tmp_path / "new #1, 50%")
    edit_params(folder, grid={"T": [20, 30]})
    assert "2 runs sent, 4 cells up to date" in command(folder, "-m", "stages.tools.publish")
    runs = found(folder)
    assert all(path.is_relative_to(folder / "mlruns") for path in runs)
    assert sorted(map(len, runs.values())) == [0, 3, 3, 3, 3]  # the study's run has no tables here; a cell's has three
    assert not published.exists()


def test_a_copy_leaves_its_original_alone(published: Path, tmp_path: Path) -> None:
    before = contents(published)
    copy = Path(shutil.copytree(published, tmp_path / "copy"))
    edit_params(copy, grid={"T": [20, 30]})
    assert "2 runs sent, 4 cells up to date" in command(copy, "-m", "stages.tools.publish")
    assert contents(published) == before
    assert all(path.is_relative_to(copy / "mlruns") for path in found(copy))
