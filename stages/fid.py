"""Distances of one cell's samples to real images: FID, KID, precision and recall."""

import time

import numpy as np
import torch
import typer

from ddpm import artifacts
from ddpm.core import rng
from ddpm.errors import StudyError
from ddpm.quality.estimators import frechet_infinity, kernel_distance_by_blocks
from ddpm.quality.frechet import fit_gaussian, gaussian_distance, kernel_distance
from ddpm.quality.precision_recall import precision_recall
from stages.support import settings
from stages.support.cells import REFERENCE, Cell
from stages.support.cli import SamplerOption, ScheduleOption, SeedOption, TimestepsOption, command_line
from stages.support.timing import record

app = typer.Typer(add_completion=False)


def _permutation(rows: int, replicate: int) -> np.ndarray:
    return torch.randperm(rows, generator=rng.stream(0, "FID infinity", replicate)).numpy()


def measure(real: artifacts.Arrays, samples: np.ndarray, fid: settings.Fid) -> dict[str, float | int]:
    """How far the samples are from real images.

    ``fid_equal_n`` takes as many images of the reference as there are samples. Precision and recall are of the samples
    and as many reference images. What real images score in the samples' place: the stage `baseline`.
    """
    reference, n = real["reference"], len(samples)
    all_real, generated = fit_gaussian(reference), fit_gaussian(samples)
    kid = kernel_distance_by_blocks(samples, reference[: fid.kid_images], fid.kid_block)
    infinite = frechet_infinity(samples, all_real, lambda k: _permutation(n, k))
    precision, recall = precision_recall(samples, reference[:n])
    return {
        "fid": gaussian_distance(generated, all_real),
        "fid_equal_n": gaussian_distance(generated, fit_gaussian(reference[:n])),
        "fid_infinity": infinite.value,
        "fid_infinity_error": infinite.error,
        "kid": kernel_distance(samples, reference[: fid.kid_images]),
        "kid_error": kid.error,
        "precision": precision,
        "recall": recall,
        "samples": n,
        "reference_images": len(reference),
    }


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption, seed: SeedOption, sampler: SamplerOption) -> None:
    params, cell = settings.load(), Cell(schedule, timesteps, seed)
    started = time.monotonic()
    real, identity = artifacts.read_tensors(REFERENCE)
    generated, other = artifacts.read_tensors(cell.features(sampler))
    if identity != other:
        differ = ", ".join(sorted(key for key in identity | other if identity.get(key) != other.get(key)))
        raise StudyError(
            f"features differ from the reference's in {differ}",
            where=str(cell.features(sampler)),
            hint="run `dvc repro`",
        )
    found = measure(real, generated["samples"], params.fid)
    extractor = {"extractor": identity["name"], "weights_sha256": identity["weights_sha256"]}
    artifacts.write_json(cell.metrics(sampler), found | extractor)
    record("fid", f"{cell}-{sampler}", time.monotonic() - started, len(generated["samples"]))


if __name__ == "__main__":
    command_line(app)
