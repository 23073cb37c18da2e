"""The pipeline without DVC: the stages of dvc.yaml, in an order that their files allow, with Hydra's parameters."""

import sys
import time
from pathlib import Path

import pytest
import yaml

from benchmarks import gpu_grid
from benchmarks.gpu_grid import Job, jobs, merged, preset, run
from tests.conftest import ROOT

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.mark.parametrize("name", ["large", "report", "course"])
def test_a_preset_is_what_hydra_composes(name: str, tmp_path: Path) -> None:
    from dvc.utils.hydra import compose_and_dump

    target = tmp_path / "params.yaml"
    compose_and_dump(target, str(ROOT / "conf"), None, "config", "", [f"preset={name}"])
    assert merged(PARAMS, preset(name)) == yaml.safe_load(target.read_text())


def test_every_stage_and_cell_is_a_job_with_filled_names() -> None:
    found = list(jobs(PARAMS, {"report"}))
    count = {stage: sum(job.stage == stage for job in found) for stage in {job.stage for job in found}}
    assert (count["train"], count["sample"], count["schedules"], count["mnist"]) == (15, 30, 1, 1)
    assert "report" not in count
    assert not [text for job in found for text in (*job.command, *job.deps, *job.outs) if "${" in text]


def test_jobs_need_what_others_write() -> None:
    by = {(job.stage, *job.command[3:]): job for job in jobs(PARAMS, set())}
    cell = ("--schedule", "linear", "--T", "50", "--seed", "0")
    train, sample = by["train", *cell], by["sample", *cell, "--sampler", "clipped"]
    assert train.needs(by["schedules",])
    assert sample.needs(train)
    assert not train.needs(sample)
    assert by["digits",].needs(sample)  # by a folder


WRITER = """
import sys
from pathlib import Path

out, *deps = sys.argv[1:]
if out == "fail":
    raise SystemExit("no card")
for dep in deps:
    Path(dep).read_text()
Path(out).write_text("x")
"""


def _job(folder: Path, stage: str, out: str, *deps: str) -> Job:
    (folder / "writer.py").write_text(WRITER)
    return Job(stage, [sys.executable, "-m", "writer", out, *deps], deps, (out,))


def test_run_keeps_the_order_and_counts(tmp_path: Path) -> None:
    todo = [_job(tmp_path, "c", "out/c", "out/a", "out/b"), _job(tmp_path, "a", "out/a")]
    todo.append(_job(tmp_path, "a", "out/b", "out/a"))
    found = run(tmp_path, todo, workers=2, deadline=time.monotonic() + 60)
    assert (tmp_path / "out/c").exists()
    assert {stage: numbers["runs"] for stage, numbers in found["stages"].items()} == {"a": 2, "c": 1}


def test_a_failed_job_says_what_it_printed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no card"):
        run(tmp_path, [_job(tmp_path, "a", "fail")], workers=1, deadline=time.monotonic() + 60)


def test_host_stages_are_stages() -> None:
    assert {job.stage for job in jobs(PARAMS, set())} >= gpu_grid.HOST
