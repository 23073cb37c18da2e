"""`make campaign` under DVC, with stages that take no time: what it leaves, goes on from and refuses."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ddpm.errors import StudyError
from stages.tools import campaign
from tests.conftest import ROOT
from tests.dvc_study import Study
from tests.stage_runs import run

CAMPAIGN = """experiments:
  only-linear:
    question: does it run
    overrides: [schedule=linear, T=50, sampler=ancestral, 'seed="7"']
"""
NAMES = ("first", "second", "third")
COMMAND = [sys.executable, "-m", "stages.tools.campaign", "--jobs", "2"]


def call(study: Study, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], cwd=study.root, env=study.env, capture_output=True, text=True)


@pytest.fixture
def declared(study: Study) -> Study:
    """A finished study with a campaign of one experiment, all committed."""
    (study.root / "conf" / "campaign.yaml").write_text(CAMPAIGN)
    study.call("git", "add", "-A")
    study.call("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "campaign")
    return study


def test_an_experiment_is_killed_goes_on_is_kept_and_leaves_the_tree(declared: Study) -> None:
    dry = call(declared, "--dry")
    assert "missing" in dry.stdout
    assert not (declared.root / ".work" / "campaign").exists()

    process = subprocess.Popen(COMMAND, cwd=declared.root, env=declared.env, start_new_session=True)
    lock = declared.root / ".work" / "campaign" / "only-linear" / ".work" / "grid"
    while not lock.exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    done = call(declared)
    assert done.returncode == 0, done.stderr
    assert "1 rows in metrics/runs/only-linear" in done.stderr
    kept = declared.root / "metrics" / "runs" / "only-linear"
    assert sorted(path.name for path in kept.iterdir()) == ["dvc.lock", "fid_of_T.csv", "params.yaml", "ranking.json"]
    assert "linear,50,7,ancestral" in (kept / "fid_of_T.csv").read_text()
    changed = declared.call("git", "status", "--porcelain").split()
    assert changed == ["??", "metrics/runs/only-linear/"]
    assert not (declared.root / ".work" / "campaign" / "only-linear").exists()

    ran = len(declared.ran_file.read_text().splitlines())
    again = call(declared)
    assert "kept" in again.stdout
    assert len(declared.ran_file.read_text().splitlines()) == ran


def test_what_it_refuses_is_one_line(declared: Study) -> None:
    unknown = call(declared, "--only", "nothing")
    assert (unknown.returncode, unknown.stderr) == (
        1,
        "error: conf/campaign.yaml: no experiment 'nothing'; one of only-linear\n",
    )
    with Path(declared.root / "ddpm" / "schedules.py").open("a") as file:
        file.write("# a change\n")
    dirty = call(declared, "--only", "only-linear")
    assert dirty.returncode == 1
    assert "error: git: not committed: ddpm/schedules.py; commit first" in dirty.stderr
    assert not (declared.root / "metrics" / "runs" / "only-linear").exists()


def test_other_sources_than_the_lock_s_are_refused_before_anything_runs(declared: Study) -> None:
    with Path(declared.root / "ddpm" / "training" / "loop.py").open("a") as file:
        file.write("# a change\n")
    declared.call("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qam", "a change")
    done = call(declared)
    assert done.returncode == 1
    assert "error: dvc.lock: ddpm/training, which train runs, is modified since dvc.lock" in done.stderr
    assert not declared.ran_file.exists()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with this one's conf/, parameters and dvc.lock, and three experiments, all committed."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    for name in ("params.yaml", "dvc.lock"):
        shutil.copy(ROOT / name, tmp_path)
    named = (f"  {name}: {{question: q, overrides: [T=50, 'seed=\"{i}\"']}}" for i, name in enumerate(NAMES, 7))
    (tmp_path / "conf" / "campaign.yaml").write_text("\n".join(["experiments:", *named]))
    monkeypatch.chdir(tmp_path)
    commit("begin")
    return tmp_path


def commit(message: str) -> None:
    if not Path(".git").exists():
        subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "add", "-A"], check=True)
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", message], check=True)


def test_names_may_have_spaces_and_commas_too_many(here: Path) -> None:
    listed = CliRunner().invoke(campaign.app, ["--dry", "--only", " second, ,second,"])
    assert listed.exit_code == 0, listed.exception
    assert [name for name in NAMES if name in listed.stdout] == ["second"]
    with pytest.raises(StudyError, match=r"campaign\.yaml: no experiment 'nothing'; one of first, second, third$"):
        run(campaign, "--only", "second, nothing ,")
