"""What a worker refuses before any job, in a line with the cure; and the clones in which it does jobs."""

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ddpm.errors import StudyError
from stages.support import machine
from stages.tools import lock, worker
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


def test_a_package_that_only_one_commit_names(order: worker.Order) -> None:
    told = worker.refusal(dataclasses.replace(order, versions=(*order.versions[1:], ("new", "2"))))
    name, number = order.versions[0]
    assert f"{name} {number}, the study has none; new none, the study has 2;" in told


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
        "command = ['sh', '-c', 'touch begun; sleep 0.5; touch done']\n"
        "run = lambda: worker.run(command, pathlib.Path('.'), pathlib.Path('log'))\n"
        "threading.Thread(target=run, daemon=True).start()\n"
        "while not pathlib.Path('begun').exists(): time.sleep(0.01)\n"
        "worker.wait(); assert pathlib.Path('done').exists()"
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


def test_a_clone_that_a_killed_worker_left_without_the_parameters_of_its_order_is_made_anew(
    order: worker.Order, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = dataclasses.replace(order, params=(study.root / "params.yaml").read_text() + "# ordered\n")
    study.call("git", "clone", "-q", ".", str(order.folder))
    monkeypatch.setattr(worker, "run", lambda *_: None)
    worker.elsewhere(order, {}, [], Job("x", ("mnist",)))
    assert (order.folder / "params.yaml").read_text() == order.params
    assert lock.remote(order.folder) == "shared"
    (order.folder / "kept").touch()
    worker.elsewhere(order, {}, [], Job("x", ("mnist",)))
    assert (order.folder / "kept").exists()


MAKING = """
import pathlib, sys, time
from stages.tools import worker
from stages.tools.jobs import Job

worker.run = lambda *_: None
order = worker.Order(sys.argv[1], pathlib.Path("params.yaml").read_text(), worker.versions())
worker.artifacts.write_bytes(pathlib.Path("ready", sys.argv[2]), b"")
while not pathlib.Path("go").exists():
    time.sleep(0.001)
worker.elsewhere(order, {}, [], Job("x", ("mnist",)))
"""


def test_workers_in_one_folder_make_a_clone_once(order: worker.Order, study: Study) -> None:
    command = [sys.executable, "-c", MAKING, order.commit]
    workers = [
        subprocess.Popen([*command, str(i)], cwd=study.root, env=study.env, stderr=subprocess.PIPE, text=True)
        for i in range(3)
    ]
    while len([*(study.root / "ready").glob("?")]) < len(workers):
        assert not any(one.poll() for one in workers)
        time.sleep(0.05)
    (study.root / "go").touch()
    assert [(one.communicate()[1], one.returncode) for one in workers] == [("", 0)] * len(workers)


def test_a_folder_that_cannot_be_written_is_one_line(order: worker.Order, study: Study) -> None:
    order.folder.parent.parent.mkdir()
    order.folder.parent.touch()
    with pytest.raises(StudyError, match=r"cannot make a clone: File exists; free space, or correct the permissions"):
        worker.elsewhere(order, {}, [], Job("x", ("mnist",)))
