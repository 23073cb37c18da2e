"""What a user sees in MLflow while a real training runs: the loss so far, in curves that get longer."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages import schedules
from stages.support import settings
from stages.tools import store
from stages.tools.live import Follower
from tests.browser import chromium
from tests.conftest import ROOT, edit_params
from tests.mlflow_server import serving
from tests.stage_runs import AXES, CELL, run

# the last step that the page has drawn of a metric; 0 where it has drawn none
LAST = """name => [...document.querySelectorAll('.js-plotly-plot')].flatMap(chart => chart.data)
    .filter(line => line.metricKey === name).flatMap(line => [...line.x]).reduce((a, b) => Math.max(a, b), 0)"""


@pytest.fixture
def training(tiny_study: Path) -> Iterator["subprocess.Popen[Any]"]:
    """The stage of a training that takes longer than the test."""
    edit_params(tiny_study, train={"epochs": 100_000}, network={"channels": [256]})  # some steps a second
    run(schedules)
    command = ["nice", "-n", "19", sys.executable, "-m", "stages.train", *AXES]
    with (tiny_study / "train.log").open("w") as log:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        yield process
        process.kill()
        process.wait(30)


def begun(client: Any, training: "subprocess.Popen[Any]") -> Any:
    """The run of the training, once its speed is known."""
    for _ in range(3000):  # a busy machine
        assert training.poll() is None, Path("train.log").read_text()
        experiment = client.get_experiment_by_name(store.EXPERIMENT)
        runs = client.search_runs([experiment.experiment_id], f"tags.cell = '{CELL}'") if experiment else []
        if runs and "images_per_second" in runs[0].data.metrics:
            return runs[0]
        time.sleep(0.1)
    pytest.fail("no run after five minutes")


def test_curves_of_a_training_that_runs(
    training: "subprocess.Popen[Any]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")  # a busy machine is no dead server
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true")
    params = settings.load()
    with serving(f"sqlite:///{tmp_path / 'served.db'}", tmp_path / "served") as uri, chromium() as browser:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with Follower(params, store.study_key(params)):
            found = begun(MlflowClient(uri), training)
            address = f"{uri}/#/experiments/{found.info.experiment_id}/runs/{found.info.run_id}"
            page = browser.new_page(viewport={"width": 1500, "height": 1000})  # type: ignore[attr-defined]
            page.set_default_timeout(60_000)
            page.goto(address)
            page.get_by_role("link", name="loss", exact=True).wait_for()
            assert "Running" in page.inner_text("body")
            page.goto(f"{address}/model-metrics")
            for name in ("loss", "learning_rate", "images_per_second"):
                page.wait_for_function(f"({LAST})('{name}') > 0")
            before = page.evaluate(LAST, "loss")
            page.reload()
            page.wait_for_function(f"({LAST})('loss') > {before}")
            page.goto(f"{address}/system-metrics")
            page.wait_for_function(f"({LAST})('system/cpu_utilization_percentage') > 0")
        assert training.poll() is None, "the training has ended: this was not live"
        assert MlflowClient(uri).get_run(found.info.run_id).info.status == "RUNNING"
