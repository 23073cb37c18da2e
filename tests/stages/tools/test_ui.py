"""`make ui`: a taken port is told at once, another can be asked for, and a shared server is named, not started."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from typer.testing import CliRunner

from ddpm.errors import StudyError
from stages.tools import tracking, ui
from tests.conftest import ROOT
from tests.mlflow_server import free_port, serving, wait_for
from tests.stage_runs import run


@pytest.fixture
def executed(tiny_study: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would take the place of the process; nothing is published."""
    found: list[list[str]] = []
    monkeypatch.setenv("PATH", os.environ["PATH"])  # what a command adds to it is gone afterwards
    monkeypatch.setattr(os, "execvp", lambda _, command: found.append(command))
    monkeypatch.setattr(tracking, "publish", lambda _: tracking.Published(0, 0, "#/experiments/1/runs"))
    return found


def test_a_taken_port_is_told_before_anything_is_done(executed: list[list[str]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StudyError, match=rf"port {port}: cannot be used: Address already in use; .*make ui PORT="):
            run(ui, "--port", str(port))
    assert executed == []


def test_the_port_that_is_asked_for(executed: list[list[str]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    run(ui, "--port", str(port))
    (command,) = executed
    assert command[command.index("--port") + 1] == str(port)
    assert os.environ.pop("MLFLOW_BACKEND_STORE_URI") == "sqlite:///mlflow.db"


def test_an_environment_that_is_not_activated(executed: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    run(ui, "--port", str(free_port()))
    (command,) = executed
    assert shutil.which(command[0]) == str(Path(sys.executable).parent / "mlflow")
    os.environ.pop("MLFLOW_BACKEND_STORE_URI")


@pytest.mark.parametrize("port", ["0", "65536", "five", "-1"])
def test_no_port(executed: list[list[str]], port: str) -> None:
    assert CliRunner().invoke(ui.app, ["--port", port]).exit_code == 2
    assert executed == []


@pytest.mark.parametrize("uri", ["http://host:5001", "https://ann:s3cr3t-Passw0rd@host/mlflow"])
def test_a_shared_server_is_named(executed: list[list[str]], monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    told = CliRunner().invoke(ui.app, []).stdout
    assert executed == []
    assert "the results are on the server of MLFLOW_TRACKING_URI: http" in told
    assert "host" in told
    assert "s3cr3t" not in told


def serve(folder: Path, port: int, **environment: str) -> "subprocess.Popen[str]":
    """The command of `make ui`, run in a process of its own."""
    kept = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true", **environment}
    kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"
    words = [sys.executable, "-m", "stages.tools.ui", "--port", str(port)]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, cwd=folder, env=kept, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def test_the_page_is_served_on_the_port_that_is_asked_for(tiny_study: Path) -> None:
    port = free_port()
    server = serve(tiny_study, port)
    try:
        wait_for(port, server)
        assert server.stdout is not None
        told = "".join(server.stdout.readline() for _ in range(3))
        assert f"serving sqlite:///mlflow.db on http://127.0.0.1:{port}; stop it with Ctrl-C" in told
        opened = re.search(rf"all cells compared: http://127\.0\.0\.1:{port}/#/experiments/(\d+)/runs\?", told)
        assert opened
        body = {"experiment_id": opened[1]}
        answer = requests.get(f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/get", params=body, timeout=60)
        assert answer.json()["experiment"]["name"] == "ddpm-mnist"
        second = serve(tiny_study, port)  # in another terminal
        _, error = second.communicate(timeout=120)
        assert second.returncode == 1
        assert f"port {port}: cannot be used: Address already in use; choose another with make ui PORT=5001" in error
        assert "Traceback" not in error
    finally:
        os.killpg(server.pid, signal.SIGINT)  # Ctrl-C
        server.communicate(timeout=120)  # all its processes have ended


def test_with_a_shared_server_none_is_started(tiny_study: Path, tmp_path: Path) -> None:
    port = free_port()
    with serving(f"sqlite:///{tmp_path / 'served.db'}", tmp_path / "served") as uri:
        told, error = serve(tiny_study, port, MLFLOW_TRACKING_URI=uri, MLFLOW_HTTP_REQUEST_TIMEOUT="60").communicate()
    assert f"the results are on the server of MLFLOW_TRACKING_URI: {uri}\n" in told, error
    assert f"all cells compared: {uri}/#/experiments/" in told
    assert "serving" not in told
    assert not (tiny_study / "mlflow.db").exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
