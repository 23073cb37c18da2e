"""Losses of one trained network on test images: L_simple, and the loss on a grid of log SNR common to all schedules."""

import time

import numpy as np
import torch
import typer

from ddpm import artifacts
from ddpm.core import rng
from ddpm.core.device import choose
from ddpm.core.mnist import SIDE, to_model
from ddpm.diagnostics import heldout
from ddpm.diffusion import Schedule
from ddpm.network import unet
from ddpm.network.checkpoint import load_network
from stages.inputs import real_images
from stages.support import settings
from stages.support.cells import Cell
from stages.support.cli import ScheduleOption, SeedOption, TimestepsOption, command_line
from stages.support.timing import record

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption, seed: SeedOption) -> None:
    params, cell = settings.load(), Cell(schedule, timesteps, seed)
    started, wanted = time.monotonic(), params.heldout
    device, dtype = choose(**params.compute.model_dump())
    table = Schedule.from_beta(torch.from_numpy(artifacts.read_npy(cell.table))).to(device)
    denoiser = unet.denoiser(load_network(cell.model, device), table, dtype)
    x_0 = to_model(real_images.test_images()[: wanted.images]).to(device)
    few = x_0[: wanted.images_per_level]

    def noise(purpose: str, index: int, count: int) -> torch.Tensor:
        # seed 0 whatever the cell's: all networks are examined on equal images and equal noise
        shape = (1, SIDE, SIDE)
        return rng.image_noise(0, purpose, index, first=0, count=count, shape=shape, device=device)

    generator = rng.stream(0, "held-out t", device=device)
    simple = heldout.simple_loss(denoiser, x_0, noise("held-out", 0, len(x_0)), table, generator, 500)
    levels, own = np.array(wanted.log_snr), heldout.log_snr(table)
    covered = bool(own[-1] <= levels[0] and levels[-1] <= own[0])  # not by a few steps of a steep schedule
    at = (
        heldout.loss_at(denoiser, few, table, levels, lambda i: noise("held-out level", i, len(few)))
        if covered
        else None
    )
    found = {
        "loss_simple": float(simple.mean()),
        "loss_simple_error": float(simple.std(ddof=1) / np.sqrt(len(simple))),
        "loss_common": None if at is None else float(at.mean()),
        "loss_at_log_snr": None if at is None else dict(zip(map(str, wanted.log_snr), at.tolist(), strict=True)),
    }
    artifacts.write_json(cell.heldout, found)
    record("heldout", str(cell), time.monotonic() - started, len(x_0) + 2 * len(levels) * len(few))


if __name__ == "__main__":
    command_line(app)
