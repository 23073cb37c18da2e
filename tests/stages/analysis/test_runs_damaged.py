"""A damaged table or ranking is one line, and no seed leaves the claims unnoticed."""

from pathlib import Path
from typing import Any

import pytest

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.analysis.runs import kept_runs, own_table, rankings
from stages.support import settings
from tests.stages.analysis.kept import keep, table

FIRST = "linear-20-1-ancestral"
TABLE = Path("metrics/fid_of_T.csv")


def with_column(text: str, name: str, value: str) -> str:
    header, *lines = text.splitlines()
    return "\n".join([f"{header},{name}", *(f"{line},{value}" for line in lines)]) + "\n"


def with_fid(text: str, value: str) -> str:
    """With another FID in the first row."""
    return text.replace(",2.0\n", f",{value}\n", 1)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        pytest.param(lambda text: "", "not the table of the grid in its params.yaml", id="empty"),
        pytest.param(lambda text: text[: len(text) // 2].rsplit("\n", 1)[0] + "\n", "not the table of the", id="cut"),
        pytest.param(lambda text: text.replace("schedule,", "other,", 1), "not the table of the", id="no schedule"),
        pytest.param(lambda text: text.replace(",fid\n", ",distance\n", 1), f"{FIRST} has None as fid", id="no fid"),
        pytest.param(lambda text: with_fid(text, "abc"), f"{FIRST} has 'abc' as fid, no positive number", id="a word"),
        pytest.param(lambda text: with_fid(text, "nan"), f"{FIRST} has .* as fid, no positive number", id="nan"),
        pytest.param(lambda text: with_fid(text, "1e400"), f"{FIRST} has .* as fid, no positive", id="infinite"),
        pytest.param(lambda text: with_fid(text, "0.0"), f"{FIRST} has 0.0 as fid, no positive number", id="zero"),
        pytest.param(lambda text: with_fid(text, "-2.0"), f"{FIRST} has -2.0 as fid, no positive", id="negative"),
        pytest.param(lambda text: text + text.splitlines()[1] + "\n", f"two rows of {FIRST}", id="twice"),
        pytest.param(lambda text: with_column(text, "kid", "x"), f"{FIRST} has 'x' as kid, no number", id="no kid"),
        pytest.param(
            lambda text: with_column(text, "digits_distance", "0"),
            f"{FIRST} has 0 as digits_distance, no positive number",
            id="digits",
        ),
        pytest.param(lambda text: text + "1,2,3,4,5,6\n", "not CSV", id="a long row"),
    ],
)
def test_a_damaged_table_does_not_leave_the_claims_unnoticed(damage: Any, says: str, tiny_study: Path) -> None:
    table(1)
    keep("seed-1")
    path = Path("metrics/runs/seed-1/fid_of_T.csv")
    path.write_text(damage(path.read_text()))
    with pytest.raises(
        StudyError, match=rf"seed-1/fid_of_T\.csv: {says}.*; restore the folder from Git, or remove it$"
    ):
        kept_runs()


def test_the_study_s_own_table_is_checked_too(tiny_study: Path) -> None:
    table(1)
    assert own_table(settings.load()) == artifacts.read_csv(TABLE)
    TABLE.write_text(TABLE.read_text().rsplit("\n", 2)[0] + "\n")
    with pytest.raises(StudyError, match=r"fid_of_T\.csv: not the table of the grid.*; run `dvc repro aggregate`$"):
        own_table(settings.load())


def test_a_number_may_be_absent_or_negative_where_it_is_no_distance(tiny_study: Path) -> None:
    table(1)
    TABLE.write_text(with_column(with_column(TABLE.read_text(), "kid", "-0.5"), "digits_distance", ""))
    assert {(row["kid"], row["digits_distance"]) for row in own_table(settings.load())} == {(-0.5, None)}


@pytest.mark.parametrize("text", ["{", "[1]", "null", '{"by_seed": []}', '{"by_seed": {"ancestral": {"1": null}}}'])
def test_damaged_rankings_of_a_kept_run_are_one_line(text: str, tiny_study: Path) -> None:
    table(1)
    keep("seed-1")
    Path("metrics/runs/seed-1/ranking.json").write_text(text)
    with pytest.raises(StudyError, match=r"seed-1/ranking\.json: not .*; restore the folder from Git, or remove it$"):
        rankings(settings.load(), kept_runs(), "ancestral")
