"""Train one small model in a minute and show its reverse process in demo/.

It is not part of the study. Example: `make demo`, or `python -m stages.tools.demo --schedule cosine --T 100`.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from matplotlib.figure import Figure
from PIL import Image

from ddpm import artifacts
from ddpm.core import rng
from ddpm.core.device import choose
from ddpm.core.mnist import SIDE, to_uint8
from ddpm.network import kinds, unet
from ddpm.sampling import inference
from ddpm.sampling.graph import sample_chain
from ddpm.sampling.samplers import SAMPLERS
from ddpm.schedules import make_schedule
from ddpm.training.loop import Recipe, Training
from stages.figures import plots
from stages.figures.encode import gif, png_of
from stages.support import data, settings
from stages.support.cli import ScheduleOption, SeedOption, TimestepsOption, command_line, progress
from stages.support.cores import cores

app = typer.Typer(add_completion=False)

FOLDER = Path("demo")
MOMENTS = 11  # of the strip
IMAGES = 32


def on_the_way(frames: np.ndarray, title: str) -> Figure:
    """Steps of the reverse process, uint8 ``[steps, images, 28, 28]``: one row per digit, one column per step."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    moments, images = frames.shape[:2]
    axes.imshow(plots.tile(frames.swapaxes(0, 1).reshape(-1, SIDE, SIDE), moments), cmap="gray", vmin=0, vmax=255)
    axes.set_title(f"{title}: {images} digits on their way from noise (left)")
    axes.axis("off")
    return figure


@app.command(help=__doc__)
def main(
    schedule: ScheduleOption = "linear",
    timesteps: TimestepsOption = 100,
    seed: SeedOption = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Number of passes over the images.")] = 1,
    images: Annotated[int, typer.Option(min=1, max=60_000, help="Number of training images.")] = 60_000,
) -> None:
    params = settings.load()
    device, dtype = choose(params.compute.device, params.compute.precision, cores())
    table = make_schedule(schedule, timesteps, **params.schedule_parameters(schedule))
    digits = data.train_images()[:images].to(device)
    net = kinds.create(params.network.model_dump(), rng.stream(seed, "initial weights"))
    recipe = Recipe(**params.train.model_dump(exclude={"images"}) | {"epochs": epochs})
    table = table.to(device)
    training = Training(net, unet.denoiser(net.to(device), table, dtype), digits, table, recipe, seed)
    with progress(f"train {schedule}, T = {timesteps}", epochs * len(digits), "images") as advance:
        for step in training:
            advance(step.images)
    print(f"loss of the last step: {float(step.loss):.4f}")

    net.load_state_dict(training.ema.state_dict())
    rounded, exact = (inference.sampling_denoiser(net, table, each) for each in (dtype, torch.float32))
    chain = sample_chain(
        rounded, table, SAMPLERS["ancestral"], timesteps, seed, 0, IMAGES, device, graph=False, exact=exact
    )
    frames = np.stack([to_uint8(x).squeeze(1).cpu().numpy() for _, x in chain])

    moments = np.linspace(0, len(frames) - 1, MOMENTS).round().astype(int)
    canvas = on_the_way(frames[moments, :6], f"{schedule}, T = {timesteps}")
    artifacts.write_bytes(FOLDER / "strip.png", png_of(canvas))
    tiles = [Image.fromarray(plots.tile(frame, 8)) for frame in frames[:: max(1, len(frames) // 50)]]
    artifacts.write_bytes(FOLDER / "denoising.gif", gif([*tiles, Image.fromarray(plots.tile(frames[-1], 8))]))
    print(f"wrote {FOLDER / 'strip.png'} and {FOLDER / 'denoising.gif'}")


if __name__ == "__main__":
    command_line(app, interrupted="interrupted; nothing is kept, the same command begins anew")
