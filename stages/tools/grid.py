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
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.support import settings
from stages.support.cli import clock, command_line
from stages.support.paths import root
from stages.tools.jobs import Job, plan

app = typer.Typer(add_completion=False)

FIRST = ("mnist", "weights")  # with the schedules fast, and everything else reads what they write
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


def begin(params: settings.Params, jobs: int) -> None:
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
    params = settings.load()
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
        raise StudyError(f"{len(board.failed)} of {len(board.names)} failed: {told}", hint="what is done is kept")


if __name__ == "__main__":
    command_line(app)
