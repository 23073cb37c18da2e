"""Bad input to a stage: one line that says what and where, exit code 1, nothing written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ddpm import artifacts
from ddpm.errors import StudyError
from ddpm.training.loop import Training
from stages import schedules, train
from tests.conftest import ROOT, edit_params
from tests.stage_runs import AXES, CELL, run


def test_nan_loss_names_cell_and_learning_rate(tiny_study: Path) -> None:
    run(schedules)
    edit_params(tiny_study, train={"learning_rate": 1e30})
    with pytest.raises(StudyError, match=r"train linear-20-0, learning rate 1e\+30: the loss is \w+ at step \d"):
        run(train, *AXES)
    assert not CELL.model.exists()


def test_nan_loss_keeps_the_last_good_state(tiny_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(schedules)
    edit_params(tiny_study, train={"epochs": 3})
    real = Training.update

    def spoilt(self: Training, batch: torch.Tensor, share: float, decay: float) -> torch.Tensor:
        loss = real(self, batch, share, decay)
        return loss * float("nan") if self.step >= 4 else loss  # the third epoch's

    with monkeypatch.context() as patch:
        patch.setattr(Training, "update", spoilt)
        with pytest.raises(StudyError, match=r"train linear-20-0, learning rate .*: the loss is nan at step 5"):
            run(train, *AXES)
    (state,) = (tiny_study / ".work" / "resume").glob("train-*/state.safetensors")
    assert int(artifacts.read_tensors(state)[0]["step"].item()) == 4


def test_process_prints_one_line_and_exits_1(tiny_study: Path) -> None:
    command = [sys.executable, "-m", "stages.train", *AXES]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"})
    assert done.returncode == 1
    assert re.fullmatch(r"error: data/schedules/linear-20\.npy: cannot read: .*\n", done.stderr)
