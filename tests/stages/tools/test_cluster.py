"""Results of workers come here, each of them that can, and what cannot is told at the end."""

import errno
from collections.abc import Iterable
from pathlib import Path

import pytest

from ddpm.errors import StudyError
from stages.tools import cluster, lock, machines, worker
from stages.tools.jobs import Job

FULL = OSError(errno.ENOSPC, "No space left on device", "/data/x")


def result(name: str) -> tuple[Job, worker.Made]:
    """A job of one stage, and what it made."""
    return Job(name, (name,)), worker.Made({name: {"cmd": name}})


def collect(results: Iterable[tuple[Job, worker.Made]]) -> None:
    with cluster.Collector() as collector:
        for job, made in results:
            collector.add(job, made)


@pytest.fixture
def came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The stages whose outputs have been pulled; no DVC is asked."""
    names: set[str] = set()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lock, "merge", lambda *_: None)
    monkeypatch.setattr(cluster, "dvc", lambda _, *targets: names.update(targets))
    return names


def fail_at(name: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one stage's kind of machine be what cannot be noted."""

    def note(stages: Iterable[str], _: str) -> None:
        if name in stages:
            raise error

    monkeypatch.setattr(machines, "note", note)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StudyError("broken", where="here"), "^here: broken$"),
        (
            FULL,
            r"^/data/x: cannot bring a result: No space left on device; run the same command again when",
        ),
    ],
)
def test_what_cannot_come_is_one_line_and_keeps_nothing_else_away(
    came: set[str], monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    fail_at("b", error, monkeypatch)
    with pytest.raises(StudyError, match=told):
        collect(map(result, "abcd"))
    assert came == set("acd")


def test_a_bug_keeps_its_own_error_and_keeps_nothing_else_away(came: set[str]) -> None:
    job, _ = result("b")
    with pytest.raises(KeyError, match="'b'"):
        collect([result("a"), (job, worker.Made()), result("c")])
    assert came == {"a", "c"}


def test_two_that_cannot_come_are_both_told(came: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def pull(_: str, *targets: str) -> None:
        raise StudyError(f"no {targets[0]}" if len(targets) == 1 else "not all")

    monkeypatch.setattr(cluster, "dvc", pull)
    with pytest.raises(StudyError, match=r"^no a; no b$"):
        collect(map(result, "ab"))


def test_what_dvc_refuses_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match="you are not inside of a DVC repository"):
        collect([result("a")])
