"""Tabulate one schedule for every T of the grid, and audit it.

Training depends on these tables, not on the code that makes them: a new schedule, or a new T, changes no other cell.
"""

import math
from dataclasses import asdict
from typing import Annotated

import typer

from ddpm import artifacts
from ddpm.schedules import audit, make_schedule
from stages import _params
from stages._cells import METRICS, SCHEDULES
from stages._cli import command_line

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(
    schedule: Annotated[str, typer.Option(help="Name of the schedule, a group of params.yaml's `schedules`.")],
) -> None:
    params = _params.load()
    made = {T: make_schedule(schedule, T, **params.schedule_parameters(schedule)) for T in params.grid.T}
    audits = {}
    for T, table in made.items():
        artifacts.write_npy(SCHEDULES / schedule / f"{T}.npy", table.beta[1:].numpy())
        # JSON has no infinity: a zero terminal SNR is null
        audits[str(T)] = {key: value if math.isfinite(value) else None for key, value in asdict(audit(table)).items()}
    artifacts.write_json(METRICS / "schedules" / f"{schedule}.json", audits)


if __name__ == "__main__":
    command_line(app)
