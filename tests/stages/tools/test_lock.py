"""Entries of dvc.lock that travel, on a real DVC repository: DVC takes them for its own."""

from pathlib import Path

import pytest
from dvc.utils.serialize import dump_yaml, load_yaml
from ruamel.yaml import YAML
from ruamel.yaml.representer import RepresenterError

from ddpm.errors import StudyError
from stages.tools import lock
from tests.dvc_study import Study

FID = "fid@linear-50-0-ancestral"


def stages(folder: Path) -> dict[str, object]:
    found: dict[str, object] = YAML(typ="safe").load((folder / "dvc.lock").read_text())["stages"]
    return found


def test_entries_that_were_taken_out_and_put_back_run_nothing(study: Study) -> None:
    names = [FID, "schedules", "ideal@cosine-50"]
    taken, before = lock.entries(study.root, [*names, "no-such-stage"]), stages(study.root)
    assert list(taken) == names
    assert taken["schedules"]["params"]["params.yaml"]["schedules"]["cosine"]["s"] == 0.002
    for name in names:
        study.call("git", "checkout", "-q", "dvc.lock")
        text = YAML().load((study.root / "dvc.lock").read_text())
        del text["stages"][name]
        YAML().dump(text, study.root / "dvc.lock")
        assert f"Running stage '{name}'" in study.call("dvc", "repro", "--dry", name, "--single-item")
    lock.merge(study.root, taken)
    assert stages(study.root) == before
    assert study.dvc("repro") == {}


def test_a_small_number_stays_a_number(study: Study) -> None:
    """YAML has two opinions on 1e-05; DVC's own is the one that counts."""
    path = str(study.root / "dvc.lock")
    dump_yaml(path, load_yaml(path))  # laid out as DVC does
    taken = lock.entries(study.root, ["schedules"])
    assert taken["schedules"]["params"]["params.yaml"]["schedules"]["linear"]["beta_min"] == 1e-05
    lock.merge(study.root, taken)
    assert "beta_min: 1e-05\n" in (study.root / "dvc.lock").read_text()


def test_who_is_stopped_while_it_writes_leaves_the_old_lock(study: Study) -> None:
    before = (study.root / "dvc.lock").read_bytes()
    with pytest.raises(RepresenterError):  # in the midst of writing
        lock.merge(study.root, {"schedules": {"cmd": object()}})
    assert (study.root / "dvc.lock").read_bytes() == before
    assert lock.entries(study.root, ["schedules"])


def test_what_is_no_lock_is_not_written_over(study: Study) -> None:
    (study.root / "dvc.lock").write_text("{")
    with pytest.raises(StudyError, match=r"dvc.lock: not a dvc.lock; git checkout dvc.lock"):
        lock.merge(study.root, {"schedules": {"cmd": "x"}})
    assert (study.root / "dvc.lock").read_text() == "{"


def test_no_dvc_repository(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"^.*: you are not inside of a DVC repository"):
        lock.merge(tmp_path, {"schedules": {"cmd": "x"}})


def test_a_clone_without_a_lock(tmp_path: Path) -> None:
    assert lock.entries(tmp_path, ["train"]) == {}


@pytest.mark.parametrize("text", ["", "stages", "stages: 3", "{", "stages: {train: 3}"])
def test_a_damaged_lock(tmp_path: Path, text: str) -> None:
    (tmp_path / "dvc.lock").write_text(text)
    with pytest.raises(StudyError, match=r"dvc.lock: not a dvc.lock; git checkout dvc.lock"):
        lock.entries(tmp_path, ["train"])


def test_what_a_stage_depends_on(study: Study) -> None:
    found = lock.upstream(study.root, [FID, "mnist"])
    assert found["mnist"] == set()
    assert found[FID] == {
        "mnist",
        "weights",
        "reference",
        "schedules",
        "train@linear-50-0",
        "sample@linear-50-0-ancestral",
        "embed@linear-50-0-ancestral",
    }


def test_outputs_that_no_remote_has(study: Study) -> None:
    assert lock.uncached(study.root, ["validate", FID]) == ["metrics/validation.csv", "metrics/validation.json"]


def test_a_clone_shares_the_cache_and_the_remotes(study: Study, tmp_path: Path) -> None:
    assert lock.remote(study.root) == ""
    study.call("dvc", "remote", "add", "--local", "--default", "shared", "../store")
    assert lock.remote(study.root) == "shared"
    clone = study.root / ".work" / "clone"
    study.call("git", "clone", "-q", ".", str(clone))
    lock.share(clone, study.root)
    lock.share(clone, study.root)
    assert (clone / ".dvc" / "config.local").stat().st_mode & 0o077 == 0  # a remote's password may be in it
    assert lock.remote(clone) == "shared"
    study.call("dvc", "--cd", str(clone), "push", FID)
    assert len([path for path in (tmp_path / "store").rglob("*") if path.is_file()]) == 1
    assert not (clone / ".dvc" / "cache").exists()
