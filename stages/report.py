"""The study as one page that needs nothing else: metrics/report.html. Open it in any browser, offline too."""

import hashlib
import importlib.metadata
import json
from itertools import product
from pathlib import Path
from typing import Any

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ddpm import artifacts
from stages.analysis.runs import other_seeds
from stages.figures import metrics, plots
from stages.figures.encode import data_uri, png, png_file, strip, svg
from stages.support import settings
from stages.support.cells import FIGURES, METRICS, Cell
from stages.support.cli import command_line

app = typer.Typer(add_completion=False)

PAGE = Path(__file__).parent / "page"
TARGET = METRICS / "report.html"
SHOWN = 32  # samples of a cell, as many as the report shows
PACKAGES = ("torch", "numpy", "scipy", "dvc", "mlflow", "matplotlib")

# what the report shows or says, and our figure of the same
BESIDE = (
    ("alpha_bar", "Figure 1", "Cumulative product of the alphas according to t/T."),
    ("forward", "Figure 2", "Forward image samples and their pixel distributions for T = 100."),
    ("loss", "Figure 4", "Training loss of the 15 models, 5 epochs each."),
    (
        "loss_against_fid",
        "not in the report",
        "It says that the loss does not tell the quality; it had no FID to check.",
    ),
)
JUDGES = (
    ("corruptions", "Distances of real digits corrupted in rising degrees, by both judges."),
    ("digits_of_T", "The second judge: distance in the features of a classifier of digits."),
    ("loss_at_log_snr", "Held-out loss at equal noise levels, so that schedules compare."),
)

Row = dict[str, Any]


def answer(rows: list[Row], sampler: str) -> list[str]:
    """The study in a few sentences, every number from the table."""
    sampler = sampler if any(row["sampler"] == sampler for row in rows) else rows[0]["sampler"]
    chosen = [row for row in rows if row["sampler"] == sampler]
    floor = chosen[0]["fid_floor"]
    best = min(chosen, key=lambda row: float(row["fid"]))
    said = [
        f"Best is {best['schedule']} at T = {best['T']}: FID {best['fid']:.2f} ({sampler} sampler), where real digits "
        f"in the samples' place score {floor:.2f}."
    ]
    for name in dict.fromkeys(row["schedule"] for row in chosen):
        of_T: dict[int, list[float]] = {}
        for row in chosen:
            if row["schedule"] == name:
                of_T.setdefault(row["T"], []).append(row["fid"])
        means = {T: sum(values) / len(values) for T, values in of_T.items()}
        low, high = min(means, key=lambda T: means[T]), max(means, key=lambda T: means[T])
        said.append(f"{name}: from {means[low]:.2f} at T = {low} to {means[high]:.2f} at T = {high}.")
    seeds = len({row["seed"] for row in chosen})
    one = "one training seed a cell: differences of a tenth or two are not evidence"
    spread = one if seeds == 1 else f"{seeds} training seeds a cell"
    return [*said, f"Measured with {chosen[0]['samples']:,} samples a cell and {spread}."]


def sample_pictures(params: settings.Params, rows: list[Row]) -> dict[str, dict[str, Any]]:
    """``schedule|T|sampler`` -> its picture and what is known of it; the first seed's."""
    fids = {(r["schedule"], r["T"], r["seed"], r["sampler"]): r for r in rows}
    found = {}
    for schedule, T, sampler in product(params.grid.schedule, params.grid.T, params.grid.sampler):
        cell = Cell(schedule, T, params.grid.seed[0])
        row = fids[schedule, T, cell.seed, sampler]
        images = artifacts.read_npy(cell.samples(sampler))[:SHOWN]
        text = f"FID {row['fid']:.2f}, precision {row['precision']:.2f}, recall {row['recall']:.2f}"
        found[f"{schedule}|{T}|{sampler}"] = {"picture": png(plots.tile(images, min(8, len(images)))), "text": text}
    return found


def animations(params: settings.Params) -> dict[str, dict[str, Any]]:
    """Schedule -> frames of its reverse process, one picture with a row a frame."""
    found = {}
    for schedule in params.grid.schedule:
        chain = artifacts.read_npy(Cell(schedule, params.chains.T, params.chains.seed).chain)
        found[schedule] = {"picture": png(strip(chain)), "frames": len(chain), "images": chain.shape[1]}
    return found


def identity(params: settings.Params, rows: list[Row], claims: Row) -> Row:
    """What the numbers were made with, so that another may be compared with them or not."""
    deciding = params.model_dump(mode="json", exclude={"schedule", "T", "seed", "sampler", "diff", "data"})
    deciding |= {"data.name": params.data.name}  # where its files were found changes nothing
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return {
        "extractor": rows[0]["extractor"],
        "sha256 of its weights": rows[0]["weights_sha256"],
        "samples a cell, reference images": f"{rows[0]['samples']:,}, {rows[0]['reference_images']:,}",
        "sha256 of the parameters": hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest(),
        "sha256 of conf/claims.yaml": claims["claims_yaml_sha256"],
        "packages": versions,
        "the commit": "git log -1 --format=%H -- metrics/report.html",
    }


def in_script(value: Any) -> str:
    """JSON that may stand in a script element: no "<" can end it from inside a string."""
    return json.dumps(value).replace("<", "\\u003c")


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    rows = artifacts.read_csv(METRICS / "fid_of_T.csv")
    claims, validation, changes = (
        artifacts.read_json(METRICS / f"{name}.json") for name in ("claims", "validation", "comparisons")
    )
    ran = [(name, row) for name, row in changes["changes"].items() if row["ratio"] is not None]
    done = dict(sorted(ran, key=lambda change: change[1]["ratio"]))  # the greatest effects stand at the ends
    every = [*rows, *other_seeds(params)]
    chart = plots.distance_of_T(every, "fid", "fid_floor", "")
    page = Environment(loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    text = page.get_template("report.html.j2").render(
        answer=answer(every, claims["sampler"]),
        chart=svg(chart),
        claims=claims,
        changes=changes,
        done=done,
        forest=data_uri(svg(metrics.ratios(done)).encode(), "image/svg+xml"),
        grid=params.grid,
        chains=params.chains,
        rows=every,
        beside=[(png_file(FIGURES / f"{name}.png"), where, says) for name, where, says in BESIDE],
        judges=[(png_file(FIGURES / f"{name}.png"), says) for name, says in JUDGES],
        validation=validation,
        audits=artifacts.read_csv(METRICS / "schedules.csv"),
        identity=identity(params, rows, claims),
        data=in_script({"samples": sample_pictures(params, rows), "chains": animations(params)}),
    )
    artifacts.write_bytes(TARGET, text.encode())


if __name__ == "__main__":
    command_line(app)
