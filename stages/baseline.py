"""Compute the baseline of every distance from held-out real images, once for all cells."""

import time

import numpy as np
import typer

from ddpm import artifacts
from ddpm.errors import StudyError
from ddpm.quality.estimators import blocks
from ddpm.quality.frechet import fit_gaussian, gaussian_distance
from ddpm.quality.precision_recall import precision_recall
from stages.support import settings
from stages.support.cells import BASELINE, REFERENCE
from stages.support.cli import command_line
from stages.support.timing import record

app = typer.Typer(add_completion=False)


def measure(real: artifacts.Arrays, n: int) -> dict[str, float | int]:
    """Distances of n real images that are not in the reference to the reference.

    The baseline is the mean over disjoint blocks of n real training images. ``fid_equal_n_floor`` uses n images of the
    reference too, so that n is equal on both sides. Precision and recall are of the first block and n reference images.
    """
    parts = blocks(len(real["floor"]), n)
    if not parts:
        raise StudyError(
            f"{n} samples need at least as many real images for the baseline, found {len(real['floor'])}",
            where="reference.floor_images",
            hint="raise it, or lower sample.images",
        )
    reference = real["reference"]
    all_real, equal_n = fit_gaussian(reference), fit_gaussian(reference[:n])
    held = [fit_gaussian(real["floor"][part]) for part in parts]
    floors = [gaussian_distance(part, all_real) for part in held]
    precision, recall = precision_recall(real["floor"][:n], reference[:n])
    found: dict[str, float | int] = {
        "fid_floor": float(np.mean(floors)),
        "fid_floor_std": float(np.std(floors, ddof=1)) if len(floors) > 1 else 0.0,
        "fid_floor_blocks": len(floors),
        "fid_equal_n_floor": float(np.mean([gaussian_distance(part, equal_n) for part in held])),
        "precision_floor": precision,
        "recall_floor": recall,
    }
    if len(real["test"]) >= n:
        found["fid_test_images"] = gaussian_distance(fit_gaussian(real["test"][:n]), all_real)
    return found


@app.command(help=__doc__)
def main() -> None:
    n, started = settings.load().sample.images, time.monotonic()
    artifacts.write_json(BASELINE, measure(artifacts.read_tensors(REFERENCE)[0], n))
    record("baseline", "", time.monotonic() - started, n)


if __name__ == "__main__":
    command_line(app)
