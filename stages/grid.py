"""Run what is left of the study, several cells at a time, and show how far the whole is. `make study` does so.

Cells do not depend on each other, and on a CPU two cells on one core each are a quarter faster than one cell on two.
Every cell is one `dvc repro --single-item` with its stages; what it prints goes to .work/grid/, a file a cell.
"""

import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from ddpm import artifacts
from ddpm.errors import StudyError
from stages import _params
from stages._cells import Cell
from stages._cli import clock, command_line
from stages._paths import root

app = typer.Typer(add_completion=False)

FIRST = ("mnist", "weights")  # with the schedules fast, and everything else reads what they write
# costs in calls of the network, about 3,600 a second on one core; they only guess how much time is left
START = 5e4  # processes and imports
FEATURE = 64.0  # Inception on one image
DISTURBANCES = 8  # len(ddpm.disturbances.DISTURBANCES), whose import would cost two seconds
LOGS = root() / ".work" / "grid"


@dataclass(frozen=True)
class Job:
    """Stages that run one after another, when other jobs are done; ``cost`` in network calls, to guess the time."""

    name: str
    targets: tuple[str, ...]
    needs: frozenset[str] = frozenset()
    cost: float = START


def cell_targets(cell: Cell, samplers: list[str], left: set[str]) -> list[str]:
    """The stages of one cell from the first that is left on, in the order of dependence.

    A dry run cannot look past an output that does not exist yet, so what follows a stage that is left is left as well.
    """
    trains = f"train@{cell}" in left
    targets = [f"train@{cell}"] if trains else []
    targets += [f"heldout@{cell}"] if trains or f"heldout@{cell}" in left else []
    for sampler in samplers:
        steps = [f"{stage}@{cell}-{sampler}" for stage in ("sample", "embed", "fid")]
        first = 0 if trains else next((i for i, s in enumerate(steps) if s in left), 3)
        targets += steps[first if "reference" not in left else min(first, 2) :]
    return targets


def plan(params: _params.Params, left: set[str]) -> list[Job]:
    """All jobs, those with most work first, so that no core waits for a long last one."""
    look, sets = params.reference, 1 + DISTURBANCES * len(params.validation.levels)
    costs = {
        "reference": FEATURE * (look.images + look.floor_images + look.test_images),
        "classifier": 3.5 * params.classifier.epochs * 60_000,
        "validate": FEATURE * params.validation.images * sets,
    }
    judges = [Job(name, (name,), cost=costs[name]) for name in ("reference", "classifier") if name in left]
    waits = frozenset(job.name for job in judges)
    reference = waits & {"reference"}
    jobs = []
    for cell in sorted(params.grid.cells(), key=lambda cell: -cell.T):
        targets = cell_targets(cell, params.grid.sampler, left)
        distances = tuple(name for name in targets if name.startswith("fid@")) if reference else ()
        computing = tuple(name for name in targets if name not in distances)
        calls: float = 3 * params.train.epochs * params.train.images * (f"train@{cell}" in targets)
        calls += cell.T * params.sample.images * sum(name.startswith("sample@") for name in targets)
        calls += FEATURE * params.sample.images * sum(name.startswith("embed@") for name in targets)
        if computing:
            jobs.append(Job(str(cell), computing, cost=START + calls))
        if distances:
            needs = reference | ({str(cell)} if computing else set())
            jobs.append(Job(f"{cell} distances", distances, frozenset(needs)))
    if waits or "validate" in left:
        jobs.append(Job("validate", ("validate",), waits, costs["validate"]))
    for schedule in params.grid.schedule:
        for T in params.ideal.T:
            name = f"ideal@{schedule}-{T}"
            if reference or name in left:
                jobs.append(Job(name, (name,), reference))
    return judges + jobs


