"""Every recipe of docs/how-to.md, run: its code is taken from the page, DVC is real, stages take no time."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import torch
import yaml

from tests.conftest import ROOT
from tests.dvc_study import Study

PAGE = (ROOT / "docs" / "how-to.md").read_text()
SECTIONS = {part.splitlines()[0]: part for part in PAGE.split("\n## ")[1:]}


def blocks(section: str, language: str) -> list[str]:
    """The code of one recipe in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", SECTIONS[section], re.MULTILINE | re.DOTALL)


def follow(study: Study, script: str) -> list[str]:
    """Run a recipe's shell lines; the stages that ran."""
    study.ran_file.write_text("")
    study.call("bash", "-euc", script)
    return [line.split()[0] for line in study.ran()]


def test_every_recipe_is_here() -> None:
    calls = re.findall(r'(?:blocks|follow_section)\([^"]*"([A-Z][^"]+)"', Path(__file__).read_text())
    words_only = {"Follow a long run"}  # tests/stages/support/test_resume.py and test_grid.py
    assert set(SECTIONS) == set(calls) | words_only


def follow_section(study: Study, section: str) -> list[str]:
    return follow(study, "\n".join(blocks(section, "bash")))


def test_a_schedule(study: Study) -> None:
    source, conf = study.root / "ddpm/schedules.py", study.root / "conf/config.yaml"
    source.write_text(source.read_text() + "\n\n" + blocks("Add a schedule", "python")[0])
    conf.write_text(conf.read_text().replace("schedules:\n", "schedules:\n" + blocks("Add a schedule", "yaml")[0], 1))
    audit, run = blocks("Add a schedule", "bash")[0].splitlines()
    follow(study, run)
    ran = study.ran()
    assert sorted({line for line in ran if line.startswith("train")}) == ["train quadratic 100 0"]
    real = [sys.executable, *audit.split()[1:]]
    told = subprocess.run(real, cwd=study.root, capture_output=True, text=True, check=True).stdout
    assert "quadratic, T = 100" in told
    assert "gain of the first reverse step" in told


def test_a_T(study: Study) -> None:
    follow_section(study, "Add a T")
    assert {line.split()[2] for line in study.ran() if line.startswith("train")} == {"1600"}


def test_seeds_on_several_machines(study: Study) -> None:
    run, keep = blocks("Run the seeds on several machines", "bash")[0].splitlines()
    follow(study, run)
    assert {line.split()[3] for line in study.ran() if line.startswith("train")} == {"1"}
    study.call(sys.executable, *keep.split()[1:])
    assert len((study.root / "metrics" / "runs" / "seed-1" / "fid_of_T.csv").read_text().splitlines()) == 1 + 4


def test_the_first_reverse_step(study: Study) -> None:
    follow_section(study, "Find out what the first reverse step does")
    samplers = {line.split()[4] for line in study.ran() if line.startswith("sample")}
    assert samplers >= {"clipped-first", "clipped-rest", "late-start"}
    assert "ancestral" not in samplers  # these samples were there
    assert "train" not in {line.split()[0] for line in study.ran()}


def test_the_campaign(study: Study) -> None:
    lines = blocks("Run the campaign, or one experiment of it", "bash")[0].splitlines()
    make = ["make", "-n", "--no-print-directory", "-C", str(ROOT)]  # the study's copy has no Makefile
    told = [study.call(*make, *line.split()[1:]).splitlines()[-1] for line in lines]
    assert all(command.startswith("python -m stages.tools.campaign") for command in told)
    dry, one = ([sys.executable, *command.split()[1:]] for command in told)
    listed = study.call(*dry)
    assert "report-network" in listed
    assert "norm-all" in listed
    study.call(*one)
    rows = (study.root / "metrics" / "runs" / "norm-all" / "fid_of_T.csv").read_text().splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [["cosine", "50", seed] for seed in "012"]


CREATE = """
import torch
from ddpm.core.rng import stream
from ddpm.network.kinds import create
from stages.support import settings

network = create(settings.load().network.model_dump(), stream(0, "test"))
x_t = torch.zeros(3, 1, 28, 28)
for t in (torch.tensor([1, 25, 50]), torch.tensor([50])):
    eps = network(x_t, t)
    assert eps.shape == x_t.shape and eps.requires_grad
print(type(network).__name__, *network.state_dict()["body.0.weight"].shape)
"""


def test_a_network_of_your_own(study: Study) -> None:
    own, course = blocks("Bring your own network", "bash")
    kinds = study.root / "ddpm" / "network" / "kinds.py"
    kinds.write_text(kinds.read_text() + "\n\n" + blocks("Bring your own network", "python")[0])
    (study.root / "conf" / "network" / "tiny.yaml").write_text(blocks("Bring your own network", "yaml")[0])
    assert "sample" in follow(study, own)
    assert {line for line in study.ran() if line.startswith("train")} == {"train linear 50 0"}
    command = [sys.executable, "-c", CREATE]
    built = subprocess.run(command, cwd=study.root, capture_output=True, text=True)
    assert built.stdout.split() == ["Tiny", "16", "2", "3", "3"], built.stderr

    install, run = course.splitlines()
    extra = re.fullmatch(r"pip install -e '\.\[(\w+)\]'", install)
    assert extra
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert any(package.startswith("diffusers") for package in project["optional-dependencies"][extra[1]])
    assert "sample" in follow(study, run)
    assert {line for line in study.ran() if line.startswith("train")} == {"train linear 50 0"}
    group = yaml.safe_load((study.root / "params.yaml").read_text())["network"]
    assert group == yaml.safe_load((ROOT / "conf" / "network" / "course.yaml").read_text())


