"""`make` in folders of any name and with the options of its targets; tests/tiny_project.py says what it installs."""

import os
from pathlib import Path

import pytest

from stages.support.cores import ON_A_GPU, cores
from tests.conftest import ROOT
from tests.tiny_project import make, project, studied


@pytest.mark.parametrize("name", ["my study", "it's (2)", "Étude 50%#1", "-a&b;c$1"])
def test_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    studied(project(tmp_path / name))


def test_a_folder_that_cannot_be_on_the_path_is_refused_in_venvs_own_words(tmp_path: Path) -> None:
    done = make(project(tmp_path / "a:b"), "study", "JOBS=3")
    assert done.returncode
    assert "Refusing to create a venv in" in done.stderr
    assert "contains the PATH separator :" in done.stderr


def planned(folder: Path, *words: str, **environment: str) -> str:
    """What `make -n` would run."""
    return make(folder, "-n", *words, **environment).stdout


def test_options_of_the_demo(installed: Path) -> None:
    told = planned(installed, "demo", "SCHEDULE=cosine", "T=50", "SEED=3")
    assert "stages.tools.demo --schedule 'cosine' --T '50' --seed '3'" in told
    assert "stages.tools.demo\n" in planned(installed, "demo").replace("  ", "").replace(" \n", "\n")
    leaked = planned(installed, "demo", SEED="7", T="2", SCHEDULE="x")  # variables of a shell's own
    assert "--seed" not in leaked
    assert "--T" not in leaked
    assert "stages.tools.ui --port '5057'" in planned(installed, "ui", "PORT=5057")


def test_names_of_a_campaign_stay_one_word(installed: Path) -> None:
    told = planned(installed, "campaign", "ONLY=seed-8, ddim", "DRY=1", "JOBS=2")
    assert "stages.tools.campaign --jobs 2 --only 'seed-8, ddim' --dry\n" in told
    assert "stages.tools.campaign --jobs 2\n" in planned(installed, "campaign", "JOBS=2")


@pytest.mark.parametrize("address", ["", "head", "tcp://head"])
def test_a_worker_needs_an_address(installed: Path, address: str) -> None:
    done = make(installed, "worker", f"CLUSTER={address}")
    assert done.returncode
    assert done.stderr.startswith(f"error: CLUSTER: '{address}' is not an address; make worker CLUSTER=tcp://")
    assert "dask worker 'tcp://head:8786' --nthreads 2" in planned(
        installed, "worker", "CLUSTER=tcp://head:8786", "JOBS=2"
    )


def test_cells_at_a_time_are_the_cores_that_may_be_used(installed: Path) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    try:
        os.sched_setaffinity(0, allowed[:1])
        assert "--jobs 1\n" in planned(installed, "study", CUDA_VISIBLE_DEVICES="-1")
    finally:
        os.sched_setaffinity(0, allowed)


GPU = ["exit 9", "echo No devices were found", "exit 0", "kill -SEGV $$"]


@pytest.mark.parametrize("body", [*GPU, "echo 'GPU 0: NVIDIA H100'"])
def test_a_gpu_counts_when_it_answers(installed: Path, body: str) -> None:
    command = installed.parent / "tools" / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{body}\n")
    command.chmod(0o755)
    try:
        told = planned(installed, "study")
    finally:
        command.unlink()
    assert f"--jobs {cores() if body in GPU else ON_A_GPU}\n" in told


def test_dvcs_own_line_is_not_hidden() -> None:
    """`dvc --quiet` hides DVC's errors too."""
    assert "--quiet" not in "".join(line for line in (ROOT / "Makefile").read_text().splitlines() if "dvc " in line)
