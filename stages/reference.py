"""Features of real images: the reference set, a disjoint pool for the floor, and test images."""

import time

import typer

from stages import _params
from stages._cells import REFERENCE
from stages._cli import command_line
from stages._device import choose
from stages._features import Embedder
from stages._real import real_sets
from stages._times import record

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main() -> None:
    params = _params.load()
    started = time.monotonic()
    sets = real_sets(params.reference)
    embed = Embedder(params.extractor, choose(params.compute)[0])
    embed.write(REFERENCE, {name: embed(images, f"features of {name}") for name, images in sets.items()})
    record("reference", "", time.monotonic() - started, sum(len(images) for images in sets.values()))


if __name__ == "__main__":
    command_line(app)
