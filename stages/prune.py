"""Which cells the grid has; files of other cells leave the folders that later stages read as a whole.

DVC takes a folder for changed when anything lies in it, also what a run with other seeds left there. This stage runs
whenever the grid is another than last time, and before every stage that reads a folder. What it removes is in DVC's
cache and comes back with `dvc checkout` or `dvc repro`; models stay, since no stage reads their folder.
"""

from pathlib import Path

import typer

from ddpm import artifacts
from stages.support import settings
from stages.support.cells import DIGITS, GRID, REFERENCE, Cell
from stages.support.cli import command_line

app = typer.Typer(add_completion=False)


def wanted(params: settings.Params) -> set[Path]:
    """All files of the grid's cells in folders that a stage reads as a whole, and what else belongs there."""
    found = {REFERENCE, DIGITS}
    for cell in params.grid.cells():
        found |= {cell.table, cell.log, cell.audit, cell.heldout}
        for sampler in params.grid.sampler:
            found |= {cell.samples(sampler), cell.features(sampler), cell.metrics(sampler)}
    for schedule in params.grid.schedule:
        found |= {Cell(schedule, params.chains.T, params.chains.seed).chain}
        found |= {Cell(schedule, T, 0).ideal for T in params.ideal.T}
    return found


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    keep = wanted(params)
    for folder in sorted({path.parent for path in keep}):
        for path in sorted(folder.glob("[!.]*")):
            if path not in keep:
                artifacts.remove(path)
    cells = [f"{cell}-{sampler}" for cell in params.grid.cells() for sampler in params.grid.sampler]
    artifacts.write_json(GRID, cells)


if __name__ == "__main__":
    command_line(app)
