"""Every row of the main table has the numbers of its own cell and sampler."""

from itertools import product
from pathlib import Path

import pytest

from ddpm import artifacts
from stages.support.cells import METRICS, Cell


def test_a_row_is_its_cells(aggregated: Path) -> None:
    rows = artifacts.read_csv(METRICS / "fid_of_T.csv")
    digits = artifacts.read_csv(METRICS / "digits.csv")
    found = {(row["schedule"], row["T"], row["sampler"]): row for row in rows}
    of_digits = {(row["schedule"], row["T"], row["sampler"]): row for row in digits}
    every = list(product(("linear", "cosine"), (20, 30), ("ancestral", "clipped")))
    assert sorted(found) == sorted(every)
    for schedule, T, sampler in every:
        row, cell = found[schedule, T, sampler], Cell(schedule, T, 0)
        measured, heldout = artifacts.read_json(cell.metrics(sampler)), artifacts.read_json(cell.heldout)
        assert {name: row[name] for name in measured} == measured
        assert row["loss_simple"] == heldout["loss_simple"]
        assert row["digits_distance"] == of_digits[schedule, T, sampler]["digits_distance"]
        images = artifacts.read_npy(cell.samples(sampler))
        assert row["mean_pixel"] == pytest.approx(images.mean())
        last = [step for step in artifacts.read_json_lines(cell.log) if step["epoch"] == 2]
        total = sum(step["loss"] * step["images"] for step in last)
        assert row["loss"] == pytest.approx(total / sum(step["images"] for step in last))
    assert len({row["fid"] for row in rows}) == len(rows), "no two cells are alike, or a mix-up would be no mistake"
