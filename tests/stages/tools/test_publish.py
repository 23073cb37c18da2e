"""A served MLflow on a real PostgreSQL, by MLFLOW_TRACKING_URI alone, seen by a real browser.

KEEP_SCREENSHOT=1 writes what the browser sees to docs/mlflow.png, the picture in the documentation.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.tools import publish
from tests.browser import chromium, need
from tests.conftest import ROOT
from tests.mlflow_server import free_port, serving, wait_for
from tests.stage_runs import run


@pytest.fixture
def postgres() -> Iterator[str]:
    """A PostgreSQL server of our own on loopback; its address as SQLAlchemy writes it."""
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *map(Path, filter(None, [shutil.which("initdb")]))]
    home = next((f if f.is_dir() else f.parent for f in sorted(folders, reverse=True)), None)
    need("PostgreSQL", home, "Debian: apt-get install postgresql")
    assert home is not None
    who: dict[str, Any] = {}
    if os.geteuid() == 0:  # it refuses to run as root
        names = {entry.pw_name for entry in pwd.getpwall()}
        need("a user for PostgreSQL", "postgres" in names, "Debian: apt-get install postgresql")
        who = {"user": "postgres", "group": "postgres", "extra_groups": []}
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if who:
        shutil.chown(folder, "postgres", "postgres")
    port = free_port()
    subprocess.run(
        [home / "initdb", "-D", folder / "db", "-U", "study", "-A", "trust", "-E", "UTF8", "--locale=C"],
        check=True, capture_output=True, cwd=folder, **who,
    )  # fmt: skip
    options = ["-D", f"{folder}/db", "-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1"]
    server = subprocess.Popen(
        [str(home / "postgres"), *options], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who
    )
    try:
        wait_for(port, server)
        yield f"postgresql+psycopg2://study@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def served(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An MLflow server on it, as `MLFLOW_TRACKING_URI`."""
    with serving(postgres, tmp_path / "artifacts") as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        yield uri


def test_cells_side_by_side(aggregated: Path, served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")  # a busy machine is no dead server
    run(publish)
    client = MlflowClient(served)
    experiment = client.get_experiment_by_name("ddpm-mnist")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    cells = {run.info.run_name: run for run in runs if run.data.tags["cell"] != "study"}
    assert set(cells) == {"linear-20-0", "linear-30-0", "cosine-20-0", "cosine-30-0"}
    tags = cells["cosine-30-0"].data.tags
    assert (tags["schedule"], tags["T"], tags["seed"], tags["samplers"]) == ("cosine", "30", "0", "ancestral,clipped")
    assert "mlflow.parentRunId" not in tags  # children are folded away in the list
    assert client.get_metric_history(cells["cosine-30-0"].info.run_id, "loss")[-1].step == 4

    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1500, "height": 800})  # type: ignore[attr-defined]
        page.goto(f"{served}/#/experiments/{experiment.experiment_id}/runs")
        for name in cells:
            page.get_by_text(name, exact=True).first.wait_for(timeout=90_000)
        picture = page.screenshot()
    assert len(picture) > 20_000
    if os.environ.get("KEEP_SCREENSHOT"):
        (ROOT / "docs" / "mlflow.png").write_bytes(picture)
