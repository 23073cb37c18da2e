"""The declared experiments: that Hydra composes each, and when a kept result counts."""

import copy
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.analysis.runs import FOLDER, RANKING, TABLE
from stages.support import pairs, settings
from stages.tools import experiments, jobs
from tests.conftest import ROOT

NAMES = list(experiments.read(ROOT / experiments.FILE))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with this repository's conf/ parameters and dvc.lock, and nothing kept."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    for name in ("dvc.lock", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_is_a_valid_study_other_than_the_default(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    params = settings.parse(experiments.params_text(name, experiments.read()[name]))
    assert params != settings.load()
    assert params.grid.cells()
    pairs.check(params, name)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("seed-", "first-step"))])
def test_what_is_for_the_claims_covers_the_grids_T(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    params = settings.parse(experiments.params_text(name, experiments.read()[name]))
    assert params.grid.T == settings.load().grid.T


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("experiments: {}", "experiments: "),
        ("experiments: {a: {question: q}}", "experiments.a.overrides: Field required"),
        ("experiments: {a: {question: q, overrides: [], seeds: [-1]}}", "experiments.a.seeds.0: "),
        ("experiments: {a: {question: q, overrides: [], seeds: [1]}}", "a: `seeds` and {seed} in the name go together"),
        ("experiments: {'a-{seed}': {question: q, overrides: []}}", "a-{seed}: `seeds` and {seed} in the name"),
        ("experiments: {a: {question: q, overrides: [x=1], cost: 0}}", "experiments.a.cost: "),
        ("experiments: {../a: {question: q, overrides: [x=1]}}", "invalid name '../a'"),
        (
            "experiments: {a-1: {question: q, overrides: []}, 'a-{seed}': {question: q, overrides: [], seeds: [1]}}",
            "a-1 is there twice; rename one",
        ),
        ("experiments: [", "not YAML"),
    ],
)
def test_a_wrong_file_is_one_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(text)
    with pytest.raises(StudyError, match=says) as error:
        experiments.read(path)
    assert "\n" not in str(error.value)


def test_one_experiment_a_seed(tmp_path: Path) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(
        "experiments: {'a-{seed}': {question: q, overrides: [T=50], seeds: [3, 10]}, b: {question: q, overrides: []}}"
    )
    found = experiments.read(path)
    assert {name: list(entry.overrides) for name, entry in found.items()} == {
        "a-3": ["T=50", 'seed="3"'],
        "a-10": ["T=50", 'seed="10"'],
        "b": [],
    }


@pytest.mark.parametrize(("override", "says"), [("no.such=1", "no"), ("T=[", "no viable alternative")])
def test_an_override_that_hydra_refuses_is_one_line(override: str, says: str, here: Path) -> None:
    with pytest.raises(StudyError, match=f"conf/campaign.yaml: x: .*{says}.*correct its overrides") as error:
        experiments.params_text("x", experiments.Experiment(question="q", overrides=(override,)))
    assert "\n" not in str(error.value)


def keep(folder: Path, experiment: experiments.Experiment) -> None:
    """Put there what a run of the experiment would leave."""
    folder.mkdir(parents=True)
    (folder / settings.PATH).write_text(experiments.params_text("x", experiment))
    shutil.copy("dvc.lock", folder)
    artifacts.write_json(folder / RANKING, {"mean_tau": {}})
    artifacts.write_csv(folder / TABLE, [{"fid": 1.0}])


def test_missing_kept_and_stale(here: Path) -> None:
    experiment = experiments.Experiment(question="q", overrides=("schedule=linear", "T=50"))
    current = experiments.sources(Path("dvc.lock"), settings.load())

    def state() -> tuple[str, str]:
        found = experiments.state_of("x", experiment, current)
        return found.state, found.why

    assert state() == ("missing", "")
    folder = FOLDER / "x"
    keep(folder, experiment)
    assert state() == ("kept", "")
    (folder / TABLE).unlink()
    assert state() == ("stale", f"no {TABLE}")
    artifacts.write_csv(folder / TABLE, [{"fid": 1.0}])
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    stage = next(name for name in lock["stages"] if name.startswith("sample@linear-50-"))
    for dep in lock["stages"][stage]["deps"]:
        dep["md5"] = "0" * 32
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert state()[0] == "stale"
    assert "sample" in state()[1]
    experiment = experiments.Experiment(question="q", overrides=("schedule=linear", "T=100"))
    assert state() == ("stale", "other parameters: grid")


def test_a_cell_that_left_the_grid_makes_no_other_run_current(here: Path) -> None:
    """DVC leaves the entries of dropped cells in dvc.lock, with the sources that they were made by."""
    experiment = experiments.Experiment(question="q", overrides=("schedule=linear", "T=50"))
    keep(FOLDER / "x", experiment)
    for path, cell in ((FOLDER / "x" / "dvc.lock", "linear-50-0"), (Path("dvc.lock"), "linear-1600-0")):
        lock = yaml.safe_load(path.read_text())
        entry = copy.deepcopy(lock["stages"]["train@linear-50-0"])
        for dep in entry["deps"]:
            dep["md5"] = "0" * 32
        lock["stages"][f"train@{cell}"] = entry
        path.write_text(yaml.safe_dump(lock))
    found = experiments.state_of("x", experiment, experiments.sources(Path("dvc.lock"), settings.load()))
    assert (found.state, found.why) == ("stale", "made by earlier sources of train")


