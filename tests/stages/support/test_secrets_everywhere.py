"""Credentials planted in every address that a user can set: nothing that is printed, written or sent has them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.mlflow_server import free_port, serving
from tests.stage_runs import CELL

SECRET = "s3cr3t-Passw0rd"  # noqa: S105  # planted
VARIABLES = {
    "MLFLOW_TRACKING_PASSWORD": SECRET,
    "MLFLOW_TRACKING_USERNAME": "ann",
    "PGPASSWORD": SECRET,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "DATABASE_URL": f"postgresql://ann:{SECRET}@127.0.0.1:9/db",
}
PROXIES = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"), f"http://ann:{SECRET}@127.0.0.1:9")
REMOTE = f"[core]\n    remote = store\n['remote \"store\"']\n    url = https://ann:{SECRET}@127.0.0.1:9/store\n"

# a training that is under way, followed as `make study` does
FOLLOW = f"""
import sys, time
import typer
from ddpm import artifacts
from stages.support import settings
from stages.support.cli import command_line
from stages.support.paths import root
from stages.tools import live, store
app = typer.Typer()
@app.command()
def main() -> None:
    path = root() / ".work" / "resume" / "train-{CELL}-{"0" * 32}" / "state.safetensors"
    artifacts.write_tensors(path, {{}}, {{"log": '[{{"epoch": 1, "step": 1, "images": 32, "loss": 1.0}}]'}})
    params = settings.load()
    live.EVERY_SECONDS = 0.01
    with live.Follower(params, store.study_key(params)) as follower:
        while not (follower.sent or follower._warned):
            time.sleep(0.05)
    print("sent" if follower.sent else "not sent")
command_line(app)
"""


@pytest.fixture
def folder(aggregated: Path) -> Path:
    (aggregated / ".dvc").mkdir()
    (aggregated / ".dvc" / "config.local").write_text(REMOTE)  # where DVC's manual puts passwords; not in Git
    return aggregated


def say(folder: Path, *words: str, **environment: str) -> str:
    """All that a command prints."""
    kept = {**os.environ, **VARIABLES, "PYTHONPATH": str(ROOT), "MLFLOW_HTTP_REQUEST_TIMEOUT": "60", **environment}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=kept, capture_output=True, text=True, timeout=600)
    return done.stdout + done.stderr


def holding(folder: Path) -> list[Path]:
    """The files that hold the secret, except the one in which the user keeps it."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "config.local"]
    return [path for path in files if SECRET.encode() in path.read_bytes()]


def test_a_server_that_answers(folder: Path, tmp_path: Path) -> None:
    with serving(f"sqlite:///{tmp_path / 'served.db'}", tmp_path / "served") as uri:
        address = uri.replace("http://", f"http://ann:{SECRET}@")
        followed = say(folder, "-c", FOLLOW, MLFLOW_TRACKING_URI=address, MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING="true")
        told = say(folder, "-m", "stages.tools.ui", "--port", str(free_port()), MLFLOW_TRACKING_URI=address)
    assert "sent" in followed.splitlines(), followed
    assert "4 runs sent" in told
    assert "the results are on the server of MLFLOW_TRACKING_URI: http://***@127.0.0.1" in told
    assert SECRET not in followed + told
    assert (tmp_path / "served.db").stat().st_size > 100_000
    assert holding(tmp_path) == []  # the study, the server's database, and its artifacts


def test_a_server_that_does_not_answer(folder: Path) -> None:
    address = f"http://ann:{SECRET}@127.0.0.1:9"
    told = say(folder, "-c", FOLLOW, MLFLOW_TRACKING_URI=address)
    assert "warning: no live curves: http://***@127.0.0.1:9: " in told
    assert "not sent" in told
    assert SECRET not in told
    assert holding(folder) == []


def test_proxies_and_remotes(folder: Path) -> None:
    """A download that fails; npm is left out, whose retries take minutes."""
    told = say(folder, "-m", "stages.mnist", **PROXIES, PATH="/nowhere")
    assert "error: " in told
    assert SECRET not in told
    assert holding(folder) == []
