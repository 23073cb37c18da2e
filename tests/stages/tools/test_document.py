"""The tables of README and findings are those of the committed metrics, to the last digit."""

import math
from pathlib import Path
from typing import Any

import pytest

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.support.records import read_record
from stages.tools import document
from tests.committed import only_as_committed
from tests.conftest import ROOT


@only_as_committed
@pytest.mark.parametrize("path", document.DOCUMENTS, ids=str)
def test_the_documents_tables_are_of_the_committed_metrics(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / path).read_text()
    assert "<!-- begin " in text
    assert document.rewritten(text, document.blocks(), str(path)) == text, "run `python -m stages.tools.document`"


def test_means_and_ranges_over_the_seeds() -> None:
    rows = [
        {"schedule": s, "T": T, "seed": seed, "sampler": "clipped", "fid": 1.0 + seed}
        for s, T, seeds in (("linear", 50, 3), ("linear", 12, 1), ("cosine", 50, 2))
        for seed in range(seeds)
    ]
    lines = document.fids(rows, ["ancestral", "clipped"], ["linear", "cosine"]).splitlines()
    assert lines[0] == "| Schedule, sampler | Seeds | T = 12 | T = 50 |"
    assert lines[2:] == [
        "| linear, clipped | 3; 1 at T = 12 | 1.00 | 1.82 (1.00 to 3.00) |",
        "| cosine, clipped | 2 |  | 1.41 (1.00 to 2.00) |",
    ]


def test_changes_that_did_not_run_are_no_rows() -> None:
    ran = {"ratio": 2.0, "low": 1.5, "high": 2.5, "seeds": 3, "verdict": "worse", "adjusted_p": 0.0123}
    open_yet = {"ratio": 0.5, "low": None, "high": None, "verdict": "not significant", "adjusted_p": 0.2}
    found = {"x": ran, "y": ran | {"ratio": None}, "z": ran | open_yet}
    lines = document.changes({"changes": found, "quality": "kid", "confidence": 0.9}).splitlines()
    assert lines[0] == "| Change | Ratio of KID | 90 % interval | Seeds | After the correction |"
    assert lines[2:4] == ["| z | 0.500 |  | 3 | p = 0.2 |", "| x | 2.000 | 1.500 to 2.500 | 3 | worse, p = 0.012 |"]
    assert lines[4:] == ["", "Not run yet: y."]


def test_samplers_are_compared_on_the_same_seeds() -> None:
    rows = [{"seed": seed, "sampler": name} for name, seeds in (("a", (3, 4)), ("b", (4, 5))) for seed in seeds]
    assert document.of_all_samplers(rows) == [{"seed": 4, "sampler": "a"}, {"seed": 4, "sampler": "b"}]
    assert document.of_all_samplers([]) == []


def test_variance_as_a_factor() -> None:
    part = {"schedule": "cosine", "T": 50, "component": "rounding", "variance": math.log(1.25) ** 2, "share": 0.016}
    assert document.variance({"components": [part]}).endswith("| cosine, T = 50 | rounding | 1.250 | 2 % |")


def test_only_the_tables_of_a_document_change() -> None:
    text = "one\n<!-- begin a -->\nold\n\nolder\n<!-- end a -->\ntwo 1.5\n"
    new = document.rewritten(text, {"a": "| new |"}, "x")
    assert new == "one\n<!-- begin a -->\n| new |\n<!-- end a -->\ntwo 1.5\n"
    assert document.rewritten(new, {"a": "| new |"}, "x") == new


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<!-- begin b -->\n<!-- end b -->", r"^x: unknown table 'b'"),
        ("<!-- begin a -->\n", r"^x: a table has no end"),
        ("<!-- begin a -->\n<!-- end b -->", r"^x: a table has no end"),
    ],
)
def test_a_wrong_mark_is_one_line(text: str, says: str) -> None:
    with pytest.raises(StudyError, match=says):
        document.rewritten(text, {"a": ""}, "x")


@only_as_committed
def test_the_committed_metrics_give_every_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = document.blocks()
    claims = artifacts.read_json(Path("metrics/claims.json"))
    assert found["verdicts"].count("\n") == len(claims["claims"]) + 1
    assert "| cosine, clipped-first |" in found["first-step"]


@only_as_committed
def test_claims_on_another_metric_have_tables_and_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    def on_digits(path: Path, *names: str) -> dict[str, Any]:
        found = read_record(path, *names)
        return found | {"quality": "digits_distance"} if path.name == "claims.json" else found

    monkeypatch.setattr(document, "read_record", on_digits)
    found = document.blocks()
    assert found["answer"] == "No answer: the study lacks claims on FID."
    assert "| cosine, clipped-first |" in found["first-step"]