def test_a_dropped_cell_of_a_kept_run_does_not_count(here: Path) -> None:
    experiment = experiments.Experiment(question="q", overrides=("schedule=linear", "T=50"))
    keep(FOLDER / "x", experiment)
    lock = yaml.safe_load((FOLDER / "x" / "dvc.lock").read_text())
    for dep in lock["stages"]["train@linear-100-0"]["deps"]:
        dep["md5"] = "0" * 32
    (FOLDER / "x" / "dvc.lock").write_text(yaml.safe_dump(lock))
    current = experiments.sources(Path("dvc.lock"), settings.load())
    assert experiments.state_of("x", experiment, current).state == "kept"


@pytest.mark.parametrize("text", ["", "x", "[1", "stages: [1]", "stages: {train@linear-50-0: 1}", "\0"])
def test_what_is_no_lock_is_one_line(here: Path, text: str) -> None:
    Path("dvc.lock").write_text(text)
    with pytest.raises(StudyError, match=r"^dvc\.lock: not a dvc\.lock; git checkout dvc\.lock$"):
        experiments.sources(Path("dvc.lock"), settings.load())
    with pytest.raises(StudyError, match=r"^x: cannot read: No such file or directory; git checkout dvc\.lock$"):
        experiments.sources(Path("x"), settings.load())


def test_a_lock_without_the_study_s_cells_is_one_line(here: Path) -> None:
    """As after a change of the grid and before `make study`: every kept run would seem to be of other sources."""
    Path("dvc.lock").write_text("stages: {}")
    with pytest.raises(StudyError, match=r"^dvc\.lock: no train of a cell in params\.yaml; run `make study` first$"):
        experiments.sources(Path("dvc.lock"), settings.load())


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / "dvc.lock").unlink(), "no dvc.lock"),  # killed while it was kept
        (lambda folder: (folder / "params.yaml").unlink(), "no params.yaml"),
        (lambda folder: (folder / "dvc.lock").write_text("x"), "dvc.lock: not a dvc.lock"),
        (lambda folder: (folder / "params.yaml").write_text("x: 1"), "params.yaml: schedule: Field required"),
        (lambda folder: [path.unlink() for path in folder.iterdir()], "no params.yaml"),
    ],
)
def test_half_a_kept_run_is_stale(here: Path, damage: Callable[[Path], object], says: str) -> None:
    experiment = experiments.Experiment(question="q", overrides=("schedule=linear", "T=50"))
    keep(FOLDER / "x", experiment)
    damage(FOLDER / "x")
    found = experiments.state_of("x", experiment, experiments.sources(Path("dvc.lock"), settings.load()))
    assert found.state == "stale"
    assert found.why.startswith(says)


def test_a_kept_run_from_before_a_parameter_was_added_is_stale(here: Path) -> None:
    experiment = experiments.Experiment(question="q", overrides=("schedule=linear", "T=50"))
    keep(FOLDER / "x", experiment)
    path = FOLDER / "x" / "params.yaml"
    path.write_text(re.sub(r"  adam_beta_2: .*\n", "", path.read_text()))
    found = experiments.state_of("x", experiment, experiments.sources(Path("dvc.lock"), settings.load()))
    assert found.state == "stale"
    assert found.why.startswith("params.yaml: train.adam_beta_2: Field required")


def test_what_no_number_depends_on_leaves_a_run_kept(here: Path) -> None:
    experiment = experiments.Experiment(question="q", overrides=("schedule=linear", "T=50"))
    keep(FOLDER / "x", experiment)
    for override, why in (
        ("diff.log_ratio=0.9", ""),
        ("+schedules.another={kind: linear, beta_max: 0.5}", ""),
        ("schedules.linear.beta_max=0.02", "other parameters: schedules.linear"),
        ("ranking.draws=9", "other parameters: ranking"),
    ):
        asked = experiment.model_copy(update={"overrides": (*experiment.overrides, override)})
        assert experiments.state_of("x", asked, experiments.sources(Path("dvc.lock"), settings.load())).why == why


def test_cost_grows_with_what_is_asked_for(here: Path) -> None:
    def hours(*overrides: str, cost: float = 1.0) -> float:
        text = experiments.params_text("x", experiments.Experiment(question="q", overrides=overrides))
        return experiments.core_hours(settings.parse(text), cost)

    one = hours(*(linear := ("schedule=linear", "T=50", "sampler=clipped")))
    assert 0 < one < min(hours(*linear, "train.epochs=50"), hours(*linear, "T=800")) < hours("T=800")
    calls = 3 * 5 * 60_000 + 50 * 1_000  # of the network: training and sampling, by default
    assert hours(*linear, cost=10) - one == pytest.approx(9 * calls / jobs.CALLS_PER_SECOND / 3600)
