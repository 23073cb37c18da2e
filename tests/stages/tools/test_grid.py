"""What is left of a study becomes jobs, whose failures are told in their own words."""

from pathlib import Path

import pytest
import torch
import yaml

from ddpm.diagnostics import corruptions
from ddpm.errors import StudyError
from ddpm.network import kinds
from stages import ideal
from stages.support import settings
from stages.support.cells import Cell
from stages.tools import grid, worker
from stages.tools.jobs import CORRUPTIONS, FEATURE, IDEAL, IDEAL_SAMPLERS, START, Job, cell_targets, plan
from tests.conftest import edit_params
from tests.stage_runs import run

CELL = Cell("linear-ho", 50, 0)
BOTH = ["ancestral", "clipped"]
WHOLE = ["train@linear-ho-50-0", "heldout@linear-ho-50-0"]
WHOLE += [f"{stage}@linear-ho-50-0-{sampler}" for sampler in BOTH for stage in ("sample", "embed", "fid")]


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (set(), []),
        ({"train@linear-ho-50-0"}, WHOLE),
        ({"train@linear-ho-50-01", "train@linear-50-0"}, []),
        ({"embed@linear-ho-50-0-clipped"}, WHOLE[-2:]),
        ({"heldout@linear-ho-50-0"}, WHOLE[1:2]),
        ({"reference"}, [WHOLE[4], WHOLE[7]]),
    ],
)
def test_all_that_follows_what_is_left(left: set[str], expected: list[str]) -> None:
    assert cell_targets(CELL, BOTH, left) == expected


def test_plan(tiny_study: Path) -> None:
    params = settings.load()
    assert plan(params, {"aggregate", "digits"}) == []
    assert len(corruptions.CORRUPTIONS) == CORRUPTIONS
    everything = {"reference", "classifier"} | {f"train@{cell}" for cell in params.grid.cells()}
    jobs = plan(params, everything)
    names = [job.name for job in jobs]
    assert names[:2] == ["reference", "classifier"]
    costs = [job.cost for job in jobs[2:]]
    assert costs == sorted(costs, reverse=True)  # the longest first, so that none is the last alone
    assert names.index("linear-30-0") < names.index("linear-20-0") < names.index("baseline")
    assert len(ideal.SAMPLERS) == IDEAL_SAMPLERS
    of_ideal = {job.name: job.cost - START for job in jobs}["ideal@cosine-20"]
    assert of_ideal == IDEAL * len(ideal.SAMPLERS) * params.ideal.images * 20
    needs = {job.name: job.needs for job in jobs}
    assert needs["linear-20-0"] == set()
    assert needs["linear-20-0 distances"] == {"reference", "linear-20-0"}
    assert needs["validate"] == {"reference", "classifier"}
    assert needs["ideal@cosine-20"] == needs["baseline"] == {"reference"}
    without = {job.name: job for job in plan(params, everything - {"reference", "classifier"})}
    assert without["linear-20-0"].targets[-1] == "fid@linear-20-0-clipped"
    assert "linear-20-0 distances" not in without


def test_a_sampler_that_takes_fewer_steps_is_planned_with_them(tiny_study: Path) -> None:
    edit_params(tiny_study, grid={"T": [30], "sampler": ["clipped-10", "clipped-first"]})
    params = settings.load()
    samplers = {name: f"sample@linear-30-0-{name}" for name in params.grid.sampler}
    costs = {name: {job.name: job for job in plan(params, {left})} for name, left in samplers.items()}
    embedding = FEATURE * params.sample.images
    of = {name: jobs["linear-30-0"].cost - START - embedding for name, jobs in costs.items()}
    assert of == {"clipped-10": 10 * params.sample.images, "clipped-first": 30 * params.sample.images}


def fake_dvc(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = folder / "dvc"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_failed_job_is_told_in_its_own_words(tiny_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "echo working\necho 'error: the disk is full' >&2\necho 'ERROR: failed to reproduce'\nexit 255"
    fake_dvc(tiny_study, words, monkeypatch)
    with pytest.raises(StudyError, match=r"^the disk is full \(full log: "):
        worker.here([], Job("linear-20-0 distances", ("x",)))
    assert "working" in (tiny_study / ".work/grid/linear-20-0-distances.log").read_text()


class _Narrow(torch.nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = torch.nn.Conv2d(1, 1, width)

    def forward(self, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return self.body(x_t + t.view(-1, 1, 1, 1))  # type: ignore[no-any-return]


def guest(study: Path, parameters: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A study of another network whose training is left."""
    monkeypatch.setitem(kinds.KINDS, "narrow", _Narrow)
    monkeypatch.setattr(grid, "left_to_do", lambda: {"train@linear-20-0"})
    monkeypatch.setattr(grid, "begin", lambda *_: None)
    edit_params(study, train={"muon_learning_rate": 0.0})
    params = yaml.safe_load((study / "params.yaml").read_text())
    (study / "params.yaml").write_text(yaml.safe_dump(params | {"network": {"kind": "narrow", **parameters}}))


def test_parameters_that_a_guest_does_not_take_are_refused_before_its_training(
    tiny_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest(tiny_study, {"widht": 3}, monkeypatch)
    with pytest.raises(StudyError, match=r"^network: parameters do not fit narrow: .*unexpected .*'widht'"):
        run(grid, "--jobs", "1")
    guest(tiny_study, {"width": 2}, monkeypatch)
    with pytest.raises(
        StudyError, match=r"^network.kind narrow: cannot be used .*: it maps \[1, 1, 28, 28\] to \[1, 1, 27"
    ):
        run(grid, "--jobs", "1")
    guest(tiny_study, {"width": 40}, monkeypatch)
    with pytest.raises(StudyError, match=r"^network.kind narrow: cannot be used .*: RuntimeError: .*Kernel size"):
        run(grid, "--jobs", "1")
    monkeypatch.setattr(grid, "left_to_do", set)
    run(grid, "--jobs", "1", "--no-live")  # all is done: the package of the guest need not be there


def test_what_cannot_begin_is_named(tiny_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_dvc(tiny_study, 'case "$*" in *schedules*) exit 1; esac', monkeypatch)
    with pytest.raises(StudyError, match=r"mnist, weights, schedules: a shared stage failed, see the output above"):
        grid.begin()
