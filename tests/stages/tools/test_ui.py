"""`make ui`: a taken port is told at once, another can be asked for, and a shared server is named, not started."""

import os
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ddpm.errors import StudyError
from stages.tools import tracking, ui
from tests.stage_runs import run


@pytest.fixture
def executed(tiny_study: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would take the place of the process; nothing is published."""
    found: list[list[str]] = []
    monkeypatch.setattr(os, "execvp", lambda _, command: found.append(command))
    monkeypatch.setattr(tracking, "publish", lambda _: (0, 0))
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
