"""The text of the documents, without what a command writes."""

import re

from ddpm import artifacts
from tests.conftest import ROOT


def plain(path: str) -> str:
    """A document on one line, without what is written by a command."""
    text = re.sub(r"<!-- begin (\S+) -->.*?<!-- end \1 -->", "", (ROOT / path).read_text(), flags=re.DOTALL)
    return " ".join(text.split())


README, FINDINGS = plain("README.md"), plain("docs/findings.md")


def table(path: str, name: str) -> dict[str, dict[str, str]]:
    """A table that stages.tools.document wrote: first cell of a row -> header -> cell."""
    found = re.search(rf"<!-- begin {name} -->\n(.*)\n<!-- end {name} -->", (ROOT / path).read_text(), flags=re.DOTALL)
    assert found, (path, name)
    header, _, *rows = ([cell.strip() for cell in row.strip("|").split("|")] for row in found[1].splitlines())
    return {row[0]: dict(zip(header, row, strict=True)) for row in rows}


def says(*sentences: str, document: str = README) -> None:
    """README, or the text of another document, has these sentences."""
    missing = [sentence for sentence in sentences if sentence not in document]
    assert not missing, missing


def findings_say(*sentences: str) -> None:
    says(*sentences, document=FINDINGS)


def metric_of(run: str, column: str) -> dict[tuple[str, int, int, str], float]:
    """A distance by schedule, T, seed and sampler of a kept run."""
    rows = artifacts.read_csv(ROOT / "metrics" / "runs" / run / "fid_of_T.csv")
    return {(row["schedule"], row["T"], row["seed"], row["sampler"]): row[column] for row in rows}


def fid_of(run: str) -> dict[tuple[str, int, int, str], float]:
    return metric_of(run, "fid")
