"""What a worker refuses before any job, in a line that says what is wrong and the cure."""

import dataclasses
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ddpm.errors import StudyError
from stages.support import machine
from stages.tools import lock, mend, worker
from stages.tools.jobs import Job
from tests.dvc_study import Study


@pytest.fixture
def order(study: Study, monkeypatch: pytest.MonkeyPatch) -> worker.Order:
    """What a study asks for, in the folder of a worker that can serve it."""
    monkeypatch.chdir(study.root)
    study.call("dvc", "remote", "add", "--local", "--default", "shared", "../store")
    return worker.Order(study.call("git", "rev-parse", "HEAD").strip(), "params", worker.versions())


def test_a_worker_that_can_serve(order: worker.Order) -> None:
    assert worker.refusal(order) == ""


def test_another_commit(order: worker.Order, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = dataclasses.replace(order, commit="0" * 40)
    assert worker.refusal(other).startswith("commit 000000000000 is not in ")
    clone = tmp_path / "clone"
    study.call("git", "clone", "-q", ".", str(clone))
    study.call("git", "commit", "-q", "--allow-empty", "-m", "newer than the clone")
    newer = dataclasses.replace(order, commit=study.call("git", "rev-parse", "HEAD").strip())
    (clone / ".dvc" / "config.local").write_bytes((study.root / ".dvc" / "config.local").read_bytes())
    monkeypatch.chdir(clone)
    assert worker.refusal(newer) == ""  # it is fetched


def test_no_remote(order: worker.Order, study: Study) -> None:
    study.call("dvc", "remote", "remove", "--local", "shared")
    assert worker.refusal(order).startswith("no default DVC remote in ")


def test_other_versions(order: worker.Order) -> None:
    versions = tuple((name, "0.1" if name == "torch" else number) for name, number in order.versions)
    told = worker.refusal(dataclasses.replace(order, versions=versions))
    assert told.startswith("other versions: torch ")
    assert told.endswith("the study has 0.1; install constraints.txt of the study's commit")


def test_no_clone(order: worker.Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert worker.refusal(order).endswith("is no clone of the study; start the worker in one")


def test_every_study_has_a_folder_of_its_own(order: worker.Order) -> None:
    others = [dataclasses.replace(order, commit="x"), dataclasses.replace(order, params="x")]
    assert len({one.folder for one in (order, *others)}) == 3


def test_a_program_that_ends_waits_for_its_commands(tmp_path: Path) -> None:
    code = (
        "import threading, pathlib, time; from stages.tools import worker\n"
        "run = lambda: worker.run(['sh', '-c', 'sleep 0.5; touch done'], pathlib.Path('.'), pathlib.Path('log'))\n"
        "threading.Thread(target=run, daemon=True).start()\n"
        "time.sleep(0.2); worker.wait(); assert pathlib.Path('done').exists()"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path).returncode == 0


def test_dvc_is_found_without_activation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    worker.find_commands()
    worker.find_commands()
    assert os.environ["PATH"] == f"{Path(sys.executable).parent}:/usr/bin"


def test_the_kind_of_machine_is_its_instructions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "gpu_answers", lambda: False)
    info = tmp_path / "cpuinfo"
    info.write_text("model name\t: Some CPU\nflags\t\t: sse avx2 avx512f amx_bf16\n")
    monkeypatch.setattr(machine, "CPUINFO", info)
    assert machine.kind.__wrapped__().endswith(" avx2 avx512f amx_bf16")
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "none")
    assert "avx2" not in machine.kind.__wrapped__()


BUSY = """#!/bin/sh
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
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)", "dvc"]) as left_behind:
        command = ["sh", "-c", BUSY.format(pid=left_behind.pid)]
        threading.Thread(target=left_behind.wait).start()  # so that it is no zombie when it ends
        worker.run(command, tmp_path, tmp_path / "log")
    assert (tmp_path / "log").read_text() == "done\n"


def test_another_process_that_has_got_the_number_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="'/data/x' is busy"):
        worker.run(["sh", "-c", BUSY.format(pid=os.getpid())], tmp_path, tmp_path / "log")


def test_clones_of_studies_that_are_a_month_old_go(tmp_path: Path) -> None:
    clones = [tmp_path / name for name in ("old", "half", "recent", "ours")]
    for clone in clones:
        clone.mkdir()
        (clone / "dvc.lock").touch()
    (tmp_path / "half/dvc.lock").unlink()
    for path in ("old/dvc.lock", "half", "ours/dvc.lock"):
        os.utime(tmp_path / path, (0, 0))
    worker.tidy(tmp_path / "ours")
    assert {path.name for path in tmp_path.iterdir()} == {"recent", "ours"}


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


def test_a_worker_goes_on_in_a_clone_whose_dvc_lock_was_left_half_written(
    order: worker.Order, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PATH", "RAN", "HOME"):
        monkeypatch.setenv(name, study.env[name])
    order = dataclasses.replace(order, params=(study.root / "params.yaml").read_text())
    first = worker.elsewhere(order, {}, [], Job("x", ("mnist",)))
    assert list(lock.entries(order.folder, ["mnist", "weights"])) == ["mnist"]  # this study's jobs alone
    (order.folder / "dvc.lock").write_text("schema: '2.0")
    second = worker.elsewhere(order, first.entries, [first], Job("y", ("weights",)))
    assert second.entries.keys() == {"mnist", "weights"}
    assert list(lock.entries(order.folder, ["mnist", "weights"])) == ["mnist", "weights"]
