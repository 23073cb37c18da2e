"""A study small enough for a test: four cells, a network of thousands of weights, an Inception that nobody trained."""

import shutil
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks import features
from ddpm import artifacts
from stages import (
    aggregate,
    baseline,
    chains,
    classifier,
    digits,
    embed,
    fid,
    heldout,
    ideal,
    ranking,
    reference,
    sample,
    schedules,
    train,
    validate,
)
from stages.analysis.named_networks import NETWORKS_FILE
from stages.support.cells import WEIGHTS
from tests.conftest import ROOT, edit_params, make_tiny_study
from tests.made_once import made_once
from tests.stage_runs import run
from tests.stages.served_files import Handler


@pytest.fixture(scope="session")
def random_weights() -> artifacts.Arrays:
    """An Inception-v3 that nobody trained: enough to see that the stages hang together."""
    return {name: tensor.numpy() for name, tensor in features.random_weights().items()}


@pytest.fixture(scope="session")
def grid_once(tmp_path_factory: pytest.TempPathFactory, random_weights: artifacts.Arrays) -> Path:
    """The study of ``whole_grid``, made once: seconds of arithmetic."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            make_tiny_study(folder)
            make_grid(folder, random_weights)
            artifacts.write_bytes(folder / NETWORKS_FILE, (ROOT / NETWORKS_FILE).read_bytes())

    return made_once(tmp_path_factory, "grid", make)


@pytest.fixture
def whole_grid(grid_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a study all of whose cells are measured, as the working directory."""
    shutil.copytree(grid_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def aggregated_once(grid_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of ``aggregated``, made once: a dozen figures."""

    def make(folder: Path) -> None:
        shutil.copytree(grid_once, folder, dirs_exist_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            run(aggregate)

    return made_once(tmp_path_factory, "aggregated", make)


@pytest.fixture
def aggregated(aggregated_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a study with its tables and figures, as the working directory."""
    shutil.copytree(aggregated_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_grid(folder: Path, weights: artifacts.Arrays) -> None:
    """Run all stages up to the tables, on the tiny study in ``folder``, which is the working directory."""
    artifacts.write_tensors(WEIGHTS, weights, {"weights": "nsfwjs"})
    edit_params(folder, chains={"T": 20, "seed": 0, "images": 4, "frames": 7})
    run(reference)
    run(classifier)
    run(validate)
    run(baseline)
    run(schedules)
    for name in ("linear", "cosine"):
        run(ideal, "--schedule", name, "--T", "20")
        for T in ("20", "30"):
            axes = ["--schedule", name, "--T", T, "--seed", "0"]
            run(train, *axes)
            run(heldout, *axes)
            if T == "20":
                run(chains, *axes)
            for sampler in ("ancestral", "clipped"):
                for module in (sample, embed, fid):
                    run(module, *axes, "--sampler", sampler)
    run(digits)
    run(ranking)


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, bytes]]]:
    Handler.files = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}/", Handler.files
        httpd.shutdown()
        thread.join()
