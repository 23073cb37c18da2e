"""What a kill leaves half written stops no later command; what is lost with it comes from Git and DVC's cache."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ddpm.errors import StudyError
from stages.tools import lock, mend
from tests.dvc_study import Study, of_cells

# half a dvc.lock: nothing, what is no YAML, what is no dvc.lock, and what DVC would take for whole
CUTS = [b"", b"schema: '2.0", b"schema: '2.0'\nstages:\n  mnist:\n", b"schema: '2.0'\nstages:\n  mnist:\n    cmd: pyth"]


@pytest.mark.parametrize("half", CUTS)
def test_half_a_dvc_lock_is_replaced_by_gits(study: Study, half: bytes) -> None:
    path = study.root / "dvc.lock"
    whole = path.read_bytes()
    path.write_bytes(half)
    assert mend.mend(study.root)
    assert path.read_bytes() == whole
    assert not mend.mend(study.root)


def test_where_git_has_no_dvc_lock_half_of_it_is_removed(study: Study) -> None:
    study.call("git", "rm", "-q", "--cached", "dvc.lock")
    (study.root / "dvc.lock").write_bytes(CUTS[2])
    assert mend.mend(study.root)
    assert not (study.root / "dvc.lock").exists()
    assert not mend.mend(study.root)


def test_conflicts_of_a_merge_are_left_to_the_user(study: Study) -> None:
    for branch, seed in (("one", "1"), ("two", "2")):
        study.call("git", "checkout", "-q", "-b", branch, "main")
        study.edit("dvc.lock", '"schema": "2.0"', f'"schema": "2.{seed}"')
        study.commit()
    subprocess.run(["git", "merge", "-q", "one"], cwd=study.root, env=study.env, capture_output=True)
    conflicts = (study.root / "dvc.lock").read_bytes()
    assert b"<<<<<<<" in conflicts
    with pytest.raises(StudyError, match=r"^git checkout: .*dvc.lock' is unmerged"):
        mend.mend(study.root)
    assert (study.root / "dvc.lock").read_bytes() == conflicts


def test_a_study_goes_on_after_a_kill_and_runs_no_cell_again(study: Study) -> None:
    path = study.root / "dvc.lock"
    study.change("sample.images=4000")
    newer = path.read_bytes()
    names = json.loads(newer)["stages"]
    before = lock.entries(study.root, names)
    path.write_bytes(newer[: len(newer) // 2])
    study.ran_file.write_text("")
    command = [sys.executable, "-m", "stages.tools.grid", "--jobs", "2"]
    done = subprocess.run(command, cwd=study.root, env=study.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert study.ran() == []
    assert done.stderr.startswith("mended what a command that was killed had left half written\n")
    assert of_cells(study.dvc("repro")) == {}
    assert lock.entries(study.root, names) == before


def test_a_list_that_is_whole_or_not_there_stays(tmp_path: Path) -> None:
    assert not mend.mend(tmp_path)
    listed = tmp_path / ".dvc" / "tmp" / "rwlock"
    listed.parent.mkdir(parents=True)
    listed.write_text('{"write": {}, "read": {}}')
    assert not mend.mend(tmp_path)
    assert listed.exists()
