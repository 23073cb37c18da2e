"""The second opinion on every cell's samples, by the classifier of digits: distance, fidelity, diversity, classes.

One process for the whole grid: the classifier judges ten thousand images in a second.
"""

import time
from itertools import product
from typing import Any

import numpy as np
import torch
import typer
from scipy import stats

from ddpm import artifacts, classifier
from ddpm.classifier import load_classifier
from ddpm.core.device import choose
from ddpm.quality.frechet import fit_gaussian, gaussian_distance
from ddpm.quality.precision_recall import precision_recall
from stages.inputs import real_images
from stages.support import settings
from stages.support.cells import CLASSIFIER, DIGITS, METRICS
from stages.support.cli import command_line
from stages.support.timing import record

app = typer.Typer(add_completion=False)

CONFIDENT = 0.9  # a digit that the classifier is less sure of is doubtful


def measure(
    real: artifacts.Arrays, shares: np.ndarray, features: np.ndarray, probabilities: np.ndarray
) -> dict[str, Any]:
    """What the classifier says of n samples.

    Args:
        real: its features of ``reference`` and ``floor`` images.
        shares: of the ten classes among the training images.
        features: of the samples, ``[n, d]``.
        probabilities: of the samples, ``[n, 10]``.
    """
    n, reference, all_real = len(features), real["reference"], fit_gaussian(real["reference"])
    precision, recall = precision_recall(features, reference[:n])
    real_precision, real_recall = precision_recall(real["floor"][:n], reference[:n])
    counts = np.bincount(probabilities.argmax(1), minlength=classifier.CLASSES)
    return {
        "digits_distance": gaussian_distance(fit_gaussian(features), all_real),
        "digits_floor": gaussian_distance(fit_gaussian(real["floor"][:n]), all_real),
        "digits_precision": precision,
        "digits_recall": recall,
        "digits_precision_floor": real_precision,
        "digits_recall_floor": real_recall,
        "confidence": float(probabilities.max(1).mean()),
        "doubtful_share": float((probabilities.max(1) < CONFIDENT).mean()),
        "classes_p": float(stats.chisquare(counts, shares * n).pvalue),
        "rarest_class_share": float(counts.min() / n),
    }


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    started = time.monotonic()
    device, _ = choose(**params.compute.model_dump())
    network = load_classifier(CLASSIFIER, device)
    real, _ = artifacts.read_tensors(DIGITS)
    shares = np.bincount(real_images.train_labels().numpy(), minlength=classifier.CLASSES) / len(
        real_images.train_labels()
    )
    rows = []
    for cell, sampler in product(params.grid.cells(), params.grid.sampler):
        images = torch.from_numpy(artifacts.read_npy(cell.samples(sampler))).unsqueeze(1)
        features, probabilities = (part.cpu().numpy() for part in classifier.judge(network, images.to(device)))
        key = {"schedule": cell.schedule, "T": cell.T, "seed": cell.seed, "sampler": sampler}
        rows.append(key | measure(real, shares, features, probabilities))
    artifacts.write_csv(METRICS / "digits.csv", rows)
    record("digits", "", time.monotonic() - started, len(rows) * params.sample.images)


if __name__ == "__main__":
    command_line(app)
