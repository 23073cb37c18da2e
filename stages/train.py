"""Train the network of one cell with L_simple and save its EMA weights."""

import json
import time

import torch
import typer

from ddpm import artifacts
from ddpm.core import rng
from ddpm.core.device import choose, use_graph
from ddpm.errors import StudyError
from ddpm.network import kinds, unet
from ddpm.network.checkpoint import save_network
from ddpm.training.loop import Recipe, Training, TrainingStep
from stages.support import data, settings
from stages.support.cells import TRAIN_IMAGES, Cell
from stages.support.cli import ScheduleOption, SeedOption, TimestepsOption, command_line, progress
from stages.support.data import read_schedule
from stages.support.resume import Resume
from stages.support.timing import record

app = typer.Typer(add_completion=False)


def _finite(training: Training, cell: Cell, steps: list[TrainingStep]) -> list[dict[str, float]]:
    """The records of some steps; StudyError when a loss is not finite."""
    if not steps:
        return []
    losses = torch.stack([step.loss for step in steps]).tolist()  # one transfer: reading a loss makes a GPU wait
    for step, loss in zip(steps, losses, strict=True):
        if not loss < float("inf"):
            raise StudyError(
                f"the loss is {loss} at step {step.step}",
                where=f"train {cell}, learning rate {training.recipe.learning_rate}",
                hint="lower train.learning_rate",
            )
    return [
        {"epoch": step.epoch, "step": step.step, "images": step.images, "loss": loss}
        for step, loss in zip(steps, losses, strict=True)
    ]


def _run(training: Training, cell: Cell, resume: Resume) -> list[dict[str, float]]:
    """Train to the end, from the last checkpoint if there is one; returns the log, one record per step.

    The state is saved at the end of every epoch too, and only when all losses before it are finite.
    """
    state, metadata = resume.load()
    log: list[dict[str, float]] = json.loads(metadata.get("log", "[]"))
    if state:
        training.load_state({name: torch.from_numpy(array) for name, array in state.items()})
    fresh: list[TrainingStep] = []
    with progress(f"train {cell}", training.recipe.epochs * len(training.images), "images") as advance:
        advance(sum(int(record["images"]) for record in log))
        for step in training:
            fresh.append(step)
            advance(step.images)
            if resume.due() or step.step % training.batches == 0:
                log += _finite(training, cell, fresh)
                fresh.clear()
                now = {name: tensor.cpu().numpy() for name, tensor in training.state().items()}
                resume.save(now, {"log": json.dumps(log)})
    return log + _finite(training, cell, fresh)


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption, seed: SeedOption) -> None:
    params, cell = settings.load(), Cell(schedule, timesteps, seed)
    started = time.monotonic()
    device, dtype = choose(**params.compute.model_dump())
    images = data.train_images()[: params.train.images].to(device)
    table = read_schedule(cell, device)
    network = params.network.model_dump(mode="json")
    net = kinds.create(network, rng.stream(seed, "initial weights")).to(device)
    recipe = Recipe(**params.train.model_dump(exclude={"images"}))
    denoiser, graph = unet.denoiser(net, table, dtype), use_graph(net, device)
    training = Training(net, denoiser, images, table, recipe, seed, graph=graph)
    deciding = {"train": params.train, "network": params.network, "seed": seed, "precision": dtype}
    resume = Resume(f"train-{cell}", deciding, [TRAIN_IMAGES, cell.table])
    log = _run(training, cell, resume)

    save_network(cell.model, training.ema.state_dict(), network, dtype, str(cell))
    artifacts.write_json_lines(cell.log, log)
    resume.done()
    record("train", str(cell), time.monotonic() - started, recipe.epochs * len(images))


if __name__ == "__main__":
    command_line(app)
