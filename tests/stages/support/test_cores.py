"""How many cells at a time: what this process may use, not what the machine has."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages.support import cores
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "200000 100000\n"}, 2.0),
        ({"cpu.max": "50000 100000\n"}, 0.5),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ({"cpu.max": ""}, math.inf),
        ({}, math.inf),
    ],
)
def test_a_containers_quota(tmp_path: Path, files: dict[str, str], expected: float) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cores.quota(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [(0.5, 1), (1.9, 1), (3.0, 3), (64.0, 4), (math.inf, 4)])
def test_the_fewer_of_affinity_and_quota(monkeypatch: pytest.MonkeyPatch, quota: float, expected: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 4, 6})
    monkeypatch.setattr(cores, "quota", lambda: quota)
    assert cores.cores() == expected


def test_a_system_without_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(cores, "quota", lambda: math.inf)
    assert cores.cores() == 8


def smi(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{body}\n")
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(cores, "ENVIRONMENT", folder)  # whose torch is what the test says


# lines of torch/version.py, of builds with CUDA and without
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cuda: Optional[str] = '13.0'", 4),
        ("cuda: Optional[str] = None\nhip: Optional[str] = None", 2),
        ("cuda = None", 2),
        ("hip: Optional[str] = None\ncuda: Optional[str] = '12.8'", 4),
        (None, 4),
    ],
)
def test_a_gpu_for_a_torch_that_cannot_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str | None, expected: int
) -> None:
    smi(tmp_path, "echo GPU 0: NVIDIA H100", monkeypatch)
    version = tmp_path / "lib" / "python3.13" / "site-packages" / "torch" / "version.py"
    if line is not None:
        version.parent.mkdir(parents=True)
        version.write_text(f"__version__ = '2.14.1'\n{line}\n")
    monkeypatch.setattr(cores, "cores", lambda: 2)
    assert cores.jobs() == expected


@pytest.mark.parametrize("hidden", ["", "-1", " "])
def test_a_gpu_that_is_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    smi(tmp_path, "echo GPU 0: NVIDIA H100", monkeypatch)
    assert cores.gpu_answers()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert not cores.gpu_answers()


def test_a_driver_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(tmp_path, "exec sleep 60", monkeypatch)
    monkeypatch.setattr(cores, "_PATIENCE_SECONDS", 0.2)
    assert not cores.gpu_answers()


def test_nvidia_smi_that_cannot_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi(tmp_path, "", monkeypatch)
    (tmp_path / "nvidia-smi").write_bytes(b"\x7fELF of another machine")
    assert not cores.gpu_answers()


def test_the_default_of_grid_is_the_same_number() -> None:
    """In a process of its own, since the affinity is read when the command is defined."""
    code = "import os; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1]); import stages.tools.grid as g; "
    code += "import inspect; print(inspect.signature(g.main).parameters['jobs'].default)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "1\n"
