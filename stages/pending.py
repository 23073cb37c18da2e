"""What `dvc repro --dry --keep-going` says is left to do (on stdin) -> DVC targets, a line a cell, longest first.

Cells do not depend on each other, and on a CPU two cells on one core each are a quarter faster than one cell on two:
each line is for one `dvc repro --single-item` under `xargs -P`. `make study` does so.
"""

import re
import sys

import typer

from stages import _params
from stages._cells import Cell
from stages._cli import command_line

app = typer.Typer(add_completion=False)


def chain(cell: Cell, samplers: list[str], left: set[str]) -> list[str]:
    """The stages of one cell from the first that is left on, in the order of dependence.

    A dry run cannot look past an output that does not exist yet, so what follows a stage that is left is left as well.
    """
    trains = f"train@{cell}" in left
    targets = [f"train@{cell}"] if trains else []
    targets += [f"heldout@{cell}"] if trains or f"heldout@{cell}" in left else []
    for sampler in samplers:
        steps = [f"{stage}@{cell}-{sampler}" for stage in ("sample", "embed", "fid")]
        first = 0 if trains else next((i for i, s in enumerate(steps) if s in left), 3)
        targets += steps[first:]
    return targets


def pending(grid: _params.Grid, dry_run: str) -> list[list[str]]:
    """The work of every cell that has any, the cells with most steps first, so that the last ones are short."""
    left = set(re.findall(r"Running stage '([^']+)'", dry_run))
    chains = [chain(cell, grid.sampler, left) for cell in sorted(grid.cells(), key=lambda cell: -cell.T)]
    ideal = [[name] for name in sorted(left) if name.startswith("ideal@")]
    return [targets for targets in chains if targets] + ideal


@app.command(help=__doc__)
def main() -> None:
    for targets in pending(_params.load().grid, sys.stdin.read()):
        print(*targets)


if __name__ == "__main__":
    command_line(app)
