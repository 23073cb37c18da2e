"""Runs with other seeds join the claims when they are the same study, and are left out, with a message, when not."""

import shutil
from pathlib import Path

import pytest
import yaml

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.analysis.runs import beside_the_grid, differences, kept_runs, other_seeds, rankings
from stages.support import settings
from stages.tools import keep_run
from tests.conftest import edit_params
from tests.locked import lock_tables
from tests.stages.analysis.kept import keep, table


def test_a_kept_run_joins_the_study(tiny_study: Path) -> None:
    table(1)
    keep("seed-1")
    table(0)
    assert {row["seed"] for row in other_seeds(settings.load(), kept_runs())} == {1}
    assert len(other_seeds(settings.load(), kept_runs())) == 4
    assert {path.name for path in Path("metrics/runs/seed-1").iterdir()} == {"fid_of_T.csv", "params.yaml", "dvc.lock"}


def test_no_seed_counts_twice(tiny_study: Path) -> None:
    table(1)
    keep("a")
    keep("b")
    assert other_seeds(settings.load(), kept_runs()) == []  # it is the study's own seed
    table(0)
    assert len(other_seeds(settings.load(), kept_runs())) == 4


def test_our_own_cells_alone(tiny_study: Path) -> None:
    table(1)
    keep("seed-1")
    table(0)
    edit_params(tiny_study, grid={"schedule": ["cosine"]})
    assert {(row["schedule"], row["seed"]) for row in other_seeds(settings.load(), kept_runs())} == {("cosine", 1)}


def test_a_run_that_lacks_cells_is_left_out(tiny_study: Path) -> None:
    table(1)
    keep("seed-1")
    table(0)
    edit_params(tiny_study, grid={"T": [20, 30, 40]})
    said: list[str] = []
    assert other_seeds(settings.load(), kept_runs(), said.append) == []
    named = [f"{schedule}, seed 1, ancestral of metrics/runs/seed-1" for schedule in ("linear", "cosine")]
    assert said == [f"{name} is excluded from the claims: 2 of 3 T" for name in named]


def test_rankings_are_of_just_the_grid_s_cells(tiny_study: Path) -> None:
    def ranking(tau: float) -> None:
        table = {"grid": settings.load().grid.model_dump(), "mean_tau": {"ancestral": tau}}
        artifacts.write_json(Path("metrics/ranking.json"), table)

    shutil.rmtree("metrics/runs", ignore_errors=True)
    table(1)
    ranking(0.25)
    keep("seed-1")
    table(2)  # and the rankings are of seed 1 still
    with pytest.raises(StudyError, match=r"ranking\.json: not of the grid in params\.yaml"):
        keep("seed-2")
    edit_params(tiny_study, grid={"T": [20], "seed": [1]})
    rows = [row for row in artifacts.read_csv(Path("metrics/fid_of_T.csv")) if row["T"] == 20]
    artifacts.write_csv(Path("metrics/fid_of_T.csv"), [row | {"seed": 1} for row in rows])
    ranking(0.75)
    keep("z-few-t")  # of the same seed, at one T
    table(0)
    edit_params(tiny_study, grid={"T": [20, 30]})
    ranking(0.5)
    assert rankings(settings.load(), kept_runs(), "ancestral") == {0: 0.5, 1: 0.25}
    Path("metrics/ranking.json").unlink()
    lock_tables()
    keep_run.keep("z-few-t", replace=True)
    assert not Path("metrics/runs/z-few-t/ranking.json").exists()  # that of the run kept there before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"train": {"epochs": 7}}, ["train"]),
        ({"sample": {"images": 9}}, ["sample"]),
        ({"data": {"name": "fashion-mnist"}}, ["data.name"]),
        ({"schedules": {"cosine": {"s": 0.5}}}, ["schedules.cosine"]),
        ({"schedules": {"sigmoid": {"beta_max": 0.5}}}, []),  # no schedule of the grid
        ({"diff": {"log_ratio": 0.5}, "data": {"directory": "x"}}, []),
    ],
)
def test_another_study_is_left_out(tiny_study: Path, change: dict[str, dict[str, object]], says: list[str]) -> None:
    table(1)
    keep("seed-1")
    theirs = settings.load()
    table(0)
    edit_params(tiny_study, **change)
    assert differences(settings.load(), theirs) == says
    said: list[str] = []
    assert bool(other_seeds(settings.load(), kept_runs(), said.append)) == (not says)
    assert said == [f"metrics/runs/seed-1 is excluded from the claims: it differs in {name}" for name in says]


def test_a_table_of_another_grid_is_not_kept(tiny_study: Path) -> None:
    table(1)
    edit_params(tiny_study, grid={"T": [20]})
    with pytest.raises(StudyError, match=r"not the table of the grid in params\.yaml"):
        keep("x")
    with pytest.raises(StudyError, match=r"invalid folder name '\.\./x'"):
        keep("../x")
    assert not Path("metrics/runs/x").exists()


def test_what_is_beside_the_grid(tiny_study: Path) -> None:
    table(1)
    keep("seed-1")
    edit_params(tiny_study, train={"epochs": 7})
    keep("epochs")
    edit_params(tiny_study, train={"learning_rate": 0.5})
    keep("another")
    shutil.copytree("metrics/runs/seed-1", "metrics/runs/twice")
    edit_params(tiny_study, train=yaml.safe_load(Path("metrics/runs/seed-1/params.yaml").read_text())["train"])
    edit_params(tiny_study, grid={"schedule": ["linear"], "T": [30]})
    at_other_T, after_epochs = beside_the_grid(settings.load(), kept_runs())
    assert [(row["schedule"], row["T"], row["seed"]) for row in at_other_T] == [("linear", 20, 1)]
    assert [(row["schedule"], row["T"], row["epochs"]) for row in after_epochs] == [("linear", 30, 7)]


def test_no_kept_run_is_no_error(tiny_study: Path) -> None:
    shutil.rmtree("metrics/runs", ignore_errors=True)
    assert other_seeds(settings.load(), kept_runs()) == []
