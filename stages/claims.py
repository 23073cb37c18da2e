"""The report's claims, judged: conf/claims.yaml and the study's tables -> metrics/claims.json and a table."""

import hashlib
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from ddpm import artifacts
from ddpm.errors import StudyError
from ddpm.sampling.samplers import SAMPLERS
from ddpm.schedules import make_schedule
from stages.analysis.rules import Rules, parse_rules
from stages.analysis.runs import other_seeds
from stages.analysis.tables import Tables, results
from stages.analysis.verdicts import Judgement, judge_twice
from stages.support import settings
from stages.support.cells import METRICS
from stages.support.cli import command_line

app = typer.Typer(add_completion=False)

CLAIMS_FILE = Path("conf/claims.yaml")


def _tell(word: str) -> None:
    print(word, file=sys.stderr)


def tables(params: settings.Params, rules: Rules, metrics: Path) -> Tables:
    """The committed metrics as the claims look at them: no samples, no models."""
    rows = results([*artifacts.read_csv(metrics / "fid_of_T.csv"), *other_seeds(params, _tell)])
    bars = {
        name: {T: make_schedule(name, T, **params.schedule_parameters(name)).alpha_bar.numpy() for T in params.grid.T}
        for name in params.grid.schedule
    }
    taus = artifacts.read_json(metrics / "ranking.json")["tau"]
    if rules.sampler not in SAMPLERS:
        raise StudyError(f"there is no sampler {rules.sampler!r}", where=str(CLAIMS_FILE), cure="correct it")
    return Tables(rows, bars, np.array(taus.get(rules.sampler, [])), rules.quality, rules.sampler, rules.confidence)


def as_json(judgement: Judgement) -> dict[str, Any]:
    """One claim of claims.json; an interval without end is null."""
    found = {key: value for key, value in asdict(judgement).items() if key not in ("finding", "claim")}
    if judgement.finding is not None:
        evidence = asdict(judgement.finding.evidence)
        numbers = {key: value if math.isfinite(value) else None for key, value in evidence.items()}
        found |= numbers | {"quantity": judgement.finding.quantity, "details": judgement.finding.details}
    return found


def print_table(judgements: list[Judgement]) -> None:
    """A row a claim on stdout."""
    table = Table(title="The report's claims", show_lines=True)
    for column in ("claim", "the report says", "verdict", "what was found"):
        table.add_column(column)
    for judgement in judgements:
        second = judgement.second_opinion
        differs = f" (by the digits' own measure: {second})" if second not in (None, judgement.verdict) else ""
        table.add_row(judgement.claim, judgement.says, judgement.verdict + differs, judgement.plain)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


@app.command(help=__doc__)
def main() -> None:
    params = settings.load()
    text = artifacts.read_bytes(CLAIMS_FILE)
    rules = parse_rules(text.decode(), str(CLAIMS_FILE))
    found_tables = tables(params, rules, METRICS)
    judgements = judge_twice(found_tables, rules.second_opinion, rules.claims)
    found = {
        "claims": {judgement.claim: as_json(judgement) for judgement in judgements},
        "claims_yaml_sha256": hashlib.sha256(text).hexdigest(),
        "quality": rules.quality,
        "sampler": rules.sampler,
        "confidence": rules.confidence,
        "seeds": found_tables.rows["seed"].nunique(),
    }
    artifacts.write_json(METRICS / "claims.json", found)
    print_table(judgements)


if __name__ == "__main__":
    command_line(app)
