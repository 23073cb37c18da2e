"""Do the judges see what is wrong? Distances of digits disturbed in eight ways, each in rising degrees."""

import itertools
import time
from typing import Any

import torch
import typer

from ddpm import artifacts, classifier
from ddpm.classifier import load_classifier
from ddpm.core import rng
from ddpm.core.device import choose
from ddpm.diagnostics.corruptions import DISTURBANCES
from ddpm.quality.frechet import fit_gaussian, gaussian_distance
from ddpm.quality.rank_agreement import kendall_tau
from stages.inputs import real_images
from stages.inputs.embedder import Embedder
from stages.support import settings
from stages.support.cells import CLASSIFIER, DIGITS, METRICS, REFERENCE
from stages.support.cli import command_line
from stages.support.timing import record

app = typer.Typer(add_completion=False)

Row = dict[str, Any]


def summarise(rows: list[Row]) -> dict[str, Any]:
    """For each judge, in which disturbances its distance rises with every degree; and how far the judges agree."""
    found: dict[str, Any] = {}
    for judge in ("fid", "digits_distance"):
        series = {name: [row[judge] for row in rows if row["disturbance"] == name] for name in DISTURBANCES}
        rises = {name: all(a < b for a, b in itertools.pairwise(values)) for name, values in series.items()}
        found[judge] = {"monotone": rises, "not_monotone_in": [name for name, ok in rises.items() if not ok]}
    pairs = [(row["fid"], row["digits_distance"]) for row in rows if row["level"] > 0]
    found["rank_agreement_tau"] = kendall_tau(*zip(*pairs, strict=True))
    return found


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    started, wanted = time.monotonic(), params.validation
    device, _ = choose(**params.compute.model_dump())
    embed, network = Embedder(params.extractor, device), load_classifier(CLASSIFIER, device)
    real, digits = (fit_gaussian(artifacts.read_tensors(path)[0]["reference"]) for path in (REFERENCE, DIGITS))
    train, labels = real_images.train_images(), real_images.train_labels()
    _, pool = real_images.order(params.reference, len(train))  # none of them is in the reference

    def distances(images: torch.Tensor, label: str) -> Row:
        judged = classifier.judge(network, images.to(device))[0].cpu().numpy()
        return {
            "fid": gaussian_distance(fit_gaussian(embed(images, label)), real),
            "digits_distance": gaussian_distance(fit_gaussian(judged), digits),
        }

    untouched = distances(train[pool][: wanted.images], "features of untouched digits")
    rows: list[Row] = []
    for name, disturb in DISTURBANCES.items():
        rows.append({"disturbance": name, "level": 0.0} | untouched)
        for level in wanted.levels:
            generator = rng.stream(0, "disturbance", name)
            images = disturb(train[pool], labels[pool], wanted.images, level, generator)
            rows.append({"disturbance": name, "level": level} | distances(images, f"features of {name} at {level}"))
    artifacts.write_csv(METRICS / "validation.csv", rows)
    artifacts.write_json(METRICS / "validation.json", summarise(rows))
    embed.forget()
    record("validate", "", time.monotonic() - started, len(rows) * wanted.images)


if __name__ == "__main__":
    command_line(app)
