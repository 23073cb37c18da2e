"""What `dvc repro --dry` says is left to do (on stdin) -> DVC targets, a line a cell, longest first, for `xargs -P`.

Cells do not depend on each other, and on a CPU two cells on one core each are a quarter faster than one cell on two.
Example: `dvc repro --dry | python -m stages.pending | xargs -P 4 -L 1 dvc --wait-for-lock repro --single-item`.
"""

import re
import sys

import typer

from stages import _params
from stages._cli import command_line

app = typer.Typer(add_completion=False)


def targets(grid: _params.Grid, dry_run: str) -> list[list[str]]:
    """The stages of every cell that the dry run would run, in the order they depend on each other."""
    left = set(re.findall(r"Running stage '([^']+)'", dry_run))
    found = []
    for cell in sorted(grid.cells(), key=lambda cell: -cell.T):
        chain = [f"train@{cell}"]
        chain += [f"{stage}@{cell}-{sampler}" for sampler in grid.sampler for stage in ("sample", "embed", "fid")]
        found.append([target for target in chain if target in left])
    return [chain for chain in found if chain]


@app.command(help=__doc__)
def main() -> None:
    for chain in targets(_params.load().grid, sys.stdin.read()):
        print(*chain)


if __name__ == "__main__":
    command_line(app)
