"""Bad input to a stage: one line that says what and where, exit code 1, nothing written."""

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ddpm import artifacts
from ddpm.errors import StudyError
from stages import classifier, digits, fid, heldout, ideal, ranking, reference, sample, schedule, train, validate
from tests.conftest import ROOT, edit_params
from tests.stage_runs import AXES, CELL, SAMPLER, run

REFUSALS: list[tuple[ModuleType, list[str], dict[str, dict[str, object]], str]] = [
    (schedule, ["--schedule", "linar", "--T", "20"], {}, "no group schedules.linar"),
    (schedule, ["--schedule", "linear", "--T", "10"], {}, "beta at t = 10 is 1"),
    (
        schedule,
        ["--schedule", "linear", "--T", "20"],
        {"schedules": {"linear": {"bta": 1.0}}},
        "unknown parameter 'bta'",
    ),
    (train, AXES, {}, "data/schedules/linear-20.npy: cannot read"),
    (sample, [*AXES, *SAMPLER], {}, "cannot read"),
    (sample, [*AXES, "--sampler", "euler"], {}, "there is no sampler 'euler'"),
    (fid, [*AXES, *SAMPLER], {}, "reference.safetensors: cannot read"),
    (reference, [], {"reference": {"images": 40}}, "40 + 16 images asked for, there are 48"),
    (classifier, [], {"reference": {"floor_images": 40}}, "16 + 40 images asked for, there are 48"),
    (heldout, AXES, {}, "cannot read"),
    (ideal, AXES[:4], {}, "cannot read"),
    (validate, [], {}, "cannot read"),
    (digits, [], {}, "cannot read"),
    (ranking, [], {}, "cannot read"),
    (reference, [], {"extractor": "x"}, "there is no extractor 'x'"),  # type: ignore[dict-item]
    (train, AXES, {"train": {"epochs": 0}}, "train.epochs: Input should be greater than or equal to 1"),
    (train, AXES, {"train": {"lr": 0.1}}, "train.lr: Extra inputs are not permitted"),
    (train, AXES, {"train": {"learning_rate": float("nan")}}, "train.learning_rate"),
]


@pytest.mark.parametrize(("module", "arguments", "changes", "says"), REFUSALS)
def test_bad_input_is_one_line_and_writes_nothing(
    tiny_study: Path, module: ModuleType, arguments: list[str], changes: dict[str, dict[str, object]], says: str
) -> None:
    edit_params(tiny_study, **changes)
    before = sorted(tiny_study.rglob("*"))
    with pytest.raises(StudyError) as caught:
        run(module, *arguments)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(tiny_study.rglob("*")) == before


def test_nan_loss_names_cell_and_learning_rate(tiny_study: Path) -> None:
    run(schedule, "--schedule", "linear", "--T", "20")
    edit_params(tiny_study, train={"learning_rate": 1e30})
    with pytest.raises(StudyError, match=r"train linear-20-0, learning rate 1e\+30: the loss is \w+ at step \d"):
        run(train, *AXES)
    assert not CELL.model.exists()


def test_damaged_model_is_refused(tiny_study: Path) -> None:
    run(schedule, "--schedule", "linear", "--T", "20")
    run(train, *AXES)
    tensors, metadata = artifacts.read_tensors(CELL.model)
    artifacts.write_tensors(CELL.model, tensors | {"head.weight": np.zeros(3, np.float32)}, metadata)
    with pytest.raises(StudyError, match="not a trained network"):
        run(sample, *AXES, *SAMPLER)


def test_process_prints_one_line_and_exits_1(tiny_study: Path) -> None:
    command = [sys.executable, "-m", "stages.train", *AXES]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"})
    assert done.returncode == 1
    assert re.fullmatch(r"error: data/schedules/linear-20\.npy: cannot read: .*\n", done.stderr)
