"""Remove files of cells that are not in the grid from folders that later stages read as a whole.

DVC considers a folder changed if it contains any other file, such as the results of a run with other seeds. This stage
runs when the grid has changed, and before every stage that reads a folder. The removed files remain in DVC's cache and
are restored by `dvc checkout` or `dvc repro`; models are kept, since no stage reads their folder.
"""

from pathlib import Path

import typer

from ddpm import artifacts
from stages.support import settings
from stages.support.cells import DIGITS, GRID, REFERENCE, Cell
from stages.support.cli import command_line

app = typer.Typer(add_completion=False)


def wanted(params: settings.Params) -> set[Path]:
    """All files that belong in folders that a stage reads as a whole: of the grid's cells, or of no cell."""
    found = {REFERENCE, DIGITS}
    for cell in params.grid.cells():
        found |= {cell.table, cell.log, cell.audit, cell.heldout}
        for sampler in params.grid.sampler:
            found |= {cell.samples(sampler), cell.features(sampler), cell.metrics(sampler)}
    for schedule in params.grid.schedule:
        animated = Cell(schedule, params.chains.T, params.chains.seed)
        found |= {animated.chain, animated.first_step}
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
