"""Train the network of one cell: eps-prediction, L_simple, Adam, EMA weights."""

import json
import time
from dataclasses import asdict

import torch
import typer

from ddpm import artifacts, network, rng
from ddpm.diffusion import Schedule
from ddpm.errors import StudyError
from ddpm.mnist import parse_images
from ddpm.training import Recipe, Training, TrainingStep
from stages import _params
from stages._cells import TRAIN_IMAGES, Cell
from stages._cli import ScheduleOption, SeedOption, TimestepsOption, command_line, progress
from stages._device import choose
from stages._times import record

app = typer.Typer(add_completion=False)


def _run(training: Training, cell: Cell, images: int) -> list[dict[str, float]]:
    """Train to the end; the log, a record a step."""
    epoch: list[TrainingStep] = []
    log: list[dict[str, float]] = []

    def close_epoch() -> None:
        # one transfer an epoch: reading a loss makes a GPU wait
        losses = torch.stack([step.loss for step in epoch]).tolist()
        for step, loss in zip(epoch, losses, strict=True):
            if not loss < float("inf"):
                raise StudyError(
                    f"the loss is {loss} at step {step.step}",
                    where=f"train {cell}, learning rate {training.recipe.learning_rate}",
                    cure="lower train.learning_rate",
                )
            log.append({"epoch": step.epoch, "step": step.step, "images": step.images, "loss": loss})
        epoch.clear()

    with progress(f"train {cell}", images, "images") as advance:
        for step in training:
            if epoch and step.epoch != epoch[-1].epoch:
                close_epoch()
            epoch.append(step)
            advance(step.images)
        close_epoch()
    return log


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption, seed: SeedOption) -> None:
    params, cell = _params.load(), Cell(schedule, timesteps, seed)
    started = time.monotonic()
    device, dtype = choose(params.compute)
    images = parse_images(artifacts.read_bytes(TRAIN_IMAGES), str(TRAIN_IMAGES))[: params.train.images].to(device)
    table = Schedule.from_beta(torch.from_numpy(artifacts.read_npy(cell.table))).to(device)
    architecture = network.Architecture(**params.network.model_dump())
    net = network.build(architecture, "cpu")
    network.initialise(net, rng.stream(seed, "initial weights"))  # on the CPU: the same weights for every device
    net = net.to(device)
    recipe = Recipe(**params.train.model_dump(exclude={"images"}))
    training = Training(net, network.denoiser(net, table, dtype), images, table, recipe, seed)
    log = _run(training, cell, recipe.epochs * len(images))

    weights = {name: tensor.cpu().numpy() for name, tensor in training.ema.state_dict().items()}
    metadata = {"network": json.dumps(asdict(architecture)), "precision": str(dtype), "cell": str(cell)}
    artifacts.write_tensors(cell.model, weights, metadata)
    artifacts.write_json_lines(cell.log, log)
    record("train", str(cell), time.monotonic() - started, recipe.epochs * len(images))


if __name__ == "__main__":
    command_line(app)
