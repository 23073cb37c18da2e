"""Compare the rankings of the cells by 32 samples each and by all samples.

32 is the number of samples that the report shows. Cells of one seed and sampler are ranked by FID;
a draw takes 32 samples of every cell, without replacement.
"""

import time

import numpy as np
import typer

from ddpm import artifacts
from ddpm.quality.frechet import fit_gaussian
from ddpm.quality.rank_agreement import tau_at_few
from stages.support import settings
from stages.support.cells import METRICS, REFERENCE
from stages.support.cli import command_line, progress
from stages.support.timing import record

app = typer.Typer(add_completion=False)

FEW = 32


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    started, draws = time.monotonic(), params.ranking.draws
    real = fit_gaussian(artifacts.read_tensors(REFERENCE)[0]["reference"])
    taus: dict[str, list[float]] = {}
    by_seed: dict[str, dict[str, float]] = {}
    for sampler in params.grid.sampler:
        taus[sampler], by_seed[sampler] = [], {}
        for seed in params.grid.seed:
            cells = [cell for cell in params.grid.cells() if cell.seed == seed]
            features = {str(cell): artifacts.read_tensors(cell.features(sampler))[0]["samples"] for cell in cells}
            full = [artifacts.read_json(cell.metrics(sampler))["fid"] for cell in cells]
            with progress(f"rank by {FEW} samples, seed {seed}, {sampler}", draws * len(cells), "cells") as advance:
                found = tau_at_few(features, full, real, FEW, draws, advance)
            taus[sampler] += found
            by_seed[sampler][str(seed)] = float(np.mean(found))
    means = {sampler: float(np.mean(values)) for sampler, values in taus.items()}
    table = {"n": FEW, "grid": params.grid.model_dump(), "mean_tau": means, "by_seed": by_seed, "tau": taus}
    artifacts.write_json(METRICS / "ranking.json", table)
    record("ranking", "", time.monotonic() - started, draws)


if __name__ == "__main__":
    command_line(app)
