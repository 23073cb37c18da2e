"""Precompute the betas of one schedule for one T and audit them.

Training depends on this table, not on the code that computes it: adding a schedule affects no existing cell.
"""

import math
from dataclasses import asdict

import typer

from ddpm import artifacts
from ddpm.schedules import audit, make_schedule
from stages.support import settings
from stages.support.cells import Cell
from stages.support.cli import ScheduleOption, TimestepsOption, command_line

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption) -> None:
    params = settings.load()
    made = make_schedule(schedule, timesteps, **params.schedule_parameters(schedule))
    cell = Cell(schedule, timesteps, 0)  # the table is the same for all seeds
    artifacts.write_npy(cell.table, made.beta[1:].numpy())
    # JSON has no infinity: a zero terminal SNR is null
    found = {key: value if math.isfinite(value) else None for key, value in asdict(audit(made)).items()}
    artifacts.write_json(cell.audit, found)


if __name__ == "__main__":
    command_line(app)
