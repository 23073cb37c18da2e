"""Do the judges see what is wrong? Distances of digits disturbed in eight ways, each in rising degrees."""

import itertools
import time
from typing import Any

import torch
import typer

from ddpm import artifacts, classifier, rng
from ddpm.disturbances import DISTURBANCES
from ddpm.frechet import fit_gaussian, gaussian_distance
from ddpm.statistics import kendall_tau
from stages import _params, _real
from stages._cells import DIGITS, METRICS, REFERENCE
from stages._cli import command_line
from stages._device import choose
from stages._features import Embedder
from stages._judge import load_classifier
from stages._times import record

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
    params = _params.load()
    started, wanted = time.monotonic(), params.validation
    device, _ = choose(params.compute)
    embed, network = Embedder(params.extractor, device), load_classifier(device)
    real, digits = (fit_gaussian(artifacts.read_tensors(path)[0]["reference"]) for path in (REFERENCE, DIGITS))
    train, labels = _real.train_images(), _real.train_labels()
    _, pool = _real.order(params.reference, len(train))  # none of them is in the reference

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
