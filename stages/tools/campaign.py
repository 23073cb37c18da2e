"""Run the experiments of conf/campaign.yaml that are missing or stale, and keep their tables.

They are kept in metrics/runs/.

Each runs in a clone of its own in .work/campaign/, at the commit of this folder and with its DVC cache, and is removed
when its result is kept. An interrupted run resumes.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ddpm.errors import StudyError
from stages.support import settings
from stages.support.cli import command_line, show
from stages.support.cores import cores
from stages.support.paths import root
from stages.tools import experiments, worker
from stages.tools.experiments import Experiment, Sources, State
from stages.tools.keep_run import keep
from stages.tools.workspace import CODE, commit, environment, git, workspace

app = typer.Typer(add_completion=False)

TABLES = ("aggregate", "ranking")  # the stages whose tables are kept


def run(folder: Path, jobs: int, cluster: str) -> None:
    """Bring the experiment's table up to date; StudyError when a stage fails or anything is left to run."""
    grid = [sys.executable, "-m", "stages.tools.grid", "--no-live", "--jobs", str(jobs), "--cluster", cluster]
    # DVC's own errors are on stderr: not `--quiet`, which would hide them as well
    for name, command, out in (("the grid", grid, None), ("dvc repro", ["dvc", "repro", *TABLES], subprocess.DEVNULL)):
        if subprocess.run(command, cwd=folder, env=environment(), stdout=out).returncode:
            raise StudyError(f"{name} failed, see above", where=str(folder), hint="run it again")
    dry = subprocess.run(
        ["dvc", "repro", "--dry", *TABLES], cwd=folder, env=environment(), capture_output=True, text=True
    )
    if dry.returncode or "Running stage" in dry.stdout:
        told = " ".join(["the table is not up to date after its run;", *dry.stderr.split()]).rstrip(";")
        raise StudyError(told, where=str(folder), hint="run it again")
    if changed := git("status", "--porcelain", "--", *CODE, folder=folder).strip():
        raise StudyError(f"sources changed during the run: {changed}", where=str(folder), hint="remove the folder")


def check_sources() -> None:
    """StudyError when sources of cells are not those that dvc.lock names: results of both would not be comparable."""
    status = subprocess.run(["dvc", "status", "--json"], env=environment(), capture_output=True, text=True)
    if status.returncode:
        raise StudyError(f"dvc status failed: {' '.join(status.stderr.split())}", where="dvc.lock")
    for stage, found in json.loads(status.stdout).items():
        deps = [dep for part in found if isinstance(part, dict) for dep in part.get("changed deps", {}).items()]
        for path, state in deps:
            if stage.split("@")[0] in experiments.OF_CELLS and path.startswith(("ddpm", "stages")):
                told = f"{path}, which {stage.split('@')[0]} runs, is {state} since dvc.lock was written"
                raise StudyError(told, where="dvc.lock", hint="run `make study` first, and commit dvc.lock")


def overview(states: dict[str, State], asked: dict[str, Experiment]) -> Table:
    """One row an experiment."""
    table = Table(title="Experiments of conf/campaign.yaml")
    for column in ("experiment", "question", "state", "cells", "core hours from an empty cache"):
        table.add_column(column)
    for name, state in states.items():
        needs = f" (needs {asked[name].needs})" if asked[name].needs else ""
        told = f"{state.state}: {state.why}" if state.why else state.state
        cells = len(state.params.grid.cells())
        table.add_row(name, escape(asked[name].question + needs), escape(told), str(cells), f"{state.hours:.1f}")
    return table


def chosen(only: str | None) -> dict[str, Experiment]:
    """The experiments of these names, separated by commas, or all; StudyError for an unknown name, or for no name."""
    every = experiments.read()
    if only is None:
        return every
    names = [name for name in map(str.strip, only.split(",")) if name]
    if not names:
        raise StudyError("no experiment is named", where="--only", hint="name one, or leave it out for all of them")
    if unknown := [name for name in names if name not in every]:
        hint = f"one of {', '.join(every)}"
        raise StudyError(f"no experiment {unknown[0]!r}", where=str(experiments.FILE), hint=hint)
    return {name: every[name] for name in names}


def make(name: str, state: State, begin: str, current: Sources, jobs: int, cluster: str) -> None:
    """Run one experiment in a clone at a commit, keep its tables, and remove the clone.

    Raises:
        StudyError: a stage fails, or the experiment was made by other sources than the study; the clone stays.
    """
    folder = root() / ".work" / "campaign" / name
    workspace(folder, begin, state.text)
    run(folder, jobs, cluster)
    if experiments.sources(folder / "dvc.lock", state.params) - current:
        raise StudyError(f"{name} was made by other sources than dvc.lock names", hint="run `make study` first")
    print(keep(name, folder, replace=True), file=sys.stderr, flush=True)
    shutil.rmtree(folder)


@app.command(help=__doc__)
def main(
    only: Annotated[str | None, typer.Option(help="Names of experiments, separated by commas; all by default.")] = None,
    dry: Annotated[bool, typer.Option("--dry", help="Only say what would run, and how long it takes.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Number of cells at a time.")] = cores(),
    cluster: Annotated[str, typer.Option(help="Address of a Dask scheduler, whose workers do the jobs.")] = "",
) -> None:
    worker.find_commands()
    asked = chosen(only)
    current = experiments.sources(Path("dvc.lock"), settings.load())
    states = {name: experiments.state_of(name, experiment, current) for name, experiment in asked.items()}
    show(overview(states, asked), 140)
    todo = [name for name, state in states.items() if state.state != "kept"]
    if dry or not todo:
        return
    begin = commit()  # once: who commits or edits during the hours of a campaign changes nothing of it
    if git("status", "--porcelain", "--", "dvc.lock"):
        raise StudyError("not committed", where="dvc.lock", hint="commit it first: experiments begin with it")
    check_sources()
    failed: dict[str, str] = {}
    for name in todo:
        if asked[name].needs and only is None:
            print(f"{name} is left out: it needs {asked[name].needs}; ask for it with --only", file=sys.stderr)
            continue
        print(f"{name}: {asked[name].question}", file=sys.stderr, flush=True)
        try:
            make(name, states[name], begin, current, jobs, cluster)
        except StudyError as error:  # the others run all the same
            failed[name] = str(error)
            print(f"{name} failed: {error}", file=sys.stderr, flush=True)
    for name, told in failed.items():  # again, below what may be hours of output
        print(f"error: {name}: {told}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    command_line(app)
