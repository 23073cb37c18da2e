"""Compute the Inception features of one cell's samples."""

import time

import torch
import typer

from ddpm import artifacts
from ddpm.core.device import choose
from stages.inputs.embedder import Embedder
from stages.support import settings
from stages.support.cells import Cell
from stages.support.cli import SamplerOption, ScheduleOption, SeedOption, TimestepsOption, command_line
from stages.support.timing import record

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption, seed: SeedOption, sampler: SamplerOption) -> None:
    params, cell = settings.load(), Cell(schedule, timesteps, seed)
    started = time.monotonic()
    images = torch.from_numpy(artifacts.read_npy(cell.samples(sampler))).unsqueeze(1)
    embed = Embedder(params.extractor, choose(**params.compute.model_dump())[0])
    embed.write(cell.features(sampler), {"samples": embed(images, f"features of {cell} {sampler}")})
    record("embed", f"{cell}-{sampler}", time.monotonic() - started, len(images))


if __name__ == "__main__":
    command_line(app)
