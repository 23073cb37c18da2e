"""Collect the results of all cells in tables, a summary and figures, with FID = f(T)."""

from itertools import product
from typing import Any

import numpy as np
import torch
import typer
from matplotlib.figure import Figure
from rich.table import Table

from ddpm import artifacts
from ddpm.core import rng
from ddpm.core.mnist import to_model
from ddpm.diffusion import q_sample
from ddpm.errors import StudyError
from ddpm.schedules import make_schedule
from stages.analysis.amplified import models
from stages.analysis.answer import HERE
from stages.analysis.grid_summary import summarise
from stages.analysis.named_networks import networks_of_runs, rows_by_network
from stages.analysis.runs import beside_the_grid, kept_runs, other_seeds
from stages.analysis.tables import AXES
from stages.analysis.training_log import epoch_losses
from stages.figures import first_step, metrics, plots, quality
from stages.figures.encode import png_of
from stages.support import data, settings
from stages.support.cells import BASELINE, FIGURES, METRICS, RESULTS, Cell
from stages.support.cli import command_line, show
from stages.support.data import read_schedule

app = typer.Typer(add_completion=False)

FORWARD_T = 100  # as in the report's figure 2
FORWARD_IMAGES = 500  # enough pixels for a smooth histogram

Row = dict[str, Any]

FROM_HELDOUT = ("loss_simple", "loss_common", "end_error_mean", "end_error_low", "end_error_rest")


def loss_rows(cell: Cell) -> list[Row]:
    """One row per epoch: its mean training loss."""
    axes = {"schedule": cell.schedule, "T": cell.T, "seed": cell.seed}
    means = epoch_losses(artifacts.read_json_lines(cell.log))
    return [axes | {"epoch": epoch, "loss": loss} for epoch, loss in enumerate(means, start=1)]


def collect(grid: settings.Grid, losses: list[Row]) -> list[Row]:
    """One row per cell and sampler; StudyError when two rows were measured in different ways."""
    last = {(row["schedule"], row["T"], row["seed"]): row["loss"] for row in losses}
    digits = {tuple(row[axis] for axis in AXES): row for row in artifacts.read_csv(METRICS / "digits.csv")}
    floors = artifacts.read_json(BASELINE)
    rows = []
    for cell, sampler in product(grid.cells(), grid.sampler):
        key = {"schedule": cell.schedule, "T": cell.T, "seed": cell.seed, "sampler": sampler}
        loss = last[cell.schedule, cell.T, cell.seed]
        heldout = artifacts.read_json(cell.heldout)
        simple = {name: heldout[name] for name in FROM_HELDOUT}
        second = {name: value for name, value in digits[tuple(key.values())].items() if name not in AXES}
        distances = dict(sorted((artifacts.read_json(cell.metrics(sampler)) | floors).items()))
        rows.append(key | {"loss": loss} | simple | distances | second)
    for name in ("extractor", "weights_sha256", "samples", "reference_images"):
        found = sorted({str(row[name]) for row in rows})
        if len(found) > 1:
            raise StudyError(
                f"cells differ in {name}: {', '.join(found)}", where=str(RESULTS / "cells"), hint="run `dvc repro`"
            )
    return rows


def audit_rows(grid: settings.Grid) -> list[Row]:
    """One row per schedule and T: the audit of the betas."""
    return [
        {"schedule": schedule, "T": T} | artifacts.read_json(Cell(schedule, T, 0).audit)
        for schedule, T in product(grid.schedule, grid.T)
    ]


def ideal_rows(params: settings.Params) -> list[Row]:
    """One row per schedule, T and sampler: FID with the optimal denoiser instead of the network."""
    rows = []
    for schedule, T in product(params.grid.schedule, params.ideal.T):
        found = artifacts.read_json(Cell(schedule, T, 0).ideal)
        key = {"schedule": schedule, "T": T}
        rows += [
            key | {"sampler": sampler, "fid": fid, "samples": found["samples"]} for sampler, fid in found["fid"].items()
        ]
    return rows


def caption(row: Row) -> str:
    """What an FID was measured with, for the foot of a figure."""
    return (
        f"{row['extractor']}, weights {row['weights_sha256'][:12]}, n = {row['samples']} samples "
        f"against {row['reference_images']:,} training images"
    )


