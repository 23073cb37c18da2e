"""Keep this run's tables and parameters in metrics/runs/NAME for later claims and comparisons.

The table, the rankings, params.yaml and dvc.lock are copied. The stage `claims` then uses the run's seeds together with
those of the study in metrics/, so that seeds may be run on several machines. Example: `dvc exp run -S 'seed="1"'`, then
`python -m stages.tools.keep_run seed-1`.
"""

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.analysis.runs import FOLDER, RANKING, TABLE, differences
from stages.analysis.tables import AXES
from stages.support import settings
from stages.support.cells import METRICS, RESULTS
from stages.support.cli import command_line
from stages.support.records import read_record
from stages.tools import lock, machines, made

app = typer.Typer(add_completion=False)

MACHINES = "machines.json"  # only of a run whose cells are of several kinds of machines
CELLS = RESULTS / "cells"  # what both the table and the rankings are made of
NAME = r"[a-z0-9][a-z0-9.-]{0,99}"  # of a folder in metrics/runs


def require_made(workspace: Path) -> None:
    """StudyError unless dvc.lock says that the tables are of the same cells and of the parameters in params.yaml."""
    tables = {"aggregate": METRICS / TABLE, "ranking": METRICS / RANKING}
    entries, now = lock.entries(workspace, tables), made.values(workspace)
    for stage, table in tables.items():
        if stage == "ranking" and not (workspace / table).exists():
            continue
        why = made.fault(entries.get(stage), [table], now, workspace)
        if not why and made.dep(entries[stage], CELLS) != made.dep(entries["aggregate"], CELLS):
            why = "of other cells than the table"
        if why:
            raise StudyError(why, where=str(workspace / table), hint=f"run `dvc repro {stage}`")


def require_same_study(folder: Path, params: settings.Params) -> None:
    """StudyError when a folder keeps a run of other cells or parameters."""
    path = folder / settings.PATH
    if not path.exists():
        return
    kept = settings.read(path)
    other = differences(params, kept) + (["grid"] if kept.grid != params.grid else [])
    if other:
        hint = "choose another name, or remove the folder"
        raise StudyError(f"keeps another run, which differs in {', '.join(other)}", where=str(folder), hint=hint)


def keep(name: str, workspace: Path = Path(), *, replace: bool = False) -> str:
    """Copy the run of a workspace to metrics/runs/NAME; what was kept, in words.

    Args:
        name: of the folder.
        workspace: the clone that has the run.
        replace: whatever run the folder keeps; else only one of the same cells and parameters.

    Raises:
        StudyError: no name of a folder, the folder keeps another run, or a table is not what the workspace's
            params.yaml asks for: of another grid, made with other parameters by its dvc.lock, or changed since.
    """
    if not re.fullmatch(NAME, name):
        raise StudyError(f"invalid folder name {name!r}", where=str(FOLDER), hint="use up to 100 of a-z, 0-9, - and .")
    params, table = settings.read(workspace / settings.PATH), workspace / METRICS / TABLE
    if not replace:
        require_same_study(FOLDER / name, params)
    rows = artifacts.read_csv(table)
    found = {tuple(row.get(axis) for axis in AXES) for row in rows}
    if found != params.grid.rows():
        raise StudyError("not the table of the grid in params.yaml", where=str(table), hint="run `dvc repro`")
    sources = {TABLE: table, settings.PATH.name: workspace / settings.PATH}
    ranking = workspace / METRICS / RANKING
    if ranking.exists():
        again = "run `dvc repro ranking`"
        if read_record(ranking, hint=again).get("grid") != params.grid.model_dump():  # `dvc repro aggregate` leaves it
            raise StudyError("not of the grid in params.yaml", where=str(ranking), hint=again)
        sources[RANKING] = ranking
    require_made(workspace)
    files = {target: artifacts.read_bytes(source) for target, source in sources.items()}
    mixture = machines.mixture(params, workspace)
    if mixture:
        print(f"warning: {name}: {mixture}", file=sys.stderr)
        files[MACHINES] = json.dumps(machines.kinds(params, workspace)).encode()
    files[lock.LOCK] = artifacts.read_bytes(workspace / lock.LOCK)  # the last: a kept run that has it is whole
    for target in (lock.LOCK, RANKING, MACHINES):  # of a run that was kept there before
        artifacts.remove(FOLDER / name / target)
    for target, data in files.items():
        artifacts.write_bytes(FOLDER / name / target, data)
    return f"{len(rows)} rows in {FOLDER / name}; commit it, then run `dvc repro report`"


@app.command(help=__doc__)
def main(name: Annotated[str, typer.Argument(help="Name of the folder, for example seed-1.")]) -> None:
    print(keep(name))


if __name__ == "__main__":
    command_line(app)
