"""Compare the FIDs and verdicts of a revision with this working tree, as Markdown.

Exit code 1 if the FID of any cell changed by more than diff.log_ratio of params.yaml (the logarithm of the ratio),
if a verdict changed, or if a cell exists on one side only. Example: `python -m stages.tools.diff main`.
"""

import math
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.analysis.tables import AXES
from stages.support import settings
from stages.support.cells import METRICS
from stages.support.cli import command_line
from stages.tools.workspace import run_git

app = typer.Typer(add_completion=False)

TABLE = METRICS / "fid_of_T.csv"
CLAIMS = METRICS / "claims.json"


def at_revision(revision: str, path: Path) -> bytes | None:
    """A file at a revision; None if it did not exist; StudyError for an unknown revision."""
    if run_git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").returncode:
        raise StudyError(f"unknown revision {revision!r}", where="git", hint="name a branch, a tag or a commit")
    found = run_git("show", f"{revision}:./{path.as_posix()}")
    return None if found.returncode else found.stdout


def fids(table: bytes | None) -> pd.Series:
    """FID by the name of the cell and sampler, from a table's text; empty where there is no table.

    Raises:
        StudyError: the text is no CSV, or lacks a column or a value of it.
    """
    rows = artifacts.parse_csv(table, str(TABLE)) if table else []
    if missing := [name for name in (*AXES, "fid") if any(row.get(name) is None for row in rows)]:
        raise StudyError(f"no {missing[0]} in every row", where=str(TABLE), hint="run `dvc repro`")
    try:
        return pd.Series({"-".join(str(row[axis]) for axis in AXES): row["fid"] for row in rows}, dtype=np.float64)
    except ValueError as error:
        raise StudyError(f"an fid is no number: {error}", where=str(TABLE), hint="run `dvc repro`") from error


def verdicts(text: bytes | None) -> dict[str, str]:
    """Claim -> verdict, from the text of a claims.json; of another network with its name behind it.

    Raises:
        StudyError: the text is not JSON, or is not of such a file.
    """
    if not text:
        return {}
    table = artifacts.parse_json(text, str(CLAIMS))
    try:
        found = {claim: of["verdict"] for claim, of in table["claims"].items()}
        for network, results in table.get("networks", {}).items():
            found |= {f"{claim}, {network}": of["verdict"] for claim, of in results["claims"].items()}
    except (LookupError, TypeError, AttributeError) as error:
        raise StudyError("has no verdict of each claim", where=str(CLAIMS), hint="run `dvc repro`") from error
    return found


def changes(before: pd.Series, after: pd.Series) -> pd.DataFrame:
    """The cells that differ, the largest effect first.

    Returns:
        ``before``, ``after`` and the logarithm of their ratio, ``log_ratio``, by the name of the cell; a cell that is
        missing on one side has NaN there, and an infinite log ratio.
    """
    cells = pd.DataFrame({"before": before, "after": after}).rename_axis("cell")
    cells["log_ratio"] = np.log(cells["after"] / cells["before"]).fillna(np.inf)
    changed = cells[cells["before"] != cells["after"]]
    size = changed["log_ratio"].abs().rename("size")
    return changed.join(size).sort_values(["size", "cell"], ascending=[False, True]).drop(columns="size")


def markdown(revision: str, cells: pd.DataFrame, claims: list[tuple[str, str, str]], total: int) -> str:
    """Two tables, or a sentence where there is nothing to show."""
    lines = [f"### FID against `{revision}`", ""]
    if len(cells):
        lines += [f"{len(cells)} of {total} cells changed.", "", "| cell, sampler | before | after | ratio |"]
        lines += ["|---|---|---|---|"]
        for cell, before, after, log_ratio in cells.itertuples():
            old, new = ("none" if math.isnan(value) else f"{value:.4f}" for value in (before, after))
            ratio = "" if math.isinf(log_ratio) else f"{math.exp(log_ratio):.3f}"
            lines.append(f"| {cell} | {old} | {new} | {ratio} |")
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
    revision: Annotated[str, typer.Argument(help="Branch, tag or commit to compare with, for example main.")] = "HEAD",
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
    print(markdown(revision, cells, claims, len(before.index.union(after.index))))
    large = bool((cells["log_ratio"].abs() > limit).any())
    raise typer.Exit(int(large or bool(claims)))


if __name__ == "__main__":
    command_line(app)
