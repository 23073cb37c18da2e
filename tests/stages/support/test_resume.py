"""A stage that is cut off at any moment, and run again, ends with the bytes of one that was not."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from ddpm import artifacts
from ddpm.features import inception
from stages import classifier, reference, sample, schedules, train, validate
from stages.support import resume
from stages.support.cells import CLASSIFIER, DIGITS, REFERENCE, WEIGHTS
from stages.support.resume import Resume
from tests.conftest import ROOT, edit_params
from tests.stage_runs import AXES, CELL, SAMPLER, run


class Cut(BaseException):
    """What a kill looks like from inside."""


def cut_after(saves: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Save at every chance, and die right after so many saves."""
    counter = iter(range(1, 10_000))
    save = Resume.save

    def dying(self: Resume, *arguments: object) -> None:
        save(self, *arguments)  # type: ignore[arg-type]
        if next(counter) == saves:
            raise Cut

    monkeypatch.setattr(Resume, "save", dying)
    monkeypatch.setattr(resume, "EVERY_SECONDS", 0.0)


def run_and_cut(monkeypatch: pytest.MonkeyPatch, saves: int, module: ModuleType, *arguments: str) -> None:
    """Run a stage that dies after so many saves."""
    with monkeypatch.context() as patch:
        cut_after(saves, patch)
        with pytest.raises(Cut):
            run(module, *arguments)


def digest(*paths: Path) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def states(root: Path) -> list[Path]:
    return sorted((root / ".work" / "resume").glob("*/state.safetensors"))


@pytest.mark.parametrize("saves", [1, 2, 3])
def test_training(tiny_study: Path, monkeypatch: pytest.MonkeyPatch, saves: int) -> None:
    run(schedules)
    run(train, *AXES)
    whole = digest(CELL.model, CELL.log)
    CELL.model.unlink()
    CELL.log.unlink()
    run_and_cut(monkeypatch, saves, train, *AXES)
    assert not CELL.model.exists()
    assert len(states(tiny_study)) == 1
    run(train, *AXES)
    assert digest(CELL.model, CELL.log) == whole
    assert states(tiny_study) == []


@pytest.mark.parametrize("saves", [1, 13, 20, 25, 39])  # 20 steps a batch of 4 images, two batches
def test_sampling(tiny_study: Path, monkeypatch: pytest.MonkeyPatch, saves: int) -> None:
    run(schedules)
    run(train, *AXES)
    run(sample, *AXES, *SAMPLER)
    whole = digest(CELL.samples("ancestral"))
    CELL.samples("ancestral").unlink()
    run_and_cut(monkeypatch, saves, sample, *AXES, *SAMPLER)
    run(sample, *AXES, *SAMPLER)
    assert digest(CELL.samples("ancestral")) == whole
    assert states(tiny_study) == []


def test_features(tiny_study: Path, monkeypatch: pytest.MonkeyPatch, random_weights: artifacts.Arrays) -> None:
    artifacts.write_tensors(WEIGHTS, random_weights, {"weights": "nsfwjs"})
    run(reference)
    whole = digest(REFERENCE)
    REFERENCE.unlink()
    edit_params(tiny_study, reference={"images": 20, "floor_images": 16, "test_images": 8})  # 20: two batches
    run(reference)
    larger = digest(REFERENCE)
    REFERENCE.unlink()
    run_and_cut(monkeypatch, 1, reference)
    run(reference)
    assert digest(REFERENCE) == larger != whole


@pytest.mark.parametrize("saves", [1, 2, 3])
def test_the_classifier(tiny_study: Path, monkeypatch: pytest.MonkeyPatch, saves: int) -> None:
    edit_params(tiny_study, classifier={"epochs": 2})  # three steps each
    run(classifier)
    whole = digest(CLASSIFIER, DIGITS)
    CLASSIFIER.unlink()
    run_and_cut(monkeypatch, saves, classifier)
    run(classifier)
    assert digest(CLASSIFIER, DIGITS) == whole
    assert states(tiny_study) == []


def test_finished_sets_are_kept_until_the_stage_is_done(
    tiny_study: Path, monkeypatch: pytest.MonkeyPatch, random_weights: artifacts.Arrays
) -> None:
    artifacts.write_tensors(WEIGHTS, random_weights, {"weights": "nsfwjs"})
    run(reference)
    run(classifier)
    run(validate)
    table = Path("metrics/validation.csv")
    whole = digest(table)
    table.unlink()
    run_and_cut(monkeypatch, 4, validate)
    assert len(states(tiny_study)) == 2
    seen: list[int] = []
    real = inception.features

    def counting(*arguments: Any) -> Any:
        seen.append(len(arguments[2]))
        return real(*arguments)

    monkeypatch.setattr(inception, "features", counting)
    run(validate)
    assert digest(table) == whole
    assert len(seen) == 1 + 8 * 2 - 2  # clean digits and two levels of eight corruptions, less the two kept
    assert states(tiny_study) == []


def test_a_state_serves_no_other_parameters(tiny_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(schedules)
    edit_params(tiny_study, train={"learning_rate": 2e-3})
    run(train, *AXES)
    other = digest(CELL.model, CELL.log)
    edit_params(tiny_study, train={"learning_rate": 1e-3})
    run_and_cut(monkeypatch, 2, train, *AXES)
    edit_params(tiny_study, train={"learning_rate": 2e-3})
    run(train, *AXES)
    assert digest(CELL.model, CELL.log) == other


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_state_is_not_used(tiny_study: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    run(schedules)
    run(train, *AXES)
    whole = digest(CELL.model, CELL.log)
    run_and_cut(monkeypatch, 2, train, *AXES)
    path = states(tiny_study)[0]
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 16
    path.write_bytes(b"" if damage == "empty" else data[:-20] if damage == "cut" else data)
    run(train, *AXES)
    assert digest(CELL.model, CELL.log) == whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_in_a_real_process(tiny_study: Path, number: signal.Signals) -> None:
    run(schedules)
    edit_params(tiny_study, train={"epochs": 40})
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "stages.train", *AXES]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    whole = digest(CELL.model, CELL.log)
    CELL.model.unlink()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    while not states(tiny_study):
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(number)
    _, said = process.communicate()
    if process.returncode != 0:  # it may have been done before the signal came
        assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
        assert "Traceback" not in said
        assert not CELL.model.exists()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert digest(CELL.model, CELL.log) == whole
    assert not list(tiny_study.rglob(".*safetensors*")) or number == signal.SIGKILL


def test_a_damaged_state_is_told(tiny_study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    resume = Resume("work", {"a": 1}, [])
    assert resume.load() == ({}, {})
    resume.save({"x": np.arange(3)}, {"k": "7"})
    arrays, metadata = Resume("work", {"a": 1}, []).load()
    assert arrays["x"].tolist() == [0, 1, 2]
    assert metadata == {"k": "7"}
    assert Resume("work", {"a": 2}, []).load() == ({}, {})
    resume.path.write_bytes(resume.path.read_bytes()[:-1])
    assert resume.load() == ({}, {})
    assert "warning: the checkpoint is damaged, starting again" in capfd.readouterr().err
    resume.done()
    assert not resume.path.parent.exists()


def test_a_state_of_another_device_is_not_found(tiny_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for on_a_gpu in (False, True):
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda answer=on_a_gpu: answer)
        found.append(Resume("work", {"a": 1}, []).path)
    assert found[0] != found[1]
