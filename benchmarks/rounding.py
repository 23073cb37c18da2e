"""`python -m benchmarks.rounding`: what rounding in sampling alone does to FID.

The study's models are sampled again, from the same noise and by the same sampler: in float32, and in bfloat16 in every
step. The study itself takes the steps that amplify rounding in float32 and the others in bfloat16. Needs the results of
`make study`, on a processor on which it computes in bfloat16; writes rounding.json.
"""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import typer
from torch import Tensor

from benchmarks.measure import machine
from ddpm import artifacts
from ddpm.core.device import choose
from ddpm.core.mnist import to_uint8
from ddpm.errors import StudyError
from ddpm.network.checkpoint import load_network
from ddpm.quality.frechet import fit_gaussian, gaussian_distance
from ddpm.sampling.graph import sample_chain
from ddpm.sampling.inference import sampling_denoiser
from ddpm.sampling.samplers import get_sampler
from stages.analysis.variance import rounding
from stages.inputs.embedder import Embedder
from stages.support import parallel, settings
from stages.support.cells import REFERENCE, Cell
from stages.support.cli import command_line
from stages.support.data import read_schedule

RESULTS = Path("benchmarks/rounding.json")
SAMPLER = "ancestral"
T = (50, 100, 200)
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def sample(cell: Cell, dtype: torch.dtype) -> Tensor:
    """The images of a cell, uint8 ``[N, 1, 28, 28]``, made as by the stage ``sample``, but in one dtype."""
    params, table = settings.load(), read_schedule(cell)
    network = load_network(cell.model, "cpu")
    chosen, steps = get_sampler(SAMPLER, cell.T)
    denoiser = sampling_denoiser(network, table, dtype)
    seed = cell.seed if params.sample.seed is None else params.sample.seed
    chain = partial(sample_chain, denoiser, table, chosen, steps, seed, device="cpu", graph=False, exact=denoiser)
    size, total = params.sample.batch_size, params.sample.images

    def batch(first: int, go_on: Callable[[], None]) -> Tensor:
        x_0 = torch.empty(0)
        for _, x_s in chain(first=first, count=min(size, total - first)):
            go_on()
            x_0 = x_s  # of the last step
        return to_uint8(x_0)

    return torch.cat(list(parallel.in_order(batch, range(0, total, size), parallel.workers("cpu"))))


def main() -> None:
    """Sample, compute FID and write the table."""
    params = settings.load()
    if choose(**params.compute.model_dump())[1] != torch.bfloat16:
        raise StudyError("the study computes in float32 here", where="compute.precision", hint="use another machine")
    real = fit_gaussian(artifacts.read_tensors(REFERENCE)[0]["reference"])
    embed = Embedder(params.extractor, "cpu")
    cells: list[dict[str, Any]] = []
    for cell in (cell for cell in params.grid.cells() if cell.T in T):
        found: dict[str, Any] = {"schedule": cell.schedule, "T": cell.T, "seed": cell.seed}
        features = artifacts.read_tensors(cell.features(SAMPLER))[0]["samples"]
        found["study"] = gaussian_distance(fit_gaussian(features), real)
        for name, dtype in PRECISIONS.items():
            images = sample(cell, dtype)
            of_them = fit_gaussian(embed(images, f"features of {cell} in {name}"))
            found[name] = gaussian_distance(of_them, real)
        print(json.dumps(found), flush=True)
        cells.append(found)
    embed.forget()
    logs = {name: [math.log(cell[name]) for cell in cells] for name in ("study", *PRECISIONS)}
    factors = {name: math.exp(math.sqrt(rounding(logs["float32"], logs[name]))) for name in ("study", "bfloat16")}
    artifacts.write_json(RESULTS, {"cells": cells, "factor": factors, "machine": machine()})


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command()(main)
    command_line(app)
