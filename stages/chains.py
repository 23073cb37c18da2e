"""Record the reverse process of a few images of one trained cell for the page's animation."""

import time

import numpy as np
import typer

from ddpm import artifacts
from ddpm.core.device import choose, use_graph
from ddpm.core.mnist import to_uint8
from ddpm.network.checkpoint import load_network
from ddpm.sampling import inference
from ddpm.sampling.graph import sample_chain
from ddpm.sampling.samplers import get_sampler
from stages.support import settings
from stages.support.cells import Cell
from stages.support.cli import ScheduleOption, SeedOption, TimestepsOption, command_line
from stages.support.data import read_schedule
from stages.support.timing import record

app = typer.Typer(add_completion=False)

SAMPLER = "ancestral"  # the report's sampler


def frames(cell: Cell, compute: settings.Compute, images: int, count: int) -> np.ndarray:
    """Evenly spaced steps of the reverse process, x_T first and x_0 last: uint8 ``[count, images, 28, 28]``."""
    device, dtype = choose(**compute.model_dump())
    table = read_schedule(cell)
    network = load_network(cell.model, device)
    denoiser, graph = inference.sampling_denoiser(network, table.to(device), dtype), use_graph(network, device)
    sampler, steps = get_sampler(SAMPLER, cell.T)
    chain = sample_chain(denoiser, table, sampler, steps, cell.seed, 0, images, device, graph=graph)
    every = [to_uint8(x) for _, x in chain]
    wanted = np.linspace(0, len(every) - 1, min(count, len(every))).round().astype(int)
    return np.stack([every[k].squeeze(1).cpu().numpy() for k in wanted])


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption, seed: SeedOption) -> None:
    params, cell = settings.load(), Cell(schedule, timesteps, seed)
    started, wanted = time.monotonic(), params.chains
    artifacts.write_npy(cell.chain, frames(cell, params.compute, wanted.images, wanted.frames))
    record("chains", str(cell), time.monotonic() - started, wanted.images * timesteps)


if __name__ == "__main__":
    command_line(app)
