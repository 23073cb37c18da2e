"""metrics/README.md names what is in metrics/: every file, and every column of the main table."""

import csv
import re
import subprocess

from tests.committed import only_as_committed
from tests.conftest import ROOT

TEXT = (ROOT / "metrics" / "README.md").read_text()


def names(section: str) -> set[str]:
    """The names in the first column of a table; ``_floor`` stands for every name of its row with that ending."""
    found = set()
    for cell in re.findall(r"^\| (`.+?) \|", section, re.MULTILINE):
        words = re.findall(r"`([^`]+)`", cell)
        endings = [word for word in words if word.startswith("_")]
        whole = [word for word in words if word not in endings]
        found |= {*whole, *(word + ending for word in whole for ending in endings)}
    return found


@only_as_committed
def test_every_column_has_a_meaning() -> None:
    with (ROOT / "metrics" / "fid_of_T.csv").open() as file:
        assert names(TEXT.split("## Columns")[1]) == set(next(csv.reader(file)))


def test_every_file_is_named() -> None:
    committed = subprocess.run(
        ["git", "ls-files", "metrics"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    parts = [path.split("/")[1:] for path in committed]
    there = {f"{first}/" if rest else first for first, *rest in parts} - {"README.md", "runs/", ".gitignore"}
    assert names(TEXT.split("## Columns")[0]) == there
