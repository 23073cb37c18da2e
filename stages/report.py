"""Write metrics/report.html, all results as one self-contained page."""

import hashlib
import importlib.metadata
import json
import math
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import typer
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ddpm import artifacts
from stages.analysis.answer import HERE, answer, lacking
from stages.analysis.by_network import by_network, confirmed
from stages.analysis.ratios import metric_name
from stages.analysis.runs import Run, beside_the_grid, kept_runs, other_seeds, own_table, parameters
from stages.analysis.summary import sentences
from stages.analysis.tables import p_value
from stages.figures import metrics, plots, quality
from stages.figures.encode import data_uri, png, png_file, strip, svg
from stages.support import settings
from stages.support.cells import FIGURES, METRICS, Cell
from stages.support.cli import command_line

app = typer.Typer(add_completion=False)

PAGE = Path(__file__).parent / "page"
TARGET = METRICS / "report.html"
SHOWN = 32  # samples of a cell, as many as the report shows
PACKAGES = ("torch", "numpy", "scipy", "dvc", "mlflow", "matplotlib")

# our version of each figure of the report, its number there, and its caption
BESIDE = (
    ("alpha_bar", "Figure 1", "alpha_bar against t/T."),
    ("forward", "Figure 2", "Forward image samples and their pixel distributions for T = 100."),
    ("loss", "Figure 4", "Training loss of every model."),
    (
        "loss_against_fid",
        "not in the report",
        "FID against held-out loss, one point a model. Each schedule weights the noise levels by how often it visits "
        "them; at equal noise levels the losses of different schedules are comparable. The report states that the loss "
        "does not predict the quality, without an FID to check it.",
    ),
)
MECHANISM = (
    (
        "first_step",
        "Samples of the same models from the same noise, by samplers that differ in where they clip. Without the clip "
        "in the first step, cosine's digits are bolder.",
    ),
    (
        "amplified_error",
        "Mean pixel of a model's samples without the clip, and their FID over that with the clip, against the root "
        "mean square of the network's error at t = T after the first reverse step has multiplied it. Other settings "
        "have the names of their networks, or those of the parameters that differ.",
    ),
)
METRICS_CHECKED = (
    ("corruptions", "Distances of corrupted real digits by severity, for both feature extractors."),
    ("digits_of_T", "The second metric: distance in the features of a digit classifier."),
    ("loss_at_log_snr", "Held-out loss at equal noise levels, which makes schedules comparable."),
)

Row = dict[str, Any]


def sample_pictures(params: settings.Params, rows: list[Row]) -> dict[str, dict[str, Any]]:
    """``schedule|T|sampler`` -> its picture and metrics, of the first seed."""
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
    """Schedule -> frames of its reverse process, one picture with one row per frame."""
    found = {}
    for schedule in params.grid.schedule:
        chain = artifacts.read_npy(Cell(schedule, params.chains.T, params.chains.seed).chain)
        found[schedule] = {"picture": png(strip(chain)), "frames": len(chain), "images": chain.shape[1]}
    return found


def identity(params: settings.Params, rows: list[Row], claims: Row) -> Row:
    """What decides whether other results are comparable with these."""
    deciding = parameters(params) | {"schedules": params.model_dump(mode="json")["schedules"]}
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return {
        "extractor": rows[0]["extractor"],
        "sha256 of its weights": rows[0]["weights_sha256"],
        "samples per cell, reference images": f"{rows[0]['samples']:,}, {rows[0]['reference_images']:,}",
        "sha256 of the parameters": hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest(),
        "sha256 of conf/claims.yaml": claims["claims_yaml_sha256"],
        "packages": versions,
        "the commit": "git log -1 --format=%H -- metrics/report.html",
    }


