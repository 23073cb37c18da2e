"""Generate images with one trained network and one sampler."""

import time

import numpy as np
import torch
import typer

from ddpm import artifacts
from ddpm.core.device import choose, sample_batch, use_graph
from ddpm.core.mnist import SIDE, to_uint8
from ddpm.network.checkpoint import load_network
from ddpm.sampling import inference
from ddpm.sampling.graph import sample_chain
from ddpm.sampling.samplers import get_sampler
from stages.support import settings
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
    network = load_network(cell.model, device)
    denoiser, graph = inference.denoiser(network, table.to(device), dtype), use_graph(network, device)
    deciding = {"sample": params.sample, "seed": seed, "precision": dtype}
    resume = Resume(f"sample-{cell}-{sampler}", deciding, [cell.table, cell.model])

    state, metadata = resume.load()
    images = state.get("images", np.empty((0, SIDE, SIDE), np.uint8))
    taken = (int(metadata["taken"]), torch.from_numpy(state["x"]).to(device)) if state else None
    with progress(f"sample {cell} {sampler}", total * steps, "network calls") as advance:
        advance(len(images) * steps + (taken[0] * len(taken[1]) if taken else 0))
        while len(images) < total:
            first, count = len(images), min(sample_batch(params.sample.batch_size, device), total - len(images))
            steps_done = taken[0] if taken else -1  # the chain begins with x_T
            chain = sample_chain(denoiser, table, chosen, steps, seed, first, count, device, graph=graph, taken=taken)
            for _, x in chain:
                steps_done += 1
                advance(count if steps_done else 0)
                if resume.due():
                    resume.save({"images": images, "x": x.cpu().numpy()}, {"taken": str(steps_done)})
            images, taken = np.concatenate([images, to_uint8(x).squeeze(1).cpu().numpy()]), None
    artifacts.write_npy(cell.samples(sampler), images)
    resume.done()
    record("sample", f"{cell}-{sampler}", time.monotonic() - started, total * steps)


if __name__ == "__main__":
    command_line(app)
