"""Compute the features of the reference set, the baseline images and the test images."""

import time

import typer

from ddpm.core.device import choose
from stages.inputs.embedder import Embedder
from stages.inputs.real_images import real_sets
from stages.support import settings
from stages.support.cells import REFERENCE
from stages.support.cli import command_line
from stages.support.timing import record

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    started = time.monotonic()
    sets = real_sets(params.reference)
    embed = Embedder(params.extractor, choose(**params.compute.model_dump())[0])
    embed.write(REFERENCE, {name: embed(images, f"features of {name}") for name, images in sets.items()})
    record("reference", "", time.monotonic() - started, sum(len(images) for images in sets.values()))


if __name__ == "__main__":
    command_line(app)
