"""What the user sees of jobs under way."""

import pytest
from rich.console import Console

from stages.tools.jobs import Job
from stages.tools.overview import Overview

JOBS = [Job("a", ("a",), cost=100.0), Job("b", ("b",), cost=300.0), Job("c", ("c",), cost=1.0)]


def test_time_left_follows_the_work_done(monkeypatch: pytest.MonkeyPatch) -> None:
    overview = Overview(JOBS, Console(stderr=True))
    overview.begin("a")
    assert overview.line().startswith("0 of 3 done, 1 running, 2 left;")
    monkeypatch.setattr(overview, "started", overview.started - 60)
    overview.finish("a", "")
    assert "1 of 3 done, 0 running, 2 left; 1:00 elapsed, about 3:01 left" in overview.line()


def test_a_failure_is_counted_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    overview = Overview(JOBS, Console(stderr=True))
    overview.begin("b")
    overview.finish("b", "broken")
    overview.begin("b")  # news of a worker that come late
    assert overview.line().startswith("0 of 3 done, 0 running, 2 left, 1 failed;")
    assert capsys.readouterr().err.startswith("b: broken; 0 of 3 done")


def test_a_terminal_shows_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(force_terminal=True, width=80)
    with Overview(JOBS, console) as overview:
        overview.begin("a")
        overview.begin("nothing that is known")
        overview.live.refresh()
        overview.finish("a", "")
    shown = capsys.readouterr().out
    assert "1 running" in shown
    assert "1 of 3 done, 0 running" in shown
    assert "nothing" not in shown
