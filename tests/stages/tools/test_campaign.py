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
from stages.support import settings
from stages.tools import campaign, experiments
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
    with pytest.raises(StudyError, match=r"--only: no experiment is named; name one, or leave it out for all of them$"):
        run(campaign, "--only", " ,")


@pytest.fixture
def ran(here: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Names and commits of the experiments that ran; nothing is cloned, and no stage runs."""
    found: list[tuple[str, str]] = []

    def workspace(folder: Path, at: str, params: str) -> None:
        found.append((folder.name, at))
        folder.mkdir(parents=True)
        seed = settings.parse(params).grid.seed[0]
        (folder / "dvc.lock").write_text(Path("dvc.lock").read_text().replace("-50-0", f"-50-{seed}"))

    monkeypatch.setattr(campaign, "check_sources", lambda: None)
    monkeypatch.setattr(campaign, "workspace", workspace)
    monkeypatch.setattr(campaign, "run", lambda *_: None)
    monkeypatch.setattr(campaign, "keep", lambda name, _, replace: f"kept {name}" if replace else "refused")
    return found


def test_who_commits_or_edits_during_a_campaign_changes_nothing_of_it(
    here: Path, ran: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(folder: Path, *_: object) -> None:
        with Path("conf/campaign.yaml").open("a") as file:
            file.write("\n# a note\n")
        if folder.name == "first":
            commit("meanwhile")

    begun = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setattr(campaign, "run", meanwhile)
    run(campaign)
    assert ran == [(name, begun) for name in NAMES]


def test_a_lock_that_is_not_committed_is_told_before_anything_runs(here: Path, ran: list[tuple[str, str]]) -> None:
    """The experiments would begin with the committed one, and be refused at their end as made by other sources."""
    with Path("dvc.lock").open("a") as file:
        file.write("# of a later study\n")
    for staged in (False, True):
        if staged:
            subprocess.run(["git", "add", "dvc.lock"], check=True)
        with pytest.raises(StudyError, match=r"^dvc\.lock: not committed; commit it first: experiments begin with it$"):
            run(campaign)
    assert ran == []
    assert CliRunner().invoke(campaign.app, ["--dry"]).exit_code == 0


def test_what_fails_does_not_keep_the_others_from_running(
    here: Path, ran: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def runs(folder: Path, *_: object) -> None:
        if folder.name != "second":
            raise StudyError("the grid failed, see above", hint="run it again")

    monkeypatch.setattr(campaign, "run", runs)
    done = CliRunner().invoke(campaign.app, [])
    assert [name for name, _ in ran] == list(NAMES)
    assert done.exit_code == 1
    assert "kept second\n" in done.stderr
    assert done.stderr.splitlines()[-2:] == [
        f"error: {name}: the grid failed, see above; run it again" for name in ("first", "third")
    ]
    assert sorted(path.name for path in Path(".work/campaign").iterdir()) == ["first", "third"]  # from which it resumes


def test_what_needs_more_than_make_installs_runs_when_asked_for(
    here: Path, ran: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path("conf/campaign.yaml")
    path.write_text(path.read_text() + "\n  guest: {question: q, overrides: [T=50, 'seed=\"9\"'], needs: diffusers}")
    commit("guest")
    assert (
        "guest is left out: it needs diffusers; ask for it with --only" in CliRunner().invoke(campaign.app, []).stderr
    )
    assert [name for name, _ in ran] == list(NAMES)
    run(campaign, "--only", "guest")
    assert ran[-1][0] == "guest"


def test_the_course_s_network_says_what_installs_it() -> None:
    needs = {name: entry.needs for name, entry in experiments.read(ROOT / experiments.FILE).items()}
    assert "'.[guests]'" in needs["guest-network-3"]
    assert [name for name, needed in needs.items() if needed] == ["guest-network-3", "guest-network-4", "n-10000"]


def test_brackets_in_the_list_are_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "200")
    listed = CliRunner().invoke(campaign.app, ["--dry", "--only", "guest-network-3"])
    assert "pip install -e '.[guests]'" in " ".join(listed.stdout.split())
