"""Commands of jobs that meet what a killed worker left: a stage that runs on, half a list, half a dvc.lock."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ddpm.errors import StudyError
from stages.tools import mend, worker
from tests.dvc_study import Study

BUSY = """#!/bin/sh
echo asked >> asked
if kill -0 {pid} 2> /dev/null; then
  echo "ERROR: failed to reproduce 'x': '/data/x' is busy, it is being blocked by:"
  echo "  (PID {pid}): dvc repro"
  exit 255
fi
echo done
"""


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_LOOK_SECONDS", 0.1)


def test_a_stage_that_a_killed_worker_left_behind_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "asked").touch()
    until_asked = "import os, time\nwhile not os.path.getsize('asked'): time.sleep(0.05)"
    with subprocess.Popen([sys.executable, "-c", until_asked, "dvc"], cwd=tmp_path) as left_behind:
        command = ["sh", "-c", BUSY.format(pid=left_behind.pid)]
        threading.Thread(target=left_behind.wait).start()  # so that it is no zombie when it ends
        worker.run(command, tmp_path, tmp_path / "log")
    assert (tmp_path / "log").read_text() == "done\n"
    assert len((tmp_path / "asked").read_text().splitlines()) > 1


def test_another_process_that_has_got_the_number_is_not_waited_for(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        with pytest.raises(StudyError, match="'/data/x' is busy"):
            worker.run(["sh", "-c", BUSY.format(pid=other.pid)], tmp_path, tmp_path / "log")
        other.kill()


def test_a_lock_of_a_process_that_has_ended_is_not_waited_for(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    script = f"echo \"ERROR: 'x' is busy, it is being blocked by:\"; echo '  (PID {ended.pid}): dvc'; exit 255"
    with pytest.raises(StudyError, match="'x' is busy"):
        worker.run(["sh", "-c", script], tmp_path, tmp_path / "log")


@pytest.mark.parametrize("half", [b"", b'{"write": {"/a'])
def test_half_a_list_that_a_killed_command_left_is_removed(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half: bytes
) -> None:
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "mnist"]
    listed = study.root / ".dvc" / "tmp" / "rwlock"
    listed.write_bytes(half)
    with monkeypatch.context() as patch:
        patch.setattr(mend, "mend", lambda _: False)
        with pytest.raises(StudyError, match="Unable to read RWLock-file"):
            worker.run(command, study.root, tmp_path / "log")
    worker.run(command, study.root, tmp_path / "log")
    assert not mend.mend(study.root)


@pytest.mark.parametrize(
    "half", [b"", b"schema: '2.0", b"schema: '2.0'\nstages:\n  mnist:\n", b"schema: '2.0'\n# \xc3"]
)
def test_a_job_runs_although_a_killed_command_left_half_a_dvc_lock(study: Study, tmp_path: Path, half: bytes) -> None:
    (study.root / "dvc.lock").write_bytes(half)
    worker.run([sys.executable, "-m", "dvc", "repro", "--single-item", "mnist"], study.root, tmp_path / "log")
    assert "Stage 'mnist' didn't change, skipping" in (tmp_path / "log").read_text()
