"""Shared by all commands: one-line errors, and progress as a bar on a terminal or as plain lines elsewhere."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ddpm.errors import StudyError
from stages.support.masking import mask_streams


def _schedule(name: str) -> str:
    """The name, if params.yaml has such a schedule; StudyError that lists those it has."""
    from stages.support import settings  # pydantic takes a quarter of a second, and not every command has the option

    settings.read().schedule_parameters(name)
    return name


# The axes of the grid, as every command takes them.
ScheduleOption = Annotated[
    str,
    typer.Option("--schedule", help="Name of the schedule, under schedules in params.yaml.", callback=_schedule),
]
TimestepsOption = Annotated[int, typer.Option("--T", help="Number of diffusion steps the model is trained with.")]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help="Seed of the initial weights, the data order and all noise.")
]
SamplerOption = Annotated[
    str,
    typer.Option(
        "--sampler",
        help="ancestral, clipped, ddim, clipped-first, clipped-rest, late-start; ancestral-50 takes 50 of the T steps.",
    ),
]

_PLAIN_SECONDS = 20.0  # between two lines of progress in a log file
_PATIENCE_SECONDS = 3.0  # in which a second signal is ignored: the command is ending


def _interrupted(message: str) -> Callable[[int, object], None]:
    """A handler that ends the command; within a finaliser Python swallows its exception, so a later signal kills it."""
    came: list[float] = []  # when the first signal did, in seconds of the monotonic clock

    def handle(number: int, _: object) -> None:
        if not came:
            came.append(time.monotonic())
            print(message, file=sys.stderr)
            raise SystemExit(128 + number)
        if time.monotonic() - came[0] >= _PATIENCE_SECONDS:
            os._exit(128 + number)

    return handle


def command_line(app: typer.Typer, interrupted: str = "interrupted; rerun the same command to resume") -> None:
    """Run a command: a StudyError becomes one line on stderr and exit code 1; other exceptions are bugs, not caught.

    Ctrl-C and SIGTERM also end it with the one line ``interrupted``, and leave no partly written file. Passwords are
    masked in all output.
    """
    mask_streams()
    app.pretty_exceptions_enable = False  # its boxes break lines, also in the middle of what is to be masked
    if "--help" not in sys.argv:
        app.rich_markup_mode = None  # nor boxes around errors; those of the help stay
    handle = _interrupted(interrupted)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
    try:
        app()
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def show(table: Table, width: int) -> None:
    """Print a table on stdout, as wide as the terminal; of a given width elsewhere, and not on a closed stdout."""
    if sys.stdout is not None:
        Console(width=None if sys.stdout.isatty() else width).print(table)


class Advance(Protocol):
    """Advance the progress by a number of units."""

    def __call__(self, done: int) -> None: ...


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s")


def clock(seconds: float) -> str:
    """Minutes and seconds, as 12:05."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


@contextmanager
def progress(label: str, total: int, unit: str) -> Iterator[Advance]:
    """Show the progress of a long loop on stderr.

    Args:
        label: what is being done, for example ``train cosine-200-0``.
        total: total number of units.
        unit: what is counted, in the plural.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            _Rate(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(label, total=total)
            yield lambda done: bar.advance(task, done)
        return

    started = last = time.monotonic()
    count = 0

    def line() -> None:
        rate = count / max(time.monotonic() - started, 1e-9)
        left = f", {clock((total - count) / rate)} left" if 0 < count < total else ""
        print(f"{label}: {count:,}/{total:,} {unit}, {rate:,.0f}/s{left}", file=sys.stderr, flush=True)

    lock = threading.Lock()  # several threads may advance

    def advance(done: int) -> None:
        nonlocal count, last
        with lock:
            count += done
            if time.monotonic() - last >= _PLAIN_SECONDS:
                last = time.monotonic()
                line()

    yield advance
    line()
