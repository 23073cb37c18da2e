"""The comparisons command on planted tables: each verdict, changes without cells, and kept runs."""

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ddpm import artifacts
from ddpm.errors import StudyError
from stages import comparisons
from stages.support import settings
from stages.tools import keep_run
from tests.conftest import ROOT, edit_params
from tests.locked import lock_tables
from tests.stage_runs import run

GRID = {"schedule": ["linear", "cosine"], "T": [20, 30]}


def plant(seeds: list[int], samplers: dict[str, float]) -> None:
    """The table of a study whose samplers multiply the distance."""
    edit_params(Path.cwd(), grid=GRID | {"seed": seeds, "sampler": list(samplers)})
    rng = np.random.default_rng(seeds[0])

    def noise() -> float:
        return math.exp(0.01 * rng.normal())

    rows = [
        {
            "schedule": s,
            "T": T,
            "seed": seed,
            "sampler": name,
            "fid": (1 + seed) * times * noise(),
        }
        for s in ("linear", "cosine")
        for T in (20, 30)
        for seed in seeds
        for name, times in samplers.items()
    ]
    artifacts.write_csv(Path("metrics/fid_of_T.csv"), rows)
    lock_tables()


@pytest.fixture(autouse=True)
def changes(tiny_study: Path) -> None:
    shutil.rmtree("metrics/runs", ignore_errors=True)
    artifacts.write_bytes(tiny_study / "conf/comparisons.yaml", (ROOT / "conf/comparisons.yaml").read_bytes())


def compared() -> dict[str, Any]:
    run(comparisons)
    found: dict[str, Any] = artifacts.read_json(Path("metrics/comparisons.json"))["changes"]
    return found


def test_verdicts_in_both_directions() -> None:
    plant([0, 1, 2, 3], {"ancestral": 1.0, "clipped": 1.5, "ddim": 0.9})
    found = compared()
    assert found["clip on cosine"]["verdict"] == "worse"
    assert found["clip on cosine"]["ratio"] == pytest.approx(1.5, rel=0.03)
    assert found["no noise (DDIM) on linear"]["verdict"] == "better"
    assert found["no noise (DDIM) on linear"]["by_T"] == pytest.approx({"20": 0.6, "30": 0.6}, rel=0.05)
    assert found["attention"] | {"adjusted_p": None} == found["attention"]
    assert found["attention"]["verdict"] == "no cells"


def test_one_seed_gets_no_interval_and_no_verdict() -> None:
    plant([0], {"ancestral": 1.0, "clipped": 1.5})
    found = compared()["clip on linear"]
    assert (found["verdict"], found["low"], found["high"], found["adjusted_p"]) == ("one seed", None, None, None)


def test_kept_runs_count_and_so_do_their_parameters() -> None:
    edit_params(Path.cwd(), network={"channels": [16]})  # what attention needs
    plant([1], {"ancestral": 3.0, "clipped": 4.5})
    run(keep_run, "seed-1")
    edit_params(Path.cwd(), network={"attention": True})
    plant([0], {"clipped": 0.75})
    run(keep_run, "attention")
    edit_params(Path.cwd(), network={"attention": False})
    usual = settings.load().schedules["cosine"]
    edit_params(Path.cwd(), schedules={"cosine": usual | {"s": 0.5}})
    plant([2], {"ancestral": 1.0, "clipped": 9.0})
    run(keep_run, "another-cosine")  # no cosine of ours, though it is called so
    edit_params(Path.cwd(), schedules={"cosine": usual})
    plant([0], {"ancestral": 1.0, "clipped": 1.5})
    found = compared()
    assert (found["clip on cosine"]["seeds"], found["clip on linear"]["seeds"]) == (2, 3)
    assert found["clip on cosine"]["ratio"] == pytest.approx(1.5, rel=0.03)
    assert found["attention"]["ratio"] == pytest.approx(0.5, rel=0.03)
    assert found["attention"]["pairs"] == 4


@pytest.mark.parametrize("name", ["fud", "schedule", "T", "recall", "samples"])
def test_an_unknown_metric(name: str) -> None:
    plant([0], {"ancestral": 1.0})
    replace("quality: fid", f"quality: {name}")
    with pytest.raises(StudyError, match=rf"'{name}' is no distance of this study; set `quality` to one of fid"):
        run(comparisons)


def replace(old: str, new: str) -> None:
    """The first of a text in conf/comparisons.yaml."""
    path = Path("conf/comparisons.yaml")
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def test_a_value_that_no_run_has_is_named() -> None:
    plant([0, 1], {"ancestral": 1.0, "clipped": 1.5})
    replace("before: {schedule: linear, sampler: ancestral}", "before: {schedule: linear, sampler: ancestrl}")
    notes = CliRunner().invoke(comparisons.app, []).stderr.splitlines()
    assert "note: changes.clip on linear: no run has sampler: ancestrl" in notes
    assert "note: changes.attention: no run has network.attention: True" in notes
    assert not [line for line in notes if "clip on cosine:" in line]


def test_a_schedule_that_is_a_list_is_one_line() -> None:
    plant([0], {"ancestral": 1.0})
    replace("before: {schedule: linear, sampler: ancestral}", "before: {schedule: [linear], sampler: ancestral}")
    with pytest.raises(StudyError, match=r"clip on linear: unknown schedule .*; choose one of cosine, "):
        run(comparisons)
