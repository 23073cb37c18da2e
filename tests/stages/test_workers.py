"""Stages that are parallel over images give the same bytes whatever the number of threads, and the seed of sampling."""

import hashlib
from pathlib import Path

import pytest

from ddpm import artifacts
from stages import embed, ideal, reference, sample, schedules, train
from stages.support.cells import REFERENCE, WEIGHTS
from stages.support.parallel import WORKERS
from tests.conftest import edit_params
from tests.stage_runs import AXES, CELL, SAMPLER, run


@pytest.fixture
def trained(tiny_study: Path) -> Path:
    run(schedules)
    run(train, *AXES)
    return tiny_study


def test_the_number_of_threads_changes_no_byte(
    trained: Path, random_weights: artifacts.Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts.write_tensors(WEIGHTS, random_weights, {"weights": "nsfwjs"})
    edit_params(trained, sample={"images": 16, "batch_size": 6}, reference={"images": 32})
    outs = (REFERENCE, CELL.samples("ancestral"), CELL.features("ancestral"), CELL.ideal)
    found = set()
    for workers in "123":
        monkeypatch.setenv(WORKERS, workers)
        run(reference)
        run(sample, *AXES, *SAMPLER)
        run(embed, *AXES, *SAMPLER)
        run(ideal, "--schedule", "linear", "--T", "20")
        found.add(tuple(hashlib.sha256(out.read_bytes()).hexdigest() for out in outs))
        for out in outs:
            out.unlink()
    assert len(found) == 1


def test_the_seed_of_sampling_is_the_trainings_unless_it_is_named(trained: Path) -> None:
    def samples(seed: int | None) -> bytes:
        edit_params(trained, sample={"seed": seed})
        run(sample, *AXES, *SAMPLER)
        return CELL.samples("ancestral").read_bytes()

    assert CELL.seed == 0
    assert samples(None) == samples(0) != samples(1)


def test_samplers_of_the_first_step_run_as_stages(trained: Path) -> None:
    found = set()
    for name in ("ancestral", "clipped-first", "clipped-rest", "late-start"):
        run(sample, *AXES, "--sampler", name)
        found.add(CELL.samples(name).read_bytes())
    assert len(found) == 4
