"""Two revisions in a temporary clone: exactly the cells that changed are named, and the exit code follows the limit."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ddpm.errors import StudyError
from stages.tools import diff
from tests.committed import only_as_committed
from tests.conftest import ROOT

pytestmark = only_as_committed  # whose cells these tests name


def git(*words: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *identity, *words], check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The committed results in a repository of their own, on the branch main."""
    monkeypatch.chdir(tmp_path)
    for name in ("params.yaml", "metrics/fid_of_T.csv", "metrics/claims.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-qm", "x")
    return tmp_path


def compare(revision: str = "main") -> tuple[int, str]:
    done = CliRunner().invoke(diff.app, [revision])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def scale(factor: float, *cells: str) -> None:
    path = Path("metrics/fid_of_T.csv")
    head, *rows = path.read_text().splitlines()
    column = head.split(",").index("fid")
    for i, row in enumerate(rows):
        fields = row.split(",")
        if "-".join(fields[:4]) in cells:
            fields[column] = repr(float(fields[column]) * factor)
            rows[i] = ",".join(fields)
    path.write_text("\n".join([head, *rows]) + "\n")


def named(said: str) -> list[str]:
    return [line.split(" | ")[0].removeprefix("| ") for line in said.splitlines() if "-0-" in line]


def test_nothing_changed(clone: Path) -> None:
    code, said = compare()
    assert code == 0
    assert "No FID of 30 cells changed." in said
    assert "No verdict changed." in said


def test_exactly_the_cells_that_changed_largest_first(clone: Path) -> None:
    scale(1.05, "cosine-50-0-clipped")
    scale(0.5, "cosine-800-0-ancestral")
    code, said = compare()
    assert code == 1
    assert named(said) == ["cosine-800-0-ancestral", "cosine-50-0-clipped"]
    assert "2 of 30 cells changed" in said
    assert "| 0.500 |" in said


def test_a_small_change_is_reported_and_allowed(clone: Path) -> None:
    scale(1.05, "cosine-50-0-clipped")
    assert compare()[0] == 0
    assert named(compare()[1]) == ["cosine-50-0-clipped"]


def test_between_two_commits(clone: Path) -> None:
    scale(2.0, "linear-50-0-ancestral")
    git("commit", "-qam", "y")
    assert compare("HEAD")[0] == 0
    assert named(compare("HEAD~1")[1]) == ["linear-50-0-ancestral"]


def test_cells_on_one_side_and_verdicts(clone: Path) -> None:
    path = Path("metrics/fid_of_T.csv")
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    claims = json.loads(Path("metrics/claims.json").read_text())
    claims["claims"]["linear-abar"]["verdict"] = "refuted"
    Path("metrics/claims.json").write_text(json.dumps(claims))
    code, said = compare()
    assert code == 1
    assert "| none |" in said
    assert "| linear-abar | supported | refuted |" in said


@pytest.mark.parametrize("network", [None, "normalisation in every block"])
def test_another_verdict_is_a_failure(clone: Path, network: str | None) -> None:
    claims = json.loads(Path("metrics/claims.json").read_text())
    of = claims if network is None else claims["networks"][network]
    before = of["claims"]["sigmoid-loss"]["verdict"]
    of["claims"]["sigmoid-loss"]["verdict"] = "undecided"
    Path("metrics/claims.json").write_text(json.dumps(claims))
    code, said = compare()
    assert code == 1
    assert f"| sigmoid-loss{f', {network}' if network else ''} | {before} | undecided |" in said


def test_no_such_revision(clone: Path) -> None:
    with pytest.raises(StudyError, match="unknown revision 'mian'"):
        compare("mian")


def test_without_git_is_one_line(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StudyError, match="PATH: git is not installed"):
        compare()


@pytest.mark.parametrize(("lost", "left"), [(",fid,", ",fidd,"), ("schedule,", "x,")])
def test_a_table_without_a_column_is_one_line(clone: Path, lost: str, left: str) -> None:
    table = clone / "metrics" / "fid_of_T.csv"
    header, rest = table.read_text().split("\n", 1)
    assert lost in header
    table.write_text(header.replace(lost, left, 1) + "\n" + rest)
    with pytest.raises(StudyError, match=rf"fid_of_T\.csv: no {lost.strip(',')} in every row; run `dvc repro`$"):
        compare()


@pytest.mark.parametrize(
    "text", ["{}", "[]", "3", '{"claims": {"one-step": {}}}', '{"claims": {}, "networks": {"a": 1}}']
)
def test_a_file_without_verdicts_is_one_line(clone: Path, text: str) -> None:
    (clone / "metrics" / "claims.json").write_text(text)
    with pytest.raises(StudyError, match=r"claims\.json: has no verdict of each claim; run `dvc repro`"):
        compare()


def test_an_fid_that_is_no_number_is_one_line(clone: Path) -> None:
    table = clone / "metrics" / "fid_of_T.csv"
    header, first, rest = table.read_text().split("\n", 2)
    fields = first.split(",")
    fields[header.split(",").index("fid")] = "abc"
    table.write_text("\n".join([header, ",".join(fields), rest]))
    with pytest.raises(StudyError, match=r"fid_of_T\.csv: an fid is no number: .*'abc'; run `dvc repro`"):
        compare()
