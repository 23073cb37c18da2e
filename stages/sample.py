"""Generate images from one trained cell with one sampler."""

import time
from functools import partial

import numpy as np
import torch
import typer

from ddpm import artifacts, network, rng
from ddpm.diffusion import Schedule
from ddpm.mnist import SIDE, to_uint8
from ddpm.sampling import get_sampler, reverse
from stages import _params
from stages._cells import Cell
from stages._cli import SamplerOption, ScheduleOption, SeedOption, TimestepsOption, command_line, progress
from stages._device import choose
from stages._models import load_network
from stages._times import record

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption, seed: SeedOption, sampler: SamplerOption) -> None:
    params, cell = _params.load(), Cell(schedule, timesteps, seed)
    started = time.monotonic()
    chosen, steps, total = get_sampler(sampler), params.sample.steps or timesteps, params.sample.images
    device, dtype = choose(params.compute)
    table = Schedule.from_beta(torch.from_numpy(artifacts.read_npy(cell.table)))
    denoiser = network.denoiser(load_network(cell.model, device), table.to(device), dtype)

    images = []
    with progress(f"sample {cell} {sampler}", total * steps, "network calls") as advance:
        for first in range(0, total, params.sample.batch_size):
            count = min(params.sample.batch_size, total - first)
            noise = partial(_noise, seed, first, count, device)
            for _, x in reverse(denoiser, table, chosen, steps, noise):  # noqa: B007  # the last x is x_0
                advance(count)
            images.append(to_uint8(x).squeeze(1).cpu().numpy())
    artifacts.write_npy(cell.samples(sampler), np.concatenate(images))
    record("sample", f"{cell}-{sampler}", time.monotonic() - started, total * steps)


def _noise(seed: int, first: int, count: int, device: str, k: int) -> torch.Tensor:
    shape = (1, SIDE, SIDE)
    return rng.image_noise(seed, "sampling noise", k, first=first, count=count, shape=shape, device=device)


if __name__ == "__main__":
    command_line(app)
