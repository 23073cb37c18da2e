"""Generate images with one trained network and one sampler."""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import typer

from ddpm import artifacts
from ddpm.core.device import choose, sample_batch, use_graph
from ddpm.core.mnist import to_uint8
from ddpm.network.checkpoint import load_network
from ddpm.sampling.graph import sample_chain
from ddpm.sampling.inference import sampling_denoiser
from ddpm.sampling.samplers import get_sampler, plan
from stages.support import parallel, settings
from stages.support.cells import Cell
from stages.support.cli import SamplerOption, ScheduleOption, SeedOption, TimestepsOption, command_line, progress
from stages.support.data import read_schedule
from stages.support.resume import Resume
from stages.support.timing import record

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption, seed: SeedOption, sampler: SamplerOption) -> None:
    params, cell = settings.load(), Cell(schedule, timesteps, seed)
    started, total = time.monotonic(), params.sample.images
    chosen, steps = get_sampler(sampler, timesteps)
    device, dtype = choose(**params.compute.model_dump())
    table = read_schedule(cell)
    calls = len(plan(table, chosen, steps))
    network = load_network(cell.model, device)
    rounded, exact = (sampling_denoiser(network, table.to(device), each) for each in (dtype, torch.float32))
    noise_seed = seed if params.sample.seed is None else params.sample.seed
    chain = partial(
        sample_chain, rounded, table, chosen, steps, noise_seed,
        device=device, graph=use_graph(network, device), exact=exact,
    )  # fmt: skip
    deciding = {"sample": params.sample, "seed": seed, "precision": dtype}
    with progress(f"sample {cell} {sampler}", total * calls, "network calls") as advance:

        def batch(first: int, go_on: Callable[[], None]) -> tuple[np.ndarray, Resume]:
            """Images ``first ..`` of one batch, uint8, and their checkpoint."""
            count = min(size, total - first)
            resume = Resume(f"sample-{cell}-{sampler}-{first}", deciding, [cell.table, cell.model])
            state, metadata = resume.load()
            taken = (int(metadata["taken"]), torch.from_numpy(state["x"]).to(device)) if state else None
            advance(count * taken[0] if taken else 0)
            x, done = taken[1] if taken else torch.empty(0), taken[0] if taken else -1  # a new chain begins with x_T
            for _, x in chain(first=first, count=count, taken=taken):  # the last is x_0
                go_on()
                done += 1
                advance(count if done else 0)
                if resume.due():
                    resume.save({"x": x.cpu().numpy()}, {"taken": str(done)})
            resume.save({"x": x.cpu().numpy()}, {"taken": str(done)})  # until all batches are done
            return to_uint8(x).squeeze(1).cpu().numpy(), resume

        size = sample_batch(params.sample.batch_size, device)
        batches = list(parallel.in_order(batch, range(0, total, size), parallel.workers(device)))
    artifacts.write_npy(cell.samples(sampler), np.concatenate([images for images, _ in batches]))
    for _, resume in batches:
        resume.done()
    record("sample", f"{cell}-{sampler}", time.monotonic() - started, total * calls)


if __name__ == "__main__":
    command_line(app)
