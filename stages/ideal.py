"""Compute the FID of samples from the optimal denoiser of the training set.

The exact posterior mean over all training images replaces the network, so that the error is due to the steps alone.
"""

import time
from collections.abc import Callable
from functools import partial

import torch
import typer
from torch import Tensor

from ddpm import artifacts
from ddpm.core import rng
from ddpm.core.device import choose
from ddpm.core.mnist import SIDE, to_model, to_uint8
from ddpm.diagnostics.ideal import ideal_denoiser
from ddpm.diffusion import Denoiser, Schedule
from ddpm.quality.frechet import fit_gaussian, gaussian_distance
from ddpm.sampling.samplers import get_sampler, reverse
from ddpm.schedules import make_schedule
from stages.inputs.embedder import Embedder
from stages.support import data, parallel, settings
from stages.support.cells import REFERENCE, Cell
from stages.support.cli import ScheduleOption, TimestepsOption, command_line, progress
from stages.support.timing import record

app = typer.Typer(add_completion=False)

SAMPLERS = ("ancestral", "clipped")
BATCH = 125  # images; rounding depends on it, so it is fixed


def generate(denoiser: Denoiser, table: Schedule, sampler: str, count: int, device: str, label: str) -> Tensor:
    """Samples of the full chain, uint8 ``[count, 1, 28, 28]``."""
    chain = partial(reverse, denoiser, table, get_sampler(sampler, table.T)[0], table.T)
    with progress(label, count * table.T, "image steps") as advance:

        def batch(first: int, go_on: Callable[[], None]) -> Tensor:
            images, shape = min(BATCH, count - first), (1, SIDE, SIDE)
            noise = partial(rng.image_noise, 0, "sampling noise", first=first, count=images, shape=shape, device=device)
            for _, x in chain(noise):  # noqa: B007  # the last is x_0
                go_on()
                advance(images)
            return to_uint8(x).cpu()

        return torch.cat(list(parallel.in_order(batch, range(0, count, BATCH), parallel.workers(device))))


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption) -> None:
    params = settings.load()
    started, count = time.monotonic(), params.ideal.images
    device, _ = choose(**params.compute.model_dump())
    table = make_schedule(schedule, timesteps, **params.schedule_parameters(schedule))
    denoiser = ideal_denoiser(to_model(data.train_images()).to(device), table)
    embed, real = Embedder(params.extractor, device), fit_gaussian(artifacts.read_tensors(REFERENCE)[0]["reference"])
    found = {}
    for sampler in SAMPLERS:
        label = f"ideal {schedule}-{timesteps} {sampler}"
        features = embed(generate(denoiser, table, sampler, count, device, label), f"features of {label}")
        found[sampler] = gaussian_distance(fit_gaussian(features), real)
    artifacts.write_json(Cell(schedule, timesteps, 0).ideal, {"fid": found, "samples": count})
    embed.forget()
    record("ideal", f"{schedule}-{timesteps}", time.monotonic() - started, count * timesteps * len(SAMPLERS))


if __name__ == "__main__":
    command_line(app)
