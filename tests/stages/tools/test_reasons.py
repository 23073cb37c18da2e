"""DVC's own line is seen when DVC, and no stage, is what fails."""

import re
from pathlib import Path

import pytest

from ddpm.errors import StudyError
from stages.tools import grid, worker
from stages.tools.jobs import Job
from tests.conftest import edit_params

# as DVC does: --quiet hides its errors too
DVC = '#!/bin/sh\necho "Running stage" \ncase "$*" in *--quiet*) ;; *) echo "ERROR: {line}" >&2;; esac\nexit 255\n'


@pytest.mark.parametrize(
    "line",
    [
        "/downloads/study is not a git repository",
        "'dvc.yaml' is invalid. while scanning a simple key",
        "failed to parse 'stages.train.matrix' in 'dvc.yaml': Could not find 'grid.sched'",
        "Unable to acquire lock",
    ],
)
def test_dvcs_own_line(
    tiny_study: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], line: str
) -> None:
    edit_params(tiny_study, chains={"T": 20})
    (tiny_study / "dvc").write_text(DVC.format(line=line))
    (tiny_study / "dvc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tiny_study}:/usr/bin:/bin")
    with pytest.raises(StudyError, match="see the output above"):
        grid.begin()
    told = capfd.readouterr()
    assert f"ERROR: {line}" in told.err
    assert told.out == ""
    with pytest.raises(StudyError, match=re.escape(f"ERROR: {line} (full log: ")):
        worker.here([], Job("x", ("x",)))
