"""What one change does, pair by pair: conf/comparisons.yaml and all tables -> metrics/comparisons.json and a table."""

import hashlib
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import Field
from rich.console import Console
from rich.table import Table

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.analysis import comparisons, statistics
from stages.analysis.runs import TABLE, every_row, parameters
from stages.support import settings
from stages.support.cells import METRICS
from stages.support.cli import command_line
from stages.support.strict_yaml import Strict, parse_yaml

app = typer.Typer(add_completion=False)

FILE = Path("conf/comparisons.yaml")


class Change(Strict):
    """One change: the same names before and after, with the values of either side."""

    before: Annotated[dict[str, Any], Field(min_length=1)]
    after: Annotated[dict[str, Any], Field(min_length=1)]


class Changes(Strict):
    """What is compared, by which measure, and how sure a word has to be."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    quality: str
    changes: Annotated[dict[str, Change], Field(min_length=1)]


def parse_changes(text: str, known: set[str], where: str) -> Changes:
    """Validate the text of a conf/comparisons.yaml; StudyError that names the first wrong key."""
    found = parse_yaml(Changes, text, where)
    for name, change in found.changes.items():
        wrong = sorted(set(change.before) - known) or sorted(set(change.before) ^ set(change.after))
        if wrong:
            cure = "both sides name the same axes (schedule, T, sampler) or parameters (network.attention)"
            raise StudyError(f"changes.{name}: {wrong[0]} cannot be compared", where=where, cure=cure)
    return found


def as_json(change: Change, effect: comparisons.Effect | None) -> dict[str, Any]:
    """One change of comparisons.json; an interval without end is null, and so is all that has no cells yet."""
    sides = {"before": change.before, "after": change.after}
    if effect is None:
        return sides | {"pairs": 0, "seeds": 0, "ratio": None, "low": None, "high": None}
    bounded = math.isfinite(effect.high)
    return sides | {
        "pairs": effect.pairs,
        "seeds": effect.seeds,
        "ratio": effect.ratio,
        "low": effect.low if bounded else None,
        "high": effect.high if bounded else None,
        "by_T": {str(T): ratio for T, ratio in effect.by_T.items()},
    }


def print_table(found: dict[str, dict[str, Any]]) -> None:
    """A row a change on stdout."""
    table = Table(title="One change at a time")
    for column in ("change", "distance becomes", "interval", "pairs", "seeds", "verdict"):
        table.add_column(column)
    for name, row in found.items():
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.3f} times"
        interval = "" if row["high"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
        table.add_row(name, ratio, interval, str(row["pairs"]), str(row["seeds"]), row["verdict"])
    Console(width=None if sys.stdout.isatty() else 140).print(table)


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    usual = parameters(params)
    text = artifacts.read_bytes(FILE)
    changes = parse_changes(text.decode(), {"schedule", "T", "sampler", *usual}, str(FILE))
    rows = every_row(params, artifacts.read_csv(METRICS / TABLE))
    if changes.quality not in rows[0]:
        raise StudyError(f"there is no column {changes.quality!r}", where=str(FILE), cure="correct `quality`")
    effects = {
        name: comparisons.effect(rows, change.before, change.after, usual, changes.quality, changes.confidence)
        for name, change in changes.changes.items()
    }
    adjusted = statistics.holm({name: effect.p for name, effect in effects.items() if effect and effect.seeds > 1})
    found = {}
    for name, effect in effects.items():
        row = as_json(changes.changes[name], effect) | {"adjusted_p": adjusted.get(name)}
        word = comparisons.verdict(effect, adjusted[name], changes.confidence) if effect and name in adjusted else ""
        found[name] = row | {"verdict": word or ("one seed" if effect else "no cells")}
    about = {"quality": changes.quality, "confidence": changes.confidence}
    sha256 = hashlib.sha256(text).hexdigest()
    artifacts.write_json(METRICS / "comparisons.json", about | {"comparisons_yaml_sha256": sha256, "changes": found})
    print_table(found)


if __name__ == "__main__":
    command_line(app)
