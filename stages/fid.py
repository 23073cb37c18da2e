"""Distances of one cell's samples to real images: FID with its floor at equal n, and KID."""

import time

import numpy as np
import typer

from ddpm import artifacts
from ddpm.errors import StudyError
from ddpm.frechet import frechet_distance, kernel_distance
from stages import _params
from stages._cells import REFERENCE, Cell
from stages._cli import SamplerOption, ScheduleOption, SeedOption, TimestepsOption, command_line
from stages._times import record

app = typer.Typer(add_completion=False)


def measure(real: artifacts.Arrays, samples: np.ndarray, kid_images: int) -> dict[str, float | int]:
    """FID and KID of the samples, and what real images score in their place.

    The floor is the mean over disjoint blocks of n real training images, none of them in the reference. ``fid_equal_n``
    and its floor take n images of the reference as well: both sides at equal n.
    """
    reference, n = real["reference"], len(samples)
    blocks = [real["floor"][i : i + n] for i in range(0, len(real["floor"]) - n + 1, n)]
    if not blocks:
        raise StudyError(
            f"{n} samples need a floor of at least as many real images, there are {len(real['floor'])}",
            where="reference.floor_images",
            cure="raise it, or lower sample.images",
        )
    floors = [frechet_distance(block, reference) for block in blocks]
    equal_n = reference[:n]
    found: dict[str, float | int] = {
        "fid": frechet_distance(samples, reference),
        "fid_floor": float(np.mean(floors)),
        "fid_floor_std": float(np.std(floors, ddof=1)) if len(floors) > 1 else 0.0,
        "fid_floor_blocks": len(floors),
        "fid_equal_n": frechet_distance(samples, equal_n),
        "fid_equal_n_floor": float(np.mean([frechet_distance(block, equal_n) for block in blocks])),
        "kid": kernel_distance(samples, reference[:kid_images]),
        "samples": n,
        "reference_images": len(reference),
    }
    if len(real["test"]) >= n:
        found["fid_test_images"] = frechet_distance(real["test"][:n], reference)
    return found


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption, seed: SeedOption, sampler: SamplerOption) -> None:
    params, cell = _params.load(), Cell(schedule, timesteps, seed)
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
    found = measure(real, generated["samples"], params.fid.kid_images)
    extractor = {"extractor": identity["name"], "weights_sha256": identity["weights_sha256"]}
    artifacts.write_json(cell.metrics(sampler), found | extractor)
    record("fid", f"{cell}-{sampler}", time.monotonic() - started, len(generated["samples"]))


if __name__ == "__main__":
    command_line(app)
