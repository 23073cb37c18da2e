"""Ratios over the seeds, in the words of the documents."""

from stages.tools import ratio_tables
from tests.stages.analysis.planted_fids import rows


def test_the_metrics_side_by_side() -> None:
    found = ratio_tables.by_metric(rows(3, 4, 5), 0.95)
    assert found["FID"] == ["1.50 times", "1.50 times", "3.00 times", "1.50 times", "1.50 times", "1.50 times"]
    assert found["digit classifier"] == ["1.00 times"] * 6
    assert found["KID"] == [""] * 6  # not positive: no ratio


def test_other_T_are_compared_with_the_same_seeds() -> None:
    """Seeds that only the grid's T have, here with ten times the FID, change no ratio."""
    table = rows(3, 4, 5) + [row | {"fid": 10 * row["fid"]} for row in rows(6, 7)]
    far = [row | {"T": 4000} for row in rows(3, 4, 5) if row["T"] == 800]
    near = [row | {"T": 12, "fid": 2 * row["fid"]} for row in rows(3, 4) if row["T"] == 50]
    header, lines = ratio_tables.beyond([*table, *far, *near], [50, 800], 0.95)
    assert header == ["Schedule, sampler", "T = 12 against 50", "T = 4000 against 800"]
    assert lines[0] == ["linear, ancestral", "2.00 times", "1.00 times"]
    assert len(lines) == 9
    assert (
        len(
            ratio_tables.beyond(
                [*rows(3, 4, 5), *(row for row in far if row["sampler"] == "clipped")], [50, 800], 0.95
            )[1]
        )
        == 3
    )
    assert ratio_tables.beyond(table, [50, 800], 0.95)[0] == ["Schedule, sampler"]


def test_epochs_are_compared_on_the_same_seeds() -> None:
    usual = [row | {"epochs": 5} for row in [*rows(3, 4, 5), *rows(6)]]
    longer = [row | {"epochs": 15, "fid": row["fid"] / 2} for row in rows(3, 4, 5) if row["T"] == 50]
    longest = [row | {"epochs": 50, "fid": row["fid"] / 4} for row in longer if row["schedule"] == "linear"]
    header, lines = ratio_tables.by_epochs([*usual, *longer, *longest], 5, 0.95)
    assert header == ["Cells", "Seeds", "5 epochs", "15 epochs", "50 epochs", "Longest against 5"]
    assert lines[0] == ["T = 50, linear, ancestral", "3", "1.04", "0.52", "0.13", "0.12 times"]
    assert lines[-1] == ["T = 50, cosine, clipped-first", "3", "3.74", "1.87", "", "0.50 times"]
    assert len(lines) == 9
    assert ratio_tables.by_epochs(usual, 5, 0.95)[1] == []


def test_a_T_within_the_grid_is_compared_with_the_nearer_end() -> None:
    header, _ = ratio_tables.beyond(
        [*rows(3, 4, 5), *(row | {"T": 60} for row in rows(3) if row["T"] == 50)], [50, 800], 0.95
    )
    assert header == ["Schedule, sampler", "T = 60 against 50"]
