"""Fetch the Inception weights of the chosen extractor, pinned by sha256.

Weights are never substituted. The original file is read from data.directory (set in conf/config.yaml), or downloaded:
nsfwjs-4.4.0.tgz, pt_inception-2015-12-05-6726825d.pth or inception_v3_google-0cc3c7bd.pth.
"""

import io
import pickle
import struct

import numpy as np
import torch
import typer

from ddpm import artifacts
from ddpm.errors import StudyError
from ddpm.features import inception
from stages.fetch import nsfwjs
from stages.fetch.sources import NpmPackage, Pin, download, first_of, found_in, from_directory, members, npm_archive
from stages.support import settings
from stages.support.cells import WEIGHTS
from stages.support.cli import command_line

app = typer.Typer(add_completion=False)

NSFWJS = NpmPackage(
    "nsfwjs",
    "4.4.0",
    Pin("nsfwjs-4.4.0.tgz", "585cd178f3b994337c4d10a87b080d342fc52f8b9bf0085c4d1f345a3a1c5382", 1 << 27),
)
NSFWJS_FOLDER = "package/dist/models/inception_v3/"
NSFWJS_MODULES = ("model.min.js", *(f"group1-shard{i}of6.min.js" for i in range(1, 7)))

# PyTorch state dicts: where they are published, and the file's pin
CHECKPOINTS = {
    "fid2015": (
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/",
        Pin(
            "pt_inception-2015-12-05-6726825d.pth",
            "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
            1 << 27,
        ),
    ),
    # only the first 8 digits are published, in the file's name; torch.hub checks them in the same way
    "torchvision": (
        "https://download.pytorch.org/models/",
        Pin("inception_v3_google-0cc3c7bd.pth", "0cc3c7bd", 1 << 27),
    ),
}


# what torch.load is seen to raise on damaged files
_UNREADABLE = (
    *(pickle.UnpicklingError, RuntimeError, EOFError, AttributeError, LookupError, TypeError, ValueError),
    *(struct.error, AssertionError, ArithmeticError),
)


def load_checkpoint(data: bytes, name: str) -> artifacts.Arrays:
    """A PyTorch state dict as arrays; only tensors are unpickled (``weights_only``)."""
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        return {key: np.ascontiguousarray(value.numpy()) for key, value in state.items()}
    except _UNREADABLE as error:
        raise StudyError(f"not a state dict of tensors ({type(error).__name__})", where=name) from error


def inception_weights(name: str, directory: str) -> artifacts.Arrays:
    """One set of Inception weights by torchvision's parameter names."""
    if name == "nsfwjs":
        archive = (
            from_directory(directory, NSFWJS.archive) if found_in(directory, NSFWJS.archive) else npm_archive(NSFWJS)
        )
        modules = members(archive, [NSFWJS_FOLDER + module for module in NSFWJS_MODULES], max_bytes=1 << 24)
        return nsfwjs.to_torchvision(nsfwjs.decode({path.rsplit("/", 1)[1]: data for path, data in modules.items()}))
    base, pin = CHECKPOINTS[name]
    data = (
        from_directory(directory, pin)
        if found_in(directory, pin)
        else first_of(name, [(base, lambda: download(base + pin.name, pin))])
    )
    return load_checkpoint(data, pin.name)


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    name = inception.get_extractor(params.extractor).weights
    artifacts.write_tensors(WEIGHTS, inception_weights(name, params.data.directory), {"weights": name})


if __name__ == "__main__":
    command_line(app)
