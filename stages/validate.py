"""Validate both feature extractors on real digits with eight corruptions of increasing severity."""

import time
from typing import Any

import torch
import typer

from ddpm import artifacts, classifier
from ddpm.classifier import load_classifier
from ddpm.core import rng
from ddpm.core.device import choose
from ddpm.diagnostics.corruptions import CORRUPTIONS, summarise
from ddpm.quality.frechet import fit_gaussian, gaussian_distance
from stages.inputs import real_images
from stages.inputs.embedder import Embedder
from stages.support import data, settings
from stages.support.cells import CLASSIFIER, DIGITS, METRICS, REFERENCE
from stages.support.cli import command_line
from stages.support.timing import record

app = typer.Typer(add_completion=False)

Row = dict[str, Any]


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    started, wanted = time.monotonic(), params.validation
    device, _ = choose(**params.compute.model_dump())
    embed, network = Embedder(params.extractor, device), load_classifier(CLASSIFIER, device)
    real, digits = (fit_gaussian(artifacts.read_tensors(path)[0]["reference"]) for path in (REFERENCE, DIGITS))
    train, labels = data.train_images(), data.train_labels()
    _, pool = real_images.order(params.reference, len(train))  # disjoint from the reference

    def distances(images: torch.Tensor, label: str) -> Row:
        judged = classifier.predict(network, images.to(device))[0].cpu().numpy()
        return {
            "fid": gaussian_distance(fit_gaussian(embed(images, label)), real),
            "digits_distance": gaussian_distance(fit_gaussian(judged), digits),
        }

    clean = distances(train[pool][: wanted.images], "features of clean digits")
    rows: list[Row] = []
    for name, corrupt in CORRUPTIONS.items():
        rows.append({"corruption": name, "severity": 0.0} | clean)
        for severity in wanted.levels:
            generator = rng.stream(0, "disturbance", name)  # an earlier name, kept for the same sets
            images = corrupt(train[pool], labels[pool], wanted.images, severity, generator)
            rows.append(
                {"corruption": name, "severity": severity} | distances(images, f"features of {name} at {severity}")
            )
    artifacts.write_csv(METRICS / "validation.csv", rows)
    artifacts.write_json(METRICS / "validation.json", summarise(rows))
    embed.forget()
    record("validate", "", time.monotonic() - started, len(rows) * wanted.images)


if __name__ == "__main__":
    command_line(app)
