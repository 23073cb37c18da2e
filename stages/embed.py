"""Features of one cell's generated images."""

import time

import torch
import typer

from ddpm import artifacts
from stages import _params
from stages._cells import Cell
from stages._cli import SamplerOption, ScheduleOption, SeedOption, TimestepsOption, command_line
from stages._device import choose
from stages._features import Embedder
from stages._times import record

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption, seed: SeedOption, sampler: SamplerOption) -> None:
    params, cell = _params.load(), Cell(schedule, timesteps, seed)
    started = time.monotonic()
    images = torch.from_numpy(artifacts.read_npy(cell.samples(sampler))).unsqueeze(1)
    embed = Embedder(params.extractor, choose(params.compute)[0])
    embed.write(cell.features(sampler), {"samples": embed(images, f"features of {cell} {sampler}")})
    record("embed", f"{cell}-{sampler}", time.monotonic() - started, len(images))


if __name__ == "__main__":
    command_line(app)
