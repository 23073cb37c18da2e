"""Kill workers in the middle of their jobs, again and again: `python -m tests.torture.cluster --kills 20`.

A small grid runs on a scheduler and two workers in clones of their own, with caches of their own, on this machine.
At random moments a worker's process is killed, every second time with all that it had started; its nanny starts it
again. Then the head is killed, the remote is away, and the workers' disks are full. In the end dvc.lock and all outputs
are those of the same grid on one machine.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import psutil
import typer
from ruamel.yaml import YAML

from tests.torture.study import OVERRIDES, Running, Study

app = typer.Typer(add_completion=False)

GRID = (*(word for word in OVERRIDES if not word.startswith("T=")), 'T="20,30"', 'seed="0,1"')
EVERY_SECONDS = (4.0, 12.0)  # between two kills, at random
ADDRESS = "tcp://127.0.0.1:28786"
WORKERS = ("one", "two")
INPUTS = ("mnist", "weights", "reference", "classifier", "baseline")


def entries(folder: Path) -> dict[str, object]:
    """Stage -> its entry in a dvc.lock, of the stages that run side by side."""
    stages: dict[str, object] = YAML(typ="safe").load((folder / "dvc.lock").read_text())["stages"]
    return {name: stages[name] for name in stages if name in INPUTS or ("@" in name and not name.startswith("chains"))}


class Cluster:
    """A study of which only the inputs are made, a scheduler, a remote, and two workers' clones without anything."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.study = Study(folder / "study", GRID)
        self.expected = entries(self.study.root)
        self.study.call("git", "add", "-A")
        self.study.call("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "the small grid")
        self._start(folder, "scheduler", "--host", "127.0.0.1", "--port", ADDRESS.rsplit(":", 1)[1])
        for name in WORKERS:
            self.study.call("git", "clone", "-q", str(self.study.root), str(folder / name))
            self._share(folder / name)
        self.nannies = {name: self.worker(name) for name in WORKERS}

    def _start(self, cwd: Path, *command: str, under: tuple[str, ...] = ()) -> "subprocess.Popen[bytes]":
        log = self.stack.enter_context((self.folder / f"{cwd.name}.log").open("ab"))
        process = subprocess.Popen(
            [*under, "dask", *command, "--no-dashboard"],
            cwd=cwd,
            env=self.study.environment,
            start_new_session=True,
            stdout=log,
            stderr=log,
        )
        self.stack.callback(end, process)
        return process

    def worker(self, name: str, *under: str) -> "subprocess.Popen[bytes]":
        """A worker with one place, and a nanny that starts it again."""
        options = ("--nthreads", "1", "--memory-limit", "0")
        return self._start(self.folder / name, "worker", ADDRESS, *options, under=under)

    def _share(self, clone: Path) -> None:
        words = ("--local", "--default", "--force", "shared", str(self.folder / "remote"))
        self.study.call("dvc", "remote", "add", *words, cwd=clone)

    def empty(self) -> None:
        """Leave the inputs alone in the study, and nothing elsewhere."""
        kept = {path for name in INPUTS for path in self.study.files_of(name)}
        for path in set(self.study.bytes) - kept:
            path.unlink(missing_ok=True)
        for place in ("cache", "remote", *(f"{name}/{part}" for name in WORKERS for part in (".work", ".dvc/cache"))):
            shutil.rmtree(self.folder / place, ignore_errors=True)
        self.study.call("dvc", "cache", "dir", "--local", str(self.folder / "cache"))
        with (self.study.root / "dvc.lock").open("w") as file:
            YAML().dump({"schema": "2.0", "stages": {name: self.expected[name] for name in INPUTS}}, file)
        self.study.call("dvc", "commit", "--force", *INPUTS)
        self._share(self.study.root)

    def grid(self) -> Running:
        """Begin the grid."""
        return self.study.start([sys.executable, "-m", "stages.tools.grid", "--no-live", "--cluster", ADDRESS])

    def finish(self, grid: Running | None = None) -> list[str]:
        """Wait for the grid to end well; what is not as on one machine."""
        code, said = (grid or self.grid()).end(timeout=900)
        if code:
            return [f"the grid failed: {said[-600:]}"]
        found = entries(self.study.root)
        bad = [f"{name} differs in dvc.lock" for name in self.expected if found.get(name) != self.expected[name]]
        self.study.call("dvc", "repro", "--quiet", timeout=900)
        return bad + [f"{path} differs" for path in self.study.wrong()]


def end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a program with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def kill_one(nanny: "subprocess.Popen[bytes]", *, whole: bool) -> bool:
    """Kill a nanny's worker, with all that it has started or alone; False if there is none just now."""
    workers = psutil.Process(nanny.pid).children()
    below = [process for worker in workers for process in worker.children(recursive=True)] if whole else []
    for process in (*workers, *below):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return bool(workers)


def kill_workers(cluster: Cluster, chance: random.Random, kills: range) -> tuple[int, list[str]]:
    """Run the grid once while workers are killed; how many were by then, and what is not as it must be."""
    cluster.empty()
    grid, done = cluster.grid(), kills.start
    while grid.process.poll() is None and done in kills:
        time.sleep(chance.uniform(*EVERY_SECONDS))
        if grid.process.poll() is None:
            done += kill_one(cluster.nannies[chance.choice(WORKERS)], whole=bool(done % 2))
    return done, cluster.finish(grid)


def head_killed(cluster: Cluster) -> list[str]:
    """The grid is killed when some jobs are done; the same command goes on."""
    cluster.empty()
    grid = cluster.grid()
    while "train@linear-30-0" not in entries(cluster.study.root) and grid.process.poll() is None:
        time.sleep(1)
    grid.tell(signal.SIGKILL)
    grid.end()
    return cluster.finish()


def failed(cluster: Cluster, words: str) -> list[str]:
    """Run the grid, which must fail with one line at the end that has these words."""
    code, said = cluster.grid().end(timeout=900)
    last = [line for line in said.splitlines() if line.startswith("error: ")][-1:]
    good = code == 1 and last and words in last[0] and "Traceback" not in said
    return [] if good else [f"exit code {code}, it said {said[-400:]!r}"]


def remote_away(cluster: Cluster) -> list[str]:
    """A file is where the remote's folder should be."""
    cluster.empty()
    (cluster.folder / "remote").write_text("no folder")
    bad = failed(cluster, "dvc push: failed, see above")
    (cluster.folder / "remote").unlink()
    return bad + cluster.finish()


def disk_full(cluster: Cluster) -> list[str]:
    """Neither worker can write a file of more than 100 kB, as on a full disk."""
    cluster.empty()
    for name, nanny in cluster.nannies.items():
        end(nanny)
        cluster.nannies[name] = cluster.worker(name, "prlimit", "--fsize=100000")
    time.sleep(10)
    bad = failed(cluster, "failed: ")
    for name, nanny in cluster.nannies.items():
        end(nanny)
        cluster.nannies[name] = cluster.worker(name)
    time.sleep(10)
    return bad + cluster.finish()


@app.command(help=__doc__)
def main(
    kills: Annotated[int, typer.Option(help="How many kills.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the random moments.")] = 0,
    others: Annotated[bool, typer.Option(help="The other faults as well.")] = True,
) -> None:
    chance, done, bad = random.Random(seed), 0, list[str]()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no worker is left behind
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        cluster = Cluster(Path(name), stack)
        while done < kills and not bad:
            done, bad = kill_workers(cluster, chance, range(done, kills))
            print(f"{done} kills of workers: {'; '.join(bad) or 'the same dvc.lock, the same bytes'}", flush=True)
        for hurt in (head_killed, remote_away, disk_full) if others else ():
            wrong = hurt(cluster)
            print(f"{hurt.__name__}: {'; '.join(wrong) or 'a clear word, and then the same bytes'}", flush=True)
            bad += wrong
    sys.exit(bool(bad))


if __name__ == "__main__":
    app()
