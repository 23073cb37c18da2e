"""Precompute the betas of every schedule of the grid for every T, and audit them.

Training depends on its own table, not on the code that computes it: adding a schedule affects no existing cell.
"""

import math
from dataclasses import asdict

import typer

from ddpm import artifacts
from ddpm.schedules import audit, make_schedule
from stages.support import settings
from stages.support.cells import Cell
from stages.support.cli import command_line

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    for cell in dict.fromkeys(Cell(cell.schedule, cell.T, 0) for cell in params.grid.cells()):  # the same for all seeds
        made = make_schedule(cell.schedule, cell.T, **params.schedule_parameters(cell.schedule))
        artifacts.write_npy(cell.table, made.beta[1:].numpy())
        # JSON has no infinity: a zero terminal SNR is null
        found = {key: value if math.isfinite(value) else None for key, value in asdict(audit(made)).items()}
        artifacts.write_json(cell.audit, found)


if __name__ == "__main__":
    command_line(app)
