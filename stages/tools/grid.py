"""Run all stages that are out of date, several cells at a time, and show the progress.

Used by `make study`. Cells are independent, and two cells on one CPU core each are a quarter faster than one cell on
two cores. Each cell is one `dvc repro --single-item` with its stages, whose output is written to .work/grid/. With
--cluster they run on the workers of a Dask scheduler, each in a clone of its own, and come back by the DVC remote.
"""

import subprocess
import sys
from contextlib import nullcontext
from typing import Annotated

import typer
from rich.console import Console

from ddpm.errors import StudyError
from stages.support import settings
from stages.support.cli import command_line
from stages.support.cores import cores
from stages.support.network import require_usable
from stages.support.paths import root
from stages.tools import cluster, engine, machines, mend, worker
from stages.tools.jobs import Job, left_to_do, plan
from stages.tools.live import Follower
from stages.tools.overview import Overview
from stages.tools.store import study_key

app = typer.Typer(add_completion=False)

FIRST = ("mnist", "weights", "schedules")  # fast, and all other stages depend on them


def begin() -> None:
    """Bring the inputs of all cells up to date."""
    if mend.mend(root()):  # after a run that was killed
        print("mended what a command that was killed had left half written", file=sys.stderr, flush=True)
    command = ["dvc", "--wait-for-lock", "repro", "--single-item", *FIRST]
    # not `--quiet`, which would hide DVC's own errors as well
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
        raise StudyError("a shared stage failed, see the output above", where=", ".join(FIRST))


def local(jobs: list[Job], places: int, overview: Overview) -> None:
    """Run the jobs in this folder."""

    def each(job: Job, made: worker.Made) -> None:
        machines.note(job.targets, made.kind)

    with engine.connect("", places) as client, overview:
        engine.run(client, jobs, lambda _: worker.here, overview, each=each)


@app.command(help=__doc__)
def main(
    jobs: Annotated[int, typer.Option(min=1, help="Number of cells at a time, one thread each.")] = cores(),
    live: Annotated[bool, typer.Option(help="Send the losses of trainings under way to MLflow.")] = True,
    scheduler: Annotated[str, typer.Option("--cluster", help="Address of a Dask scheduler, as tcp://head:8786.")] = "",
) -> None:
    worker.find_commands()
    params = settings.load()
    where = engine.address(scheduler)
    if where:
        engine.check_address(where)
    begin()
    left = left_to_do()
    if left and not where:
        from ddpm.core.device import choose  # torch takes a second to import

        choose(**params.compute.model_dump())  # a device that is not there fails once, not in every job
    if not where and any(target.startswith("train@") for target in left):
        require_usable(params.network)
    order = cluster.orders() if where and left else None
    todo = plan(params, cluster.resume(left) if order else left)
    overview = Overview(todo, Console(stderr=True))
    if order and todo:
        cluster.run(todo, where, order, overview)
    elif todo:
        with Follower(params, study_key(params)) if live else nullcontext():
            local(todo, jobs, overview)
    if told := machines.mixture(params):
        print(f"warning: {told}", file=sys.stderr)
    if overview.failed:
        told = "; ".join(f"{name}: {error}" for name, error in overview.failed.items())
        raise StudyError(f"{len(overview.failed)} of {len(todo)} failed: {told}", hint="finished cells are kept")


if __name__ == "__main__":
    command_line(app)