def confirmatory(params: settings.Params, runs: list[Run], rows: list[Row], audits: list[Row], claims: Row) -> Row:
    """The answer and the FIDs of every network, of the confirmatory seeds; both empty where the study lacks cells.

    Args:
        params: of this study.
        runs: metrics/runs.
        rows: of this study and of its kept seeds.
        audits: of metrics/schedules.csv.
        claims: of metrics/claims.json.
    """
    late = [row for row in rows if row["seed"] in claims["seeds"]]
    if lacking(late, claims):
        return {"answer": None, "header": [], "networks": []}
    of_networks: dict[str, Sequence[Mapping[str, Any]]] = {HERE: late, **confirmed(params, runs, claims)}
    header, lines = by_network(of_networks, claims["confidence"])
    return {"answer": answer(of_networks, audits, claims), "header": header, "networks": lines}


def gains(audits: list[Row], of: str) -> str:
    """By how much the first reverse step of each schedule multiplies, from the least to the most over T.

    Args:
        audits: of metrics/schedules.csv.
        of: ``last_step_gain``, what it multiplies x_T by, or ``error_gain``.
    """
    found = []
    for schedule in dict.fromkeys(row["schedule"] for row in audits):
        values = [row[of] for row in audits if row["schedule"] == schedule]
        values = [math.inf if value is None else value for value in values]
        ends = ["infinity" if math.isinf(value) else f"{value:.3g}" for value in (min(values), max(values))]
        found.append(f"on {schedule} by {ends[0] if ends[0] == ends[1] else ' to '.join(ends)}")
    return ", ".join(found)


def digits(value: float | None, places: int, factor: float = 1) -> str:
    """A number of a table, times a factor; nothing where there is none."""
    return "" if value is None else f"{factor * value:.{places}f}"


def in_script(value: Any) -> str:
    """JSON for a script element; "<" is escaped, since it could end the element from inside a string."""
    return json.dumps(value).replace("<", "\\u003c")


@app.command(help=__doc__)
def main() -> None:
    params, runs = settings.load(), kept_runs()
    rows = own_table(params)
    claims, validation, changes, variance = (
        artifacts.read_json(METRICS / f"{name}.json") for name in ("claims", "validation", "comparisons", "variance")
    )
    for part in variance["components"]:
        part["factor"] = math.exp(math.sqrt(part["variance"]))
    ran = [(name, row) for name, row in changes["changes"].items() if row["ratio"] is not None]
    done = dict(sorted(ran, key=lambda change: change[1]["ratio"]))  # the largest effects are at both ends
    every = [*rows, *other_seeds(params, runs)]
    audits = artifacts.read_csv(METRICS / "schedules.csv")
    marked = (min(params.grid.T), max(params.grid.T))
    at_all_T = [*every, *beside_the_grid(params, runs)[0]]
    chart = quality.distance_of_T(at_all_T, "fid", "fid_floor", "", marked)
    some = {name: FIGURES / f"fid_{name}.png" for name in ("by_network", "of_epochs")}  # where there are such runs
    pictures = {name: png_file(path) if path.exists() else "" for name, path in some.items()}
    page = Environment(loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page.filters |= {"p_value": p_value, "digits": digits, "metric_name": metric_name}
    text = page.get_template("report.html.j2").render(
        confirmed=confirmatory(params, runs, [*rows, *other_seeds(params, runs, any_sampler=True)], audits, claims),
        sentences=sentences(every, claims["sampler"]),
        chart=svg(chart),
        claims=claims,
        by_network=pictures["by_network"],
        of_epochs=pictures["of_epochs"],
        mechanism=[(png_file(FIGURES / f"{name}.png"), says) for name, says in MECHANISM],
        variance=variance,
        changes=changes,
        done=done,
        forest=data_uri(svg(metrics.ratios(done, metric_name(changes["quality"]))).encode(), "image/svg+xml"),
        grid=params.grid,
        chains=params.chains,
        rows=at_all_T,
        beside=[(png_file(FIGURES / f"{name}.png"), where, says) for name, where, says in BESIDE],
        extractors=[(png_file(FIGURES / f"{name}.png"), says) for name, says in METRICS_CHECKED],
        validation=validation,
        audits=audits,
        gains={name: gains(audits, name) for name in ("last_step_gain", "error_gain")},
        identity=identity(params, rows, claims),
        data=in_script({"samples": sample_pictures(params, rows), "chains": animations(params)}),
    )
    artifacts.write_bytes(TARGET, text.encode())


if __name__ == "__main__":
    command_line(app)
