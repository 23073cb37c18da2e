"""The grid on workers in clones of their own, with caches of their own: the same dvc.lock, the same bytes, no rerun."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.dvc_study import Study, in_parallel
from tests.mlflow_server import free_port

DASK = [sys.executable, "-m", "distributed.cli.dask_scheduler"], [sys.executable, "-m", "distributed.cli.dask_worker"]
OPTIONS = ("--no-dashboard", "--memory-limit", "0", "--nthreads", "1")


@contextmanager
def process(
    command: list[str], folder: Path, environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a group of its own, which is killed at the end."""
    with log.open("wb") as file:
        run = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield run
        finally:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()


class Cluster:
    """A scheduler, and workers in clones of a study."""

    def __init__(self, study: Study, home: Path, stack: ExitStack, before: dict[str, object]) -> None:
        self.study, self.home, self.stack, self.before = study, home, stack, before
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.scheduler = self.start(
            [*DASK[0], "--no-dashboard", "--host", "127.0.0.1", "--port", self.address.rsplit(":", 1)[1]],
            home,
            "scheduler",
        )

    def start(self, command: list[str], folder: Path, name: str) -> "subprocess.Popen[bytes]":
        return self.stack.enter_context(process(command, folder, self.study.env, self.home / f"{name}.log"))

    def clone(self, name: str) -> Path:
        folder = self.home / name
        subprocess.run(["git", "clone", "-q", str(self.study.root), str(folder)], check=True)
        self.remote(folder)
        return folder

    def remote(self, folder: Path) -> None:
        command = ["dvc", "remote", "add", "--local", "--default", "shared", str(self.home / "shared")]
        subprocess.run(command, cwd=folder, env=self.study.env, check=True, capture_output=True)

    def worker(self, name: str) -> "subprocess.Popen[bytes]":
        return self.start([*DASK[1], self.address, *OPTIONS, "--name", name, "--nanny"], self.home / name, name)

    def wait(self, workers: int) -> None:
        """Until so many workers have come."""
        from distributed import Client

        with Client(self.address, timeout=60) as client:
            client.wait_for_workers(workers, timeout=60)

    def grid(self) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "stages.tools.grid", "--cluster", self.address]
        return subprocess.run(
            command, cwd=self.study.root, env=self.study.env, capture_output=True, text=True, timeout=600
        )


@pytest.fixture
def cluster(study: Study, tmp_path: Path) -> Iterator[Cluster]:
    """A study of which nothing is made, and a scheduler."""
    before = locked(study.root)
    (study.root / "dvc.lock").unlink()
    shutil.rmtree(study.root / ".dvc/cache")
    shutil.rmtree(study.root / "data")
    study.commit()
    with ExitStack() as stack:
        yield Cluster(study, tmp_path, stack, before)


def locked(folder: Path) -> dict[str, object]:
    found: dict[str, object] = YAML(typ="safe").load((folder / "dvc.lock").read_text())["stages"]
    return {name: entry for name, entry in found.items() if "@" in name and not name.startswith("chains")}


def test_two_workers_do_what_one_machine_did(cluster: Cluster) -> None:
    refused = cluster.grid()
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: dvc: no default DVC remote, by which outputs travel; `dvc remote add")
    cluster.remote(cluster.study.root)
    idle = cluster.grid()
    assert (idle.returncode, idle.stderr) == (
        1,
        f"error: {cluster.address}: the scheduler has no worker; `make worker CLUSTER=...` in a clone\n",
    )
    for name in ("one", "two"):
        cluster.clone(name)
        cluster.worker(name)
    cluster.wait(2)
    done = cluster.grid()
    assert done.returncode == 0, done.stderr
    assert f"2 places for jobs on {cluster.address}" in done.stderr
    assert locked(cluster.study.root) == cluster.before
    assert all((cluster.home / name / ".work" / "cluster").is_dir() for name in ("one", "two"))
    assert in_parallel(cluster.study) == {}
