"""Test the report's claims on the study's tables and write metrics/claims.json and variance.json."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from ddpm import artifacts
from ddpm.errors import StudyError
from ddpm.sampling.samplers import SAMPLERS
from stages.analysis import networks
from stages.analysis.named_networks import find, runs_of_networks
from stages.analysis.ratios import METRIC_NAMES
from stages.analysis.rules import Rules
from stages.analysis.runs import Run, every_row, kept_runs, other_seeds, own_table, parameters, rankings
from stages.analysis.statistics import DECIDED
from stages.analysis.tables import SCHEDULES, Tables, results
from stages.analysis.variance import components
from stages.analysis.verdicts import ClaimResult, confirmatory
from stages.support import settings
from stages.support.cells import METRICS, Cell
from stages.support.cli import command_line, show
from stages.support.data import read_schedule
from stages.support.strict_yaml import read_yaml

app = typer.Typer(add_completion=False)

CLAIMS_FILE = Path("conf/claims.yaml")


def _warn(line: str) -> None:
    print(line, file=sys.stderr)


def read_tables(params: settings.Params, rules: Rules, runs: list[Run]) -> Tables:
    """The data that the claims are tested on: committed tables and betas; no samples, no models."""
    every = [*own_table(params), *other_seeds(params, runs, _warn, any_sampler=True)]
    rows = results(sorted(every, key=lambda row: params.grid.schedule.index(row["schedule"])))
    if rules.sampler not in SAMPLERS:
        raise StudyError(f"unknown sampler {rules.sampler!r}", where=str(CLAIMS_FILE), hint="correct `sampler`")
    for key in ("quality", "second_opinion"):
        column = getattr(rules, key)
        known = [name for name in METRIC_NAMES if name in rows]
        if column not in known:  # of recall, for one, more is better
            hint = f"set `{key}` to one of {', '.join(known)}"
            raise StudyError(f"{column!r} is no distance of this study", where=str(CLAIMS_FILE), hint=hint)
    grid = params.grid
    bars = {s: {T: read_schedule(Cell(s, T, 0)).alpha_bar.numpy() for T in grid.T} for s in grid.schedule}
    taus = rankings(params, runs, rules.sampler)
    return Tables(rows, bars, taus, rules.quality, rules.sampler, rules.confidence)


def _has_cells(runs: list[Run], sampler: str) -> bool:
    """Whether some seed has all schedules of a network at one T: some of its runs may not have been made yet."""
    rows = [row for run in runs for row in run.rows]
    of_seeds: dict[tuple[int, int], set[str]] = {}
    for row in (row for row in rows if row["sampler"] == sampler):
        of_seeds.setdefault((row["seed"], row["T"]), set()).add(row["schedule"])
    schedules = {row["schedule"] for row in rows} & {*SCHEDULES}
    return any(found >= schedules for found in of_seeds.values())


def enough(found: dict[str, list[Run]], sampler: str) -> dict[str, list[Run]]:
    """The networks whose kept runs have the cells that verdicts need; damaged runs are errors all the same."""
    for name, runs in found.items():
        if runs and not _has_cells(runs, sampler):
            folders = ", ".join(str(run.folder) for run in runs)
            _warn(f"network {name!r} is excluded from the claims: {folders}: no seed has all schedules at one T")
    return {name: runs for name, runs in found.items() if _has_cells(runs, sampler)}


def _is_open(result: ClaimResult) -> bool:
    return result.verdict not in DECIDED and result.seeds_needed is not None


def _shown(result: ClaimResult) -> tuple[str, str]:
    """Verdict and numbers of a claim; those of the exploratory seeds, so called, where it has none of its own."""
    second = result.second_opinion
    verdict = result.verdict + (f" (second metric: {second})" if second not in (None, result.verdict) else "")
    verdict += f"; {result.seeds_needed}" if _is_open(result) else ""
    plain = result.plain
    if result.exploratory is not None:
        plain += f"\nexploratory: {result.exploratory.verdict}; {result.exploratory.plain}"
    return verdict, plain


def print_table(found: list[ClaimResult]) -> None:
    """One row per claim on stdout."""
    table = Table(title="The report's claims", show_lines=True)
    for column in ("claim", "the report says", "verdict", "what was found"):
        table.add_column(column)
    for result in found:
        table.add_row(result.claim, result.says, *_shown(result))
    show(table, 140)


def print_networks(others: dict[str, Any]) -> None:
    """One row per claim, one column per other network."""
    table = Table(title="The same claims in other networks", show_lines=True)
    table.add_column("claim")
    for name, network in others.items():
        seeds, steps = (", ".join(map(str, network[key])) for key in ("seeds", "T"))
        table.add_column(f"{name} (T = {steps}; seeds {seeds})")
    for claim in next(iter(others.values()))["claims"]:
        table.add_row(claim, *(network["claims"][claim]["verdict"] for network in others.values()))
    show(table, 140)


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    rules = read_yaml(Rules, CLAIMS_FILE)
    runs = kept_runs()
    tables = read_tables(params, rules, runs)
    found = confirmatory(tables, rules)
    first = rules.first_confirmatory_seed
    about = {
        "claims_yaml_sha256": hashlib.sha256(artifacts.read_bytes(CLAIMS_FILE)).hexdigest(),
        "fixed_at": rules.fixed_at,
        "quality": rules.quality,
        "second_opinion": rules.second_opinion,
        "sampler": rules.sampler,
        "confidence": rules.confidence,
        "seeds": [seed for seed in tables.seeds if seed >= first],
        "exploratory_seeds": [seed for seed in tables.seeds if seed < first],
    }
    others = networks.verdicts(enough(find(runs_of_networks(), params, runs, _warn), rules.sampler), rules)
    written = about | {"claims": {r.claim: r.as_json() for r in found}, "networks": others}
    rows = every_row(params, own_table(params), runs)
    variance = components(rows, parameters(params), rules.sampler, rules.quality)
    artifacts.write_json(METRICS / "claims.json", written, sort=False)  # in the order of conf/claims.yaml
    artifacts.write_json(METRICS / "variance.json", variance)
    print_table(found)
    if others:
        print_networks(others)


if __name__ == "__main__":
    command_line(app)