def _forward_figure(params: settings.Params) -> Figure:
    x_0 = to_model(data.train_images()[:FORWARD_IMAGES])
    strips = {}
    for name in params.grid.schedule:
        schedule = make_schedule(name, FORWARD_T, **params.schedule_parameters(name))
        strip = []
        for t in range(0, FORWARD_T + 1, FORWARD_T // 5):
            eps = torch.randn(x_0.shape, generator=rng.stream(0, "forward figure", t))
            x_t = q_sample(x_0, torch.full((len(x_0),), t), eps, schedule)
            strip.append((t, x_t.squeeze(1).numpy()))
        strips[name] = strip
    return plots.forward_process(strips, FORWARD_T)


def _level_curves(grid: settings.Grid) -> dict[tuple[str, int], dict[float, float]]:
    """(schedule, T) -> log SNR -> held-out loss, seeds averaged; cells that do not cover the levels are excluded."""
    curves = {}
    for schedule, T in product(grid.schedule, grid.T):
        found = [artifacts.read_json(Cell(schedule, T, seed).heldout)["loss_at_log_snr"] for seed in grid.seed]
        if all(found):
            curves[schedule, T] = {
                float(level): float(np.mean([seed[level] for seed in found])) for level in sorted(found[0], key=float)
            }
    return curves


def _draw(params: settings.Params, rows: list[Row], losses: list[Row]) -> dict[str, Figure]:
    """All figures; those of distances show the seeds of kept runs as well."""
    grid, foot = params.grid, caption(rows[0])
    runs = kept_runs()
    every = [*rows, *other_seeds(params, runs)]
    at_other_T, after_epochs = beside_the_grid(params, runs)
    marked = (min(grid.T), max(grid.T))
    tables = {name: {T: read_schedule(Cell(name, T, 0)).alpha_bar.numpy() for T in grid.T} for name in grid.schedule}
    drawn = {
        "alpha_bar": plots.alpha_bar_curves(tables),
        "forward": _forward_figure(params),
        "loss": plots.loss_curves(losses),
        "fid_of_T": quality.distance_of_T([*every, *at_other_T], "fid", "fid_floor", foot, marked),
        "digits_of_T": quality.distance_of_T(
            [*every, *at_other_T], "digits_distance", "digits_floor", "digit classifier", marked
        ),
        "loss_at_log_snr": metrics.loss_at_log_snr(_level_curves(grid)),
        "corruptions": metrics.corruptions(artifacts.read_csv(METRICS / "validation.csv")),
        "loss_against_fid": quality.loss_against_fid(every, foot),
    }
    if after_epochs:
        usual = [row | {"epochs": params.train.epochs} for row in every]
        cells = sorted(same_cells(usual, after_epochs), key=lambda row: grid.schedule.index(row["schedule"]))
        drawn["fid_of_epochs"] = quality.distance_of_epochs(cells, foot)
    if others := rows_by_network(params, runs):
        of_networks = {HERE: every} | others
        shown_alike = {
            name: [row for row in its if row["sampler"] in grid.sampler] for name, its in of_networks.items()
        }
        drawn["fid_by_network"] = quality.distance_by_network(shown_alike, foot)
    animated = {name: Cell(name, params.chains.T, params.chains.seed) for name in grid.schedule}
    pictures = {name: artifacts.read_tensors(cell.first_step)[0] for name, cell in animated.items()}
    drawn["first_step"] = first_step.side_by_side(pictures, params.chains.T)
    drawn["amplified_error"] = first_step.amplified_error(models(params, rows, runs, networks_of_runs()))
    for sampler in grid.sampler:
        shown = {
            (row["schedule"], row["T"]): (
                artifacts.read_npy(Cell(row["schedule"], row["T"], row["seed"]).samples(sampler)),
                row["fid"],
            )
            for row in rows
            if row["sampler"] == sampler and row["seed"] == grid.seed[0]
        }
        drawn[f"samples_{sampler}"] = plots.all_samples(shown, sampler, grid.seed[0], foot)
    return drawn


def same_cells(usual: list[Row], after_epochs: list[Row]) -> list[Row]:
    """Rows after other numbers of epochs, and of ours those of the same cells and seeds."""
    cells = {tuple(row[axis] for axis in AXES) for row in after_epochs}
    return [*(row for row in usual if tuple(row[axis] for axis in AXES) in cells), *after_epochs]


def print_table(summary: dict[str, Any], grid: settings.Grid, foot: str) -> None:
    """FID of every cell on stdout: one row per schedule and sampler, one column per T."""
    floor = summary["measured_with"]["fid_floor"]
    table = Table(title=f"FID = f(T); baseline, real images: {floor:.2f}", caption=foot)
    table.add_column("schedule, sampler")
    for T in grid.T:
        table.add_column(f"T = {T}", justify="right")
    for schedule, sampler in product(grid.schedule, grid.sampler):
        fids = summary["fid"][sampler][schedule]
        table.add_row(f"{schedule}, {sampler}", *(f"{fids[str(T)]:.2f}" for T in grid.T))
    show(table, 110)


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    losses = [row for cell in params.grid.cells() for row in loss_rows(cell)]
    rows, audits, ideals = collect(params.grid, losses), audit_rows(params.grid), ideal_rows(params)
    summary = summarise(rows, artifacts.read_json(RESULTS / "classifier.json"))
    figures = {name: png_of(figure) for name, figure in _draw(params, rows, losses).items()}
    for name, table in {"fid_of_T": rows, "loss": losses, "schedules": audits, "ideal": ideals}.items():
        artifacts.write_csv(METRICS / f"{name}.csv", table)
    artifacts.write_json(METRICS / "summary.json", {name: part for name, part in summary.items() if name != "fid"})
    by_schedule = summary["fid"][params.grid.sampler[0]]
    for schedule in params.schedules:  # a row each of `dvc metrics show`; all, so that no grid deletes a file of Git's
        of_T = {str(T): by_schedule[schedule][str(T)] for T in params.grid.T} if schedule in by_schedule else {}
        artifacts.write_json(METRICS / "fid" / f"{schedule}.json", of_T, sort=False)
    for name, picture in figures.items():
        artifacts.write_bytes(FIGURES / f"{name}.png", picture)
    print_table(summary, params.grid, caption(rows[0]))


if __name__ == "__main__":
    command_line(app)