def test_what_one_change_does(study: Study) -> None:
    run, keep, back, compare = blocks("Measure the effect of one change", "bash")[0].splitlines()
    follow(study, run)
    assert {line.split()[2] for line in study.ran() if line.startswith("train")} == {"50"}
    study.call(sys.executable, *keep.split()[1:])
    assert follow(study, back) == []
    assert (study.root / "metrics" / "runs" / "attention" / "fid_of_T.csv").exists()
    assert follow(study, compare) == ["prune", "aggregate", "claims", "comparisons", "report"]


def test_the_models_trained_here(study: Study, tmp_path: Path) -> None:
    shutil.rmtree(study.root / "data" / "trained", ignore_errors=True)
    make = (ROOT / "Makefile").read_text()
    follow(study, next(line.strip() for line in make.splitlines() if line.startswith("\tdvc push")))
    study.commit()
    other = tmp_path / "elsewhere"
    study.call("git", "clone", "-q", ".", str(other))
    study.root = other
    ran = follow_section(study, "Use the trained models of the repository")
    assert "train" not in ran
    assert {line.split()[4] for line in study.ran() if line.startswith("sample")} == {"ddim"}


def trained(lock: Path) -> set[str]:
    """The md5 of the models and logs that a lock names."""
    stages = yaml.load(lock.read_text(), Loader=yaml.CSafeLoader)["stages"]
    return {out["md5"] for stage, entry in stages.items() if stage.startswith("train@") for out in entry["outs"]}


def test_the_committed_models_are_those_of_the_committed_locks() -> None:
    files = [path for path in (ROOT / "data" / "trained").rglob("*") if path.is_file()]
    kept = {path.parent.name + path.name for path in files}
    assert kept >= trained(ROOT / "dvc.lock")
    assert kept <= trained(ROOT / "dvc.lock").union(*map(trained, (ROOT / "metrics" / "runs").glob("*/dvc.lock")))
    assert all(hashlib.md5(path.read_bytes()).hexdigest() == path.parent.name + path.name for path in files)


def test_fewer_steps(study: Study) -> None:
    ran = follow_section(study, "Sample with fewer steps than a model has")
    assert "train" not in ran
    assert {line.split()[4] for line in study.ran() if line.startswith("sample")} == {"ancestral-50"}


def test_another_data_set(study: Study) -> None:
    assert "mnist" in follow_section(study, "Use another data set")
    text = (study.root / "params.yaml").read_text()
    assert "name: fashion-mnist" in text  # that the files are what they should be: tests/stages/fetch/test_sources.py


def test_another_extractor(study: Study) -> None:
    ran = follow_section(study, "Use another extractor")
    assert "embed" in ran
    assert "train" not in ran


def test_a_gpu(study: Study) -> None:
    assert "train" in follow_section(study, "Run on a GPU")
    if torch.cuda.is_available():
        return
    command = [sys.executable, "-m", "stages.train", "--schedule", "linear", "--T", "50", "--seed", "0"]
    done = subprocess.run(command, cwd=study.root, capture_output=True, text=True)
    assert done.returncode == 1
    assert "compute.device: no CUDA device here; use auto or cpu" in done.stderr


def test_a_remote(study: Study, tmp_path: Path) -> None:
    store = tmp_path / "store"
    push, pull = (re.sub(r"/\S+-store", str(store), text) for text in blocks("Share models and samples", "bash"))
    follow(study, push)
    study.commit()
    other = tmp_path / "elsewhere"
    study.call("git", "clone", "-q", ".", str(other))
    study.root = other
    assert not (other / "data" / "models").exists()
    assert follow(study, pull) == ["prune"]  # a new folder has no list of cells yet; everything else is pulled
    assert len(list((other / "data" / "models").iterdir())) == 4


def test_a_shared_tracking_server(study: Study, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = blocks("Use a shared tracking server", "bash")[0].replace(":5001", f":{port}")
    script = script.replace("python", sys.executable)
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1", "--host", "127.0.0.1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/served.db",
        "--artifacts-destination",
        str(tmp_path / "a"),
    ]
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        for folder in ("data/models", "data/logs"):
            shutil.rmtree(study.root / folder)  # what the stand-ins wrote is no model: the study's own run is enough
        done = subprocess.run(["bash", "-euc", script], cwd=study.root, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert f"http://127.0.0.1:{port}" in done.stdout
    finally:
        server.terminate()
        server.wait(30)


def wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("the server did not come up in a minute")


def test_compare_two_revisions(study: Study) -> None:
    script = blocks("Compare two revisions", "bash")[0].replace("python", sys.executable)
    # the stand-ins' claims.json has no claims, so it is left out
    study.call("git", "rm", "-q", "--cached", "metrics/claims.json")
    (study.root / "metrics" / "claims.json").unlink()
    study.call("git", "commit", "-qm", "no claims")
    assert "No FID of 4 cells changed" in study.call("bash", "-euc", script)
