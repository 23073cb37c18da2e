"""Test the report's claims on the study's tables and write metrics/claims.json."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from ddpm import artifacts
from ddpm.errors import StudyError
from ddpm.sampling.samplers import SAMPLERS
from stages.analysis.rules import Rules, parse_rules
from stages.analysis.runs import TABLE, other_seeds
from stages.analysis.tables import Tables, results
from stages.analysis.verdicts import ClaimResult, verdicts_by_both_metrics
from stages.support import settings
from stages.support.cells import METRICS, Cell
from stages.support.cli import command_line
from stages.support.data import read_schedule

app = typer.Typer(add_completion=False)

CLAIMS_FILE = Path("conf/claims.yaml")


def _warn(line: str) -> None:
    print(line, file=sys.stderr)


def read_tables(params: settings.Params, rules: Rules) -> Tables:
    """The data that the claims are tested on: committed tables and betas; no samples, no models."""
    rows = results([*artifacts.read_csv(METRICS / TABLE), *other_seeds(params, _warn)])
    if rules.sampler not in SAMPLERS:
        raise StudyError(f"unknown sampler {rules.sampler!r}", where=str(CLAIMS_FILE), hint="correct `sampler`")
    for key in ("quality", "second_opinion"):
        column = getattr(rules, key)
        if column not in rows:
            raise StudyError(f"unknown column {column!r}", where=str(CLAIMS_FILE), hint=f"correct `{key}`")
    grid = params.grid
    bars = {s: {T: read_schedule(Cell(s, T, 0)).alpha_bar.numpy() for T in grid.T} for s in grid.schedule}
    taus = artifacts.read_json(METRICS / "ranking.json")["tau"]
    return Tables(rows, bars, np.array(taus.get(rules.sampler, [])), rules.quality, rules.sampler, rules.confidence)


def print_table(found: list[ClaimResult]) -> None:
    """One row per claim on stdout."""
    table = Table(title="The report's claims", show_lines=True)
    for column in ("claim", "the report says", "verdict", "what was found"):
        table.add_column(column)
    for result in found:
        second = result.second_opinion
        differs = f" (by the digit classifier's features: {second})" if second not in (None, result.verdict) else ""
        table.add_row(result.claim, result.says, result.verdict + differs, result.plain)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    text = artifacts.read_bytes(CLAIMS_FILE)
    rules = parse_rules(text.decode(), str(CLAIMS_FILE))
    tables = read_tables(params, rules)
    found = verdicts_by_both_metrics(tables, rules.second_opinion, rules.claims)
    about = {
        "claims_yaml_sha256": hashlib.sha256(text).hexdigest(),
        "quality": rules.quality,
        "sampler": rules.sampler,
        "confidence": rules.confidence,
        "seeds": tables.rows["seed"].nunique(),
    }
    artifacts.write_json(METRICS / "claims.json", about | {"claims": {r.claim: r.as_json() for r in found}})
    print_table(found)


if __name__ == "__main__":
    command_line(app)
