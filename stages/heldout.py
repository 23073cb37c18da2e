"""Compute the losses of one trained network on test images, and its error at t = T by parts.

The losses are L_simple and the loss on a grid of log SNR that is common to all schedules.
"""

import time

import numpy as np
import torch
import typer

from ddpm import artifacts
from ddpm.core.device import choose
from ddpm.core.mnist import to_model
from ddpm.diagnostics import heldout
from ddpm.network import unet
from ddpm.network.checkpoint import load_network
from stages.support import data, settings
from stages.support.cells import Cell
from stages.support.cli import ScheduleOption, SeedOption, TimestepsOption, command_line
from stages.support.data import read_schedule
from stages.support.timing import record

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption, seed: SeedOption) -> None:
    params, cell = settings.load(), Cell(schedule, timesteps, seed)
    started, wanted = time.monotonic(), params.heldout
    device, dtype = choose(**params.compute.model_dump())
    table = read_schedule(cell, device)
    network = load_network(cell.model, device)
    denoiser, exact = (unet.denoiser(network, table, precision) for precision in (dtype, torch.float32))
    x_0 = to_model(data.test_images()[: wanted.images]).to(device)
    losses = heldout.measure(denoiser, exact, x_0, table, np.array(wanted.log_snr), wanted.images_per_level)
    at, end = losses.at_levels, losses.at_end
    found = {
        "loss_simple": float(losses.simple.mean()),
        "loss_simple_error": losses.simple_error,
        "loss_common": None if at is None else float(at.mean()),
        "end_error_mean": end.mean,
        "end_error_low": end.low,
        "end_error_rest": end.rest,
        "loss_at_log_snr": None if at is None else dict(zip(map(str, wanted.log_snr), at.tolist(), strict=True)),
    }
    artifacts.write_json(cell.heldout, found)
    at_levels = len(wanted.log_snr) * min(len(x_0), wanted.images_per_level)
    record("heldout", str(cell), time.monotonic() - started, 2 * len(x_0) + 2 * at_levels)


if __name__ == "__main__":
    command_line(app)