class Board:
    """Which jobs are done, running, failed or waiting; safe to use from several threads."""

    def __init__(self, jobs: list[Job]) -> None:
        self.waiting, self.running = list(jobs), dict[str, float]()
        self.done, self.failed = list[Job](), dict[str, str]()
        self.names = {job.name for job in jobs}
        self.cost = sum(job.cost for job in jobs)
        self.started = time.monotonic()
        self.changed = threading.Condition()

    def take(self) -> Job | None:
        """The next job whose needs are met; waits for one; None when there is nothing more to do."""
        with self.changed:
            while self.waiting:
                finished = {job.name for job in self.done}
                ready = next((job for job in self.waiting if job.needs <= finished), None)
                if ready is not None:
                    self.waiting.remove(ready)
                    self.running[ready.name] = time.monotonic()
                    return ready
                doomed = [job for job in self.waiting if job.needs & set(self.failed)]
                for job in doomed:
                    self.failed[job.name] = f"{', '.join(sorted(job.needs & set(self.failed)))} failed"
                    self.waiting.remove(job)
                if not doomed:
                    self.changed.wait()
            return None

    def stop(self) -> None:
        """Begin nothing more."""
        with self.changed:
            self.waiting.clear()
            self.changed.notify_all()

    def finish(self, job: Job, error: str) -> None:
        """Note that a job ended; ``error`` empty when it went well."""
        with self.changed:
            del self.running[job.name]
            if error:
                self.failed[job.name] = error
            else:
                self.done.append(job)
            self.changed.notify_all()

    def line(self) -> str:
        """How far the whole is, in one line."""
        with self.changed:
            done, passed = sum(job.cost for job in self.done), time.monotonic() - self.started
            known = done > 0.05 * self.cost and self.waiting  # before that a guess would be wild
            left = f", about {clock(passed * (self.cost - done) / done)} left" if known else ""
            counts = f"{len(self.done)} of {len(self.names)} done, {len(self.running)} running"
            counts += f", {len(self.waiting)} left"
            failed = f", {len(self.failed)} failed" if self.failed else ""
            return f"{counts}{failed}; {clock(passed)} passed{left}"

    def table(self) -> Table:
        """The whole on a terminal: the line, and what runs since when."""
        table = Table(title=self.line(), box=None, title_justify="left")
        with self.changed:
            for name, since in self.running.items():
                table.add_row(name, clock(time.monotonic() - since))
        return table


def execute(job: Job) -> str:
    """Run one job; its last words when it fails, else nothing."""
    log = LOGS / f"{job.name.replace(' ', '-')}.log"
    command = ["dvc", "--wait-for-lock", "repro", "--single-item", *job.targets]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    artifacts.write_bytes(log, done.stdout)
    if not done.returncode:
        return ""
    lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return f"{(told or lines or ['no word'])[0]} (all it said: {log})"


def work(board: Board, console: Console) -> None:
    """What every worker does until nothing is left."""
    while (job := board.take()) is not None:
        error = execute(job)
        board.finish(job, error)
        if not console.is_terminal:
            print(f"{job.name}: {error or 'done'}; {board.line()}", file=sys.stderr, flush=True)


def begin(params: _params.Params, jobs: int) -> None:
    """Bring what all cells read level with the sources, the schedules in as many shares as there are jobs."""
    tables = sorted({f"schedule@{cell.schedule}-{cell.T}" for cell in params.grid.cells()})
    shares = [share for share in (FIRST, *(tuple(tables[i::jobs]) for i in range(jobs))) if share]
    command = ["dvc", "--wait-for-lock", "repro", "--quiet", "--single-item"]
    with ThreadPoolExecutor(jobs) as pool:
        done = list(pool.map(lambda share: subprocess.run([*command, *share]), shares))
    failed = [share for share, process in zip(shares, done, strict=True) if process.returncode]
    if failed:
        raise StudyError("the study cannot begin; the reason is above", where=", ".join(sum(failed, ())))


def left_to_do() -> set[str]:
    """The stages that `dvc repro` would run, as far as it can tell before their inputs exist.

    The dry run stumbles over outputs that do not exist yet and says so; the run itself, after it, hides nothing.
    """
    dry = subprocess.run(["dvc", "--wait-for-lock", "repro", "--dry", "--keep-going"], capture_output=True, text=True)
    return set(re.findall(r"Running stage '([^']+)'", dry.stdout))


def show(board: Board, console: Console, workers: "list[Future[None]]") -> None:
    """The overall view on a terminal, until all workers are done."""
    if console.is_terminal:
        with Live(board.table(), console=console, refresh_per_second=1) as live:
            while not all(worker.done() for worker in workers):
                time.sleep(1)
                live.update(board.table())
    for worker in workers:
        worker.result()


@app.command(help=__doc__)
def main(
    jobs: Annotated[int, typer.Option(min=1, help="Cells at a time; one thread each.")] = os.cpu_count() or 1,
) -> None:
    params = _params.load()
    begin(params, jobs)
    board = Board(plan(params, left_to_do()))
    console = Console(stderr=True)
    with ThreadPoolExecutor(jobs) as pool:
        workers = [pool.submit(work, board, console) for _ in range(jobs)]
        try:
            show(board, console, workers)
        finally:  # on Ctrl-C too: what runs was told by the terminal, and nothing new begins
            board.stop()
    if board.failed:
        told = "; ".join(f"{name}: {error}" for name, error in board.failed.items())
        raise StudyError(f"{len(board.failed)} of {len(board.names)} failed: {told}", cure="what is done is kept")


if __name__ == "__main__":
    command_line(app)
