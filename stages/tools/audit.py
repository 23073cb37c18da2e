"""Audit a schedule before any training and list its issues.

Example: `python -m stages.tools.audit --schedule cosine --T 50`.
"""

import math

import typer
from rich.table import Table

from ddpm.schedules import Audit, audit, make_schedule
from stages.support import settings
from stages.support.cli import ScheduleOption, TimestepsOption, command_line, show

app = typer.Typer(add_completion=False)

HO_AMPLITUDE = 0.0064  # sqrt(alpha_bar_T) of Ho et al. 2020
LARGE_GAIN = 2.0
FEW_USEFUL = 0.33


def remarks(found: Audit, T: int) -> list[str]:
    """The issues of a schedule, one sentence each."""
    said = []
    if found.sqrt_alpha_bar_T > 2 * HO_AMPLITUDE:
        said.append(
            f"It does not end in pure noise: sqrt(alpha_bar_T) is {found.sqrt_alpha_bar_T:.3f}, while sampling starts "
            f"from pure noise (Ho et al. 2020: {HO_AMPLITUDE})."
        )
    if math.isinf(found.error_gain):
        said.append("alpha_bar_T is 0, so epsilon says nothing of x_0 at t = T: samplers leave that step out.")
    elif found.error_gain > LARGE_GAIN:
        said.append(
            f"The first reverse step multiplies x_T by {found.last_step_gain:.3g} and the network's error by "
            f"{found.error_gain:.3g}: use a sampler that clips, or lower the largest beta."
        )
    if found.steps_below_1e_5:
        said.append(f"{found.steps_below_1e_5} of {T} steps have no visible effect (beta below 1e-5).")
    if found.useful_share < FEW_USEFUL:
        said.append(f"Only {found.useful_share:.0%} of the steps are at informative noise levels (log SNR -2 .. 2).")
    return said


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption) -> None:
    made = make_schedule(schedule, timesteps, **settings.load().schedule_parameters(schedule))
    found = audit(made)
    table = Table(title=f"{schedule}, T = {timesteps}")
    table.add_column("quantity")
    table.add_column("value", justify="right")
    table.add_row("sqrt(alpha_bar_T)", f"{found.sqrt_alpha_bar_T:.3g}")
    table.add_row("log SNR at t = T", f"{found.log_snr_T:.2f}")
    table.add_row("KL of x_T to N(0, I), nats per image", f"{found.prior_kl_nats:.3g}")
    table.add_row("gain of x_T in the first reverse step", f"{found.last_step_gain:.3g}")
    table.add_row("gain of the network's error there", f"{found.error_gain:.3g}")
    table.add_row("beta_1 .. beta_T", f"{found.beta_1:.2g} .. {found.beta_T:.4g}")
    table.add_row("steps with beta below 1e-5", str(found.steps_below_1e_5))
    table.add_row("share of steps with abs(log SNR) < 2", f"{found.useful_share:.0%}")
    show(table, 110)
    for sentence in remarks(found, timesteps) or ["No issues found."]:
        print(sentence)


if __name__ == "__main__":
    command_line(app)
