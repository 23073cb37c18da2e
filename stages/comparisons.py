"""Estimate the effects of single changes and write metrics/comparisons.json."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.analysis.comparisons import compare_all
from stages.analysis.ratios import METRIC_NAMES
from stages.analysis.rules import Changes, check_names
from stages.analysis.runs import every_row, kept_runs, own_table, parameters
from stages.support import settings
from stages.support.cells import METRICS
from stages.support.cli import command_line, show
from stages.support.strict_yaml import read_yaml

app = typer.Typer(add_completion=False)

FILE = Path("conf/comparisons.yaml")


def unknown_values(rules: Changes, rows: list[dict[str, Any]]) -> Iterator[str]:
    """A line for every value of a change that no run has: it has not been run yet, or is misspelt."""
    for name, change in rules.changes.items():
        for side in (change.before, change.after):
            for key, value in side.items():
                if not any(row.get(key) == value for row in rows):
                    yield f"changes.{name}: no run has {key}: {value}"


def print_table(found: dict[str, dict[str, Any]]) -> None:
    """One row per change on stdout."""
    table = Table(title="One change at a time")
    for column in ("change", "distance becomes", "interval", "pairs", "seeds", "verdict"):
        table.add_column(column)
    for name, row in found.items():
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.3f} times"
        interval = "" if row["high"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
        table.add_row(name, ratio, interval, str(row["pairs"]), str(row["seeds"]), row["verdict"])
    show(table, 140)


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    usual = parameters(params)
    rules = read_yaml(Changes, FILE)
    check_names(rules, {"schedule", "T", "sampler", *usual}, [*params.schedules], str(FILE))
    rows = every_row(params, own_table(params), kept_runs())
    known = [name for name in METRIC_NAMES if name in rows[0]]
    if rules.quality not in known:  # of recall, for one, more is better
        hint = f"set `quality` to one of {', '.join(known)}"
        raise StudyError(f"{rules.quality!r} is no distance of this study", where=str(FILE), hint=hint)
    for line in unknown_values(rules, rows):
        print(f"note: {line}", file=sys.stderr)
    found = compare_all(rows, rules, usual)
    about = {"quality": rules.quality, "confidence": rules.confidence}
    sha256 = hashlib.sha256(artifacts.read_bytes(FILE)).hexdigest()
    artifacts.write_json(METRICS / "comparisons.json", about | {"comparisons_yaml_sha256": sha256, "changes": found})
    print_table(found)


if __name__ == "__main__":
    command_line(app)
