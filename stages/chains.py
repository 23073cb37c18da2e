"""Record the reverse process of a few images, and what other samplers make of their noise.

The first is for the page's animation, the second for the figure of what the first reverse step does.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
import typer
from torch import Tensor

from ddpm import artifacts
from ddpm.core.device import choose, use_graph
from ddpm.core.mnist import to_uint8
from ddpm.network.checkpoint import load_network
from ddpm.sampling.graph import sample_chain
from ddpm.sampling.inference import sampling_denoiser
from ddpm.sampling.samplers import get_sampler
from stages.support import settings
from stages.support.cells import Cell
from stages.support.cli import ScheduleOption, SeedOption, TimestepsOption, command_line
from stages.support.data import read_schedule
from stages.support.timing import record

app = typer.Typer(add_completion=False)

SAMPLER = "ancestral"  # the report's sampler
# it, and those that clip in every step, in the first reverse step, in the others, or leave the first out
FIRST_STEP_SAMPLERS = (SAMPLER, "clipped", "clipped-first", "clipped-rest", "late-start")


def chains_of(cell: Cell, compute: settings.Compute, images: int) -> Callable[[str], Iterator[np.ndarray]]:
    """By the name of a sampler: x_T and the images after every step, uint8 ``[images, 28, 28]``."""
    device, dtype = choose(**compute.model_dump())
    table = read_schedule(cell)
    network = load_network(cell.model, device)
    rounded, exact = (sampling_denoiser(network, table.to(device), each) for each in (dtype, torch.float32))
    chain = partial(
        sample_chain, rounded, table, seed=cell.seed, first=0, count=images,
        device=device, graph=use_graph(network, device), exact=exact,
    )  # fmt: skip

    def pixels(x: Tensor) -> np.ndarray:
        found: np.ndarray = to_uint8(x).squeeze(1).cpu().numpy()
        return found

    def run(name: str) -> Iterator[np.ndarray]:
        sampler, steps = get_sampler(name, cell.T)
        return (pixels(x) for _, x in chain(sampler=sampler, steps=steps))

    return run


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption, seed: SeedOption) -> None:
    params, cell = settings.load(), Cell(schedule, timesteps, seed)
    started, wanted = time.monotonic(), params.chains
    chain = chains_of(cell, params.compute, wanted.images)
    every = list(chain(SAMPLER))
    chosen = np.linspace(0, len(every) - 1, min(wanted.frames, len(every))).round().astype(int)  # x_T first, x_0 last
    artifacts.write_npy(cell.chain, np.stack([every[k] for k in chosen]))
    artifacts.write_tensors(cell.first_step, {name: list(chain(name))[-1] for name in FIRST_STEP_SAMPLERS}, {})
    calls = wanted.images * timesteps * (1 + len(FIRST_STEP_SAMPLERS))
    record("chains", str(cell), time.monotonic() - started, calls)


if __name__ == "__main__":
    command_line(app)
