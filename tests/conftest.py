"""Shared by all tests: a quiet environment, and a tiny study on disk."""

import os
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import settings

from tests import tiny_project
from tests.dvc_study import Study, counts
from tests.made_once import made_once

ROOT = Path(__file__).resolve().parents[1]
# the caller's Git (a hook sets GIT_DIR: commits of the tests would be made there), the caller's number of workers
for name in [name for name in os.environ if name.startswith("GIT_") or name == "STUDY_WORKERS"]:
    del os.environ[name]
# over the user's own settings, whose signatures and hooks the commits of the tests neither need nor can have
OVERRIDES = {"commit.gpgSign": "false", "tag.gpgSign": "false", "core.hooksPath": os.devnull}
os.environ["GIT_CONFIG_COUNT"] = str(len(OVERRIDES))
for number, (key, value) in enumerate(OVERRIDES.items()):
    os.environ |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)  # the workers take all cores: several threads in each would wait for one another

settings.register_profile(
    "study", deadline=None, derandomize=True
)  # a busy machine fails no law; every run is the same
settings.load_profile("study")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA GPU"))


@pytest.fixture(autouse=True)
def _no_tracking_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own server is none of a test's business."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)


def idx_images(images: np.ndarray) -> bytes:
    """uint8 ``[n, 28, 28]`` -> an IDX file."""
    return bytes([0, 0, 8, 3]) + struct.pack(">3I", *images.shape) + images.tobytes()


def idx_labels(n: int) -> bytes:
    """All ten digits, and then zeros and ones, as an IDX file."""
    labels = [i if i < 10 else i % 2 for i in range(n)]
    return bytes([0, 0, 8, 1]) + struct.pack(">I", n) + bytes(labels)


def strokes(n: int, seed: int) -> np.ndarray:
    """Something like digits: a bright bar at a random place on black, uint8 ``[n, 28, 28]``."""
    rng = np.random.default_rng(seed)
    images = np.zeros((n, 28, 28), np.uint8)
    for image in images:
        top, left = rng.integers(4, 12, 2)
        image[top : top + 12, left : left + 4] = rng.integers(150, 255)
    return images


def make_tiny_study(folder: Path) -> None:
    """A repository root with a small params.yaml and a small data set."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["grid"] = {"schedule": ["linear", "cosine"], "T": [20, 30], "seed": [0], "sampler": ["ancestral", "clipped"]}
    params["network"] |= {"patch": 4, "channels": [8], "attention": False}
    params["train"] |= {"images": 48, "epochs": 2, "batch_size": 32}
    params["sample"] |= {"images": 8, "batch_size": 4}
    params["reference"] = {"images": 16, "floor_images": 16, "test_images": 8}
    params["fid"] = {"kid_images": 8, "kid_block": 4}
    params["classifier"] = {"epochs": 1, "batch_size": 16, "learning_rate": 1e-3}
    params["heldout"] = {"images": 12, "images_per_level": 4, "log_snr": [-2, 0, 2]}
    params["validation"] = {"images": 8, "levels": [0.25, 0.5]}
    params["ranking"] = {"draws": 3}
    params["ideal"] = {"T": [20], "images": 8}
    params["chains"]["T"] = 20
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    raw = folder / "data" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte").write_bytes(idx_images(strokes(48, 0)))
    (raw / "t10k-images-idx3-ubyte").write_bytes(idx_images(strokes(12, 1)))
    (raw / "train-labels-idx1-ubyte").write_bytes(idx_labels(48))
    (raw / "t10k-labels-idx1-ubyte").write_bytes(idx_labels(12))


@pytest.fixture
def tiny_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository root with a small params.yaml and a small data set, as the working directory."""
    make_tiny_study(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit_params(root: Path, **changes: dict[str, object]) -> None:
    """Change groups of the params.yaml in ``root``; ``chains`` follows the grid, as in conf/config.yaml."""
    path = root / "params.yaml"
    params = yaml.safe_load(path.read_text())
    for group, values in changes.items():
        params[group] = {**params.get(group, {}), **values} if isinstance(values, dict) else values
    if "grid" in changes and "chains" not in changes:
        params["chains"] |= {axis: params["grid"][axis][0] for axis in ("T", "seed") if params["grid"][axis]}
    path.write_text(yaml.safe_dump(params))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole grid, run once for all workers."""
    return made_once(tmp_path_factory, "finished", run_grid)


def run_grid(home: Path) -> None:
    """2 schedules at one T (after each stage DVC reads and writes all of dvc.lock)."""
    root = home / "study"
    root.mkdir()
    for name in (
        "ddpm",
        "stages",
        "conf",
        ".dvc/config",
        ".dvc/.gitignore",
        ".dvc/plots",
        ".gitignore",
        ".dvcignore",
        "dvc.yaml",
        "metrics/runs",
    ):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, root / name)
    study = Study(root, home)
    study.edit("conf/config.yaml", "T: 50,100,200,400,800", "T: 50")
    study.edit("conf/config.yaml", "schedule: linear,cosine,sigmoid", "schedule: linear,cosine")
    study.edit("conf/config.yaml", "sampler: ancestral,clipped", "sampler: ancestral")
    study.call(sys.executable, "-c", "from dvc.utils.hydra import compose_and_dump as c; import os; "
               "c('params.yaml', os.path.abspath('conf'), None, 'config', '', [])")  # fmt: skip
    study.call("git", "init", "-q", "-b", "main")
    study.commit()
    first = study.dvc("repro")
    once = {"mnist": 1, "weights": 1, "reference": 1, "classifier": 1, "validate": 1, "baseline": 1, "prune": 1}
    assert first == counts(2, 2, schedules=1, ideal=2, **once)
    study.commit()


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Study:
    """A fresh copy of the finished study, its cache included."""
    shutil.copytree(finished / "study", tmp_path / "study", symlinks=True)
    return Study(tmp_path / "study", tmp_path)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `make study` has run."""
    folder = tiny_project.project(tmp_path_factory.mktemp("make") / "study")
    tiny_project.studied(folder)
    return folder
