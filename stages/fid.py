"""Distances of one cell's samples to real images: FID with its floor at equal n, KID, precision and recall."""

import time

import numpy as np
import torch
import typer

from ddpm import artifacts
from ddpm.core import rng
from ddpm.errors import StudyError
from ddpm.quality.estimators import blocks, frechet_infinity, kernel_distance_by_blocks
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
    """How far the samples are from real images, and what real images score in their place.

    The floor is the mean over disjoint blocks of n real training images, none of them in the reference. ``fid_equal_n``
    and its floor take n images of the reference as well: both sides at equal n. Precision and recall are of the samples
    and as many reference images; theirs is the floor of the first block.
    """
    reference, n = real["reference"], len(samples)
    parts = blocks(len(real["floor"]), n)
    if not parts:
        raise StudyError(
            f"{n} samples need a floor of at least as many real images, there are {len(real['floor'])}",
            where="reference.floor_images",
            cure="raise it, or lower sample.images",
        )
    all_real, equal_n, generated = fit_gaussian(reference), fit_gaussian(reference[:n]), fit_gaussian(samples)
    held = [fit_gaussian(real["floor"][part]) for part in parts]
    floors = [gaussian_distance(part, all_real) for part in held]
    kid = kernel_distance_by_blocks(samples, reference[: fid.kid_images], fid.kid_block)
    infinite = frechet_infinity(samples, all_real, lambda k: _permutation(n, k))
    precision, recall = precision_recall(samples, reference[:n])
    real_precision, real_recall = precision_recall(real["floor"][:n], reference[:n])
    found: dict[str, float | int] = {
        "fid": gaussian_distance(generated, all_real),
        "fid_floor": float(np.mean(floors)),
        "fid_floor_std": float(np.std(floors, ddof=1)) if len(floors) > 1 else 0.0,
        "fid_floor_blocks": len(floors),
        "fid_equal_n": gaussian_distance(generated, equal_n),
        "fid_equal_n_floor": float(np.mean([gaussian_distance(part, equal_n) for part in held])),
        "fid_infinity": infinite.value,
        "fid_infinity_error": infinite.error,
        "kid": kernel_distance(samples, reference[: fid.kid_images]),
        "kid_error": kid.error,
        "precision": precision,
        "recall": recall,
        "precision_floor": real_precision,
        "recall_floor": real_recall,
        "samples": n,
        "reference_images": len(reference),
    }
    if len(real["test"]) >= n:
        found["fid_test_images"] = gaussian_distance(fit_gaussian(real["test"][:n]), all_real)
    return found


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
            cure="run `dvc repro`",
        )
    found = measure(real, generated["samples"], params.fid)
    extractor = {"extractor": identity["name"], "weights_sha256": identity["weights_sha256"]}
    artifacts.write_json(cell.metrics(sampler), found | extractor)
    record("fid", f"{cell}-{sampler}", time.monotonic() - started, len(generated["samples"]))


if __name__ == "__main__":
    command_line(app)
