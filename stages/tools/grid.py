"""Run all stages that are out of date, several cells at a time, and show the progress.

Used by `make study`. Cells are independent, and two cells on one CPU core each are a quarter faster than one cell on
two cores. Each cell is one `dvc repro --single-item` with its stages, whose output is written to .work/grid/.
"""

import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.support import parallel, settings
from stages.support.cli import clock, command_line
from stages.support.cores import cores
from stages.support.pairs import check_chains
from stages.support.paths import root
from stages.tools.jobs import Job, plan
from stages.tools.live import Follower
from stages.tools.store import study_key

app = typer.Typer(add_completion=False)

FIRST = ("mnist", "weights")  # fast, and all other stages depend on them
LOGS = root() / ".work" / "grid"


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
        """The next job whose dependencies are done; waits for one; None when no job is left."""
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
        """Start no further jobs."""
        with self.changed:
            self.waiting.clear()
            self.changed.notify_all()

    def finish(self, job: Job, error: str) -> None:
        """Record the end of a job; ``error`` is empty if it succeeded."""
        with self.changed:
            del self.running[job.name]
            if error:
                self.failed[job.name] = error
            else:
                self.done.append(job)
            self.changed.notify_all()

    def line(self) -> str:
        """The progress in one line."""
        with self.changed:
            done, passed = sum(job.cost for job in self.done), time.monotonic() - self.started
            known = done > 0.05 * self.cost and self.waiting  # an estimate made earlier would be unreliable
            left = f", about {clock(passed * (self.cost - done) / done)} left" if known else ""
            counts = f"{len(self.done)} of {len(self.names)} done, {len(self.running)} running"
            counts += f", {len(self.waiting)} left"
            failed = f", {len(self.failed)} failed" if self.failed else ""
            return f"{counts}{failed}; {clock(passed)} elapsed{left}"

    def table(self) -> Table:
        """The progress on a terminal: the line, and the running jobs with their times."""
        table = Table(title=self.line(), box=None, title_justify="left")
        with self.changed:
            for name, since in self.running.items():
                table.add_row(name, clock(time.monotonic() - since))
        return table


def execute(job: Job) -> str:
    """Run one job; returns its error message, empty if it succeeded."""
    log = LOGS / f"{job.name.replace(' ', '-')}.log"
    command = ["dvc", "--wait-for-lock", "repro", "--single-item", *job.targets]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    artifacts.write_bytes(log, done.stdout)
    if not done.returncode:
        return ""
    lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    dvc = [line for line in lines if line.startswith("ERROR: ")]
    return f"{(told or dvc or lines or ['no output'])[0]} (full log: {log})"


def work(board: Board, console: Console) -> None:
    """Run jobs until none is left."""
    while (job := board.take()) is not None:
        error = execute(job)
        board.finish(job, error)
        if not console.is_terminal:
            print(f"{job.name}: {error or 'done'}; {board.line()}", file=sys.stderr, flush=True)


def begin(params: settings.Params, jobs: int) -> None:
    """Bring the inputs of all cells up to date, with the schedules divided among the jobs."""
    tables = sorted({f"schedule@{cell.schedule}-{cell.T}" for cell in params.grid.cells()})
    shares = [share for share in (FIRST, *(tuple(tables[i::jobs]) for i in range(jobs))) if share]
    command = ["dvc", "--wait-for-lock", "repro", "--single-item"]
    with ThreadPoolExecutor(jobs) as pool:  # not `--quiet`, which would hide DVC's own errors as well
        done = list(pool.map(lambda share: subprocess.run([*command, *share], stdout=subprocess.DEVNULL), shares))
    failed = [share for share, process in zip(shares, done, strict=True) if process.returncode]
    if failed:
        raise StudyError("a shared stage failed, see the output above", where=", ".join(sum(failed, ())))


def left_to_do() -> set[str]:
    """The stages that `dvc repro` would run, as far as it can tell before their inputs exist.

    The dry run reports outputs that do not exist yet as errors, which are ignored here; the run reports all errors.
    """
    dry = subprocess.run(["dvc", "--wait-for-lock", "repro", "--dry", "--keep-going"], capture_output=True, text=True)
    return set(re.findall(r"Running stage '([^']+)'", dry.stdout))


def show(board: Board, console: Console, workers: "list[Future[None]]") -> None:
    """Show the progress on a terminal until all workers are done."""
    if console.is_terminal:
        with Live(board.table(), console=console, refresh_per_second=1) as live:
            while not all(worker.done() for worker in workers):
                time.sleep(1)
                live.update(board.table())
    for worker in workers:
        worker.result()


@app.command(help=__doc__)
def main(
    jobs: Annotated[int, typer.Option(min=1, help="Number of cells at a time, one thread each.")] = cores(),
    live: Annotated[bool, typer.Option(help="Send the losses of trainings under way to MLflow.")] = True,
) -> None:
    os.environ[parallel.WORKERS] = "1"  # of each stage: the cells take all cores
    params = settings.load()
    check_chains(params)
    begin(params, jobs)
    board = Board(plan(params, left_to_do()))
    console = Console(stderr=True)
    follow = Follower(params, study_key(params)) if live else nullcontext()
    with follow, ThreadPoolExecutor(jobs) as pool:
        workers = [pool.submit(work, board, console) for _ in range(jobs)]
        try:
            show(board, console, workers)
        finally:  # also on Ctrl-C: running jobs get the signal from the terminal, and no further ones start
            board.stop()
    if board.failed:
        told = "; ".join(f"{name}: {error}" for name, error in board.failed.items())
        raise StudyError(f"{len(board.failed)} of {len(board.names)} failed: {told}", hint="finished cells are kept")


if __name__ == "__main__":
    command_line(app)
