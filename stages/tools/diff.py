"""What changed between a revision and this working tree, cell by cell, as Markdown: for pull requests, and for you.

Exit code 1 when the FID of any cell changed by more than diff.log_ratio of params.yaml (as a logarithm of the ratio),
or a cell or a verdict is there on one side alone. Example: `python -m stages.tools.diff main`.
"""

import json
import math
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.support import settings
from stages.support.cells import METRICS
from stages.support.cli import command_line

app = typer.Typer(add_completion=False)

TABLE = METRICS / "fid_of_T.csv"
CLAIMS = METRICS / "claims.json"


@dataclass(frozen=True)
class Change:
    """One cell and sampler on both sides; None where it is missing. ``log_ratio`` of its FIDs."""

    cell: str
    before: float | None
    after: float | None

    @property
    def log_ratio(self) -> float:
        """Infinite where one side is missing."""
        if self.before is None or self.after is None:
            return math.inf
        return math.log(self.after / self.before)


def at_revision(revision: str, path: Path) -> bytes | None:
    """A file as it was; None when it was not there; StudyError when there is no such revision."""
    known = subprocess.run(["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"], capture_output=True)
    if known.returncode:
        raise StudyError(f"there is no revision {revision!r}", where="git", cure="name a branch, a tag or a commit")
    found = subprocess.run(["git", "show", f"{revision}:./{path.as_posix()}"], capture_output=True)
    return None if found.returncode else found.stdout


def fids(table: bytes | None) -> dict[str, float]:
    """cell-sampler -> FID, from a table's text."""
    rows = artifacts.parse_csv(table, str(TABLE)) if table else []
    return {"-".join(str(row[axis]) for axis in ("schedule", "T", "seed", "sampler")): row["fid"] for row in rows}


def verdicts(text: bytes | None) -> dict[str, str]:
    """Claim -> verdict, from the text of a claims.json."""
    return {name: claim["verdict"] for name, claim in json.loads(text)["claims"].items()} if text else {}


def changes(before: dict[str, float], after: dict[str, float]) -> list[Change]:
    """The cells that differ, the largest effect first."""
    every = [Change(cell, before.get(cell), after.get(cell)) for cell in dict.fromkeys([*before, *after])]
    return sorted((c for c in every if c.before != c.after), key=lambda c: (-abs(c.log_ratio), c.cell))


def markdown(revision: str, cells: list[Change], claims: list[tuple[str, str, str]], total: int) -> str:
    """Two tables, or a sentence where there is nothing to show."""

    def number(value: float | None) -> str:
        return "none" if value is None else f"{value:.4f}"

    lines = [f"### FID against `{revision}`", ""]
    if cells:
        lines += [f"{len(cells)} of {total} cells changed.", "", "| cell, sampler | before | after | ratio |"]
        lines += ["|---|---|---|---|"]
        ratios = ["" if math.isinf(c.log_ratio) else f"{math.exp(c.log_ratio):.3f}" for c in cells]
        lines += [
            f"| {c.cell} | {number(c.before)} | {number(c.after)} | {ratio} |"
            for c, ratio in zip(cells, ratios, strict=True)
        ]
    else:
        lines.append(f"No FID of {total} cells changed.")
    lines += ["", "### Verdicts", ""]
    if claims:
        lines += ["| claim | before | after |", "|---|---|---|", *(f"| {n} | {a} | {b} |" for n, a, b in claims)]
    else:
        lines.append("No verdict changed.")
    return "\n".join(lines)


def _now(path: Path) -> bytes | None:
    return artifacts.read_bytes(path) if path.exists() else None


@app.command(help=__doc__)
def main(
    revision: Annotated[
        str, typer.Argument(help="A branch, tag or commit to compare with, for example main.")
    ] = "HEAD",
) -> None:
    limit = settings.load().diff.log_ratio
    before, after = fids(at_revision(revision, TABLE)), fids(_now(TABLE))
    old, new = verdicts(at_revision(revision, CLAIMS)), verdicts(_now(CLAIMS))
    cells = changes(before, after)
    claims = [
        (name, old.get(name, "none"), new.get(name, "none"))
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]
    print(markdown(revision, cells, claims, len(before | after)))
    large = any(abs(cell.log_ratio) > limit for cell in cells)
    raise typer.Exit(int(large or any("none" in claim[1:] for claim in claims)))


if __name__ == "__main__":
    command_line(app)
