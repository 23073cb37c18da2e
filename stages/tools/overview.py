"""What the user sees of jobs under way: a line, or on a terminal a table of those that run."""

import sys
import threading
import time

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stages.support.cli import clock
from stages.tools.jobs import Job


class Overview:
    """Which jobs run, are done or failed; safe to use from several threads."""

    def __init__(self, jobs: list[Job], console: Console) -> None:
        self.jobs, self.console = {job.name: job for job in jobs}, console
        self.running, self.done, self.failed = dict[str, float](), set[str](), dict[str, str]()
        self.cost, self.started = sum(job.cost for job in jobs), time.monotonic()
        self.lock = threading.RLock()
        self.live = Live(self.table(), console=console, refresh_per_second=1, get_renderable=self.table)

    def __enter__(self) -> "Overview":
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def begin(self, name: str) -> None:
        """A job has begun, or begins again on another worker."""
        with self.lock:
            if name in self.jobs and name not in self.done | set(self.failed):
                self.running[name] = time.monotonic()

    def finish(self, name: str, error: str) -> None:
        """A job has ended; ``error`` is empty if it succeeded."""
        with self.lock:
            self.running.pop(name, None)
            if error:
                self.failed[name] = error
            else:
                self.done.add(name)
            if not self.console.is_terminal:
                print(f"{name}: {error or 'done'}; {self.line()}", file=sys.stderr, flush=True)

    def line(self) -> str:
        """The progress in one line."""
        with self.lock:
            done, passed = sum(self.jobs[name].cost for name in self.done), time.monotonic() - self.started
            waiting = len(self.jobs) - len(self.done) - len(self.failed) - len(self.running)
            known = done > 0.05 * self.cost and waiting  # an estimate made earlier would be unreliable
            left = f", about {clock(passed * (self.cost - done) / done)} left" if known else ""
            counts = f"{len(self.done)} of {len(self.jobs)} done, {len(self.running)} running, {waiting} left"
            failed = f", {len(self.failed)} failed" if self.failed else ""
            return f"{counts}{failed}; {clock(passed)} elapsed{left}"

    def table(self) -> Group:
        """The line, and the running jobs with their times."""
        table = Table(box=None, show_header=False)
        with self.lock:
            for name, since in self.running.items():
                table.add_row(name, clock(time.monotonic() - since))
        return Group(Text(self.line()), table)
