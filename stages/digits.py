"""Score every cell's samples in the features of the digit classifier.

The scores are distance, precision, recall and class balance, and beside them the mean pixel of the samples, 0..255.

One process for the whole grid: the classifier takes ten thousand images in a second.
"""

import time
from itertools import product

import numpy as np
import torch
import typer

from ddpm import artifacts, classifier
from ddpm.classifier import load_classifier
from ddpm.core.device import choose
from ddpm.quality.scores import classifier_baseline, classifier_scores
from stages.support import data, settings
from stages.support.cells import CLASSIFIER, DIGITS, METRICS
from stages.support.cli import command_line
from stages.support.timing import record

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    started = time.monotonic()
    device, _ = choose(**params.compute.model_dump())
    network = load_classifier(CLASSIFIER, device)
    real, _ = artifacts.read_tensors(DIGITS)
    labels = data.train_labels().numpy()
    shares = np.bincount(labels, minlength=classifier.CLASSES) / len(labels)
    baseline = classifier_baseline(real["reference"], real["floor"], params.sample.images, device)
    rows = []
    for cell, sampler in product(params.grid.cells(), params.grid.sampler):
        images = torch.from_numpy(artifacts.read_npy(cell.samples(sampler))).unsqueeze(1)
        features, probabilities = (part.cpu().numpy() for part in classifier.predict(network, images.to(device)))
        key = {"schedule": cell.schedule, "T": cell.T, "seed": cell.seed, "sampler": sampler}
        scores = classifier_scores(real["reference"], features, probabilities, shares, device)
        rows.append(key | {"mean_pixel": float(images.double().mean())} | scores | baseline)
    artifacts.write_csv(METRICS / "digits.csv", rows)
    record("digits", "", time.monotonic() - started, len(rows) * params.sample.images)


if __name__ == "__main__":
    command_line(app)
