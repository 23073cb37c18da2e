"""Features of real images: the reference set, a disjoint pool for the floor, and test images."""

import time

import torch
import typer

from ddpm import artifacts, rng
from ddpm.errors import StudyError
from ddpm.mnist import parse_images
from stages import _params
from stages._cells import REFERENCE, TEST_IMAGES, TRAIN_IMAGES
from stages._cli import command_line
from stages._device import choose
from stages._features import Embedder
from stages._times import record

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main() -> None:
    params = _params.load()
    started = time.monotonic()
    wanted = params.reference
    train = parse_images(artifacts.read_bytes(TRAIN_IMAGES), str(TRAIN_IMAGES))
    test = parse_images(artifacts.read_bytes(TEST_IMAGES), str(TEST_IMAGES))
    if wanted.images + wanted.floor_images > len(train):
        raise StudyError(
            f"{wanted.images} + {wanted.floor_images} images asked for, there are {len(train)}",
            where="reference.images + reference.floor_images",
            cure="ask for fewer",
        )
    # one fixed order, whatever the seed of a cell: all cells are measured against the same real images
    order = torch.randperm(len(train), generator=rng.stream(0, "reference order"))
    device, _ = choose(params.compute)
    embed = Embedder(params.extractor, device)
    sets = {
        "reference": train[order[: wanted.images]],
        "floor": train[order[wanted.images : wanted.images + wanted.floor_images]],
        "test": test[: wanted.test_images],
    }
    embed.write(REFERENCE, {name: embed(images, f"features of {name}") for name, images in sets.items()})
    record("reference", "", time.monotonic() - started, sum(len(images) for images in sets.values()))


if __name__ == "__main__":
    command_line(app)
