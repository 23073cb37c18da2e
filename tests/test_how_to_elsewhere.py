"""The recipes of docs/how-to.md for other machines, servers and revisions, run as in test_how_to.py."""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import torch
import yaml

from tests.committed import only_as_committed
from tests.conftest import ROOT
from tests.dvc_study import Study
from tests.mlflow_server import serving
from tests.recipes import blocks, follow, follow_section


def test_seeds_on_several_machines(study: Study) -> None:
    run, keep, back = blocks("Run the seeds on several machines", "bash")[0].splitlines()
    follow(study, run)
    assert {line.split()[3] for line in study.ran() if line.startswith("train")} == {"11"}
    study.call(sys.executable, *keep.split()[1:])
    assert follow(study, back) == []
    assert yaml.safe_load((study.root / "params.yaml").read_text())["grid"]["seed"] == [0]
    assert len((study.root / "metrics" / "runs" / "seed-11" / "fid_of_T.csv").read_text().splitlines()) == 1 + 2


def test_the_campaign(study: Study) -> None:
    lines = blocks("Run the campaign, or one experiment of it", "bash")[0].splitlines()
    make = ["make", "-n", "--no-print-directory", "-C", str(ROOT)]  # the study's copy has no Makefile
    told = [study.call(*make, *line.split()[1:]).splitlines()[-1] for line in lines]
    assert all(command.startswith("python -m stages.tools.campaign") for command in told)
    dry, one = ([sys.executable, *shlex.split(command)[1:]] for command in told)
    listed = study.call(*dry)
    assert "report-network" in listed
    assert "norm-none" in listed
    study.call(*one)
    rows = (study.root / "metrics" / "runs" / "norm-none" / "fid_of_T.csv").read_text().splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [["cosine", "50", seed] for seed in "345"]


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


@only_as_committed
def test_the_committed_models_are_those_of_the_committed_run() -> None:
    files = [path for path in (ROOT / "data" / "trained").rglob("*") if path.is_file()]
    kept = {path.parent.name + path.name for path in files}
    assert kept == trained(ROOT / "dvc.lock")
    assert all(hashlib.md5(path.read_bytes()).hexdigest() == path.parent.name + path.name for path in files)


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
    assert len(list((other / "data" / "models").iterdir())) == 2


def test_a_shared_tracking_server(study: Study, tmp_path: Path) -> None:
    for folder in ("data/models", "data/logs"):
        shutil.rmtree(study.root / folder)  # what the stand-ins wrote is no model: the study's own run is enough
    with serving(f"sqlite:///{tmp_path}/served.db", tmp_path / "a") as address:
        script = blocks("Compare cells in MLflow", "bash")[0].replace("python", sys.executable)
        script = re.sub(r"http://[\w.]+:5001", address, script)
        patient = os.environ | {"MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}  # a busy machine is no dead server
        done = subprocess.run(["bash", "-euc", script], cwd=study.root, capture_output=True, text=True, env=patient)
        assert done.returncode == 0, done.stderr
        assert address in done.stdout


def test_compare_two_revisions(study: Study) -> None:
    script = blocks("Compare two revisions", "bash")[0].replace("python", sys.executable)
    # the stand-ins' claims.json has no claims, so it is left out
    study.call("git", "rm", "-q", "--cached", "metrics/claims.json")
    (study.root / "metrics" / "claims.json").unlink()
    study.call("git", "commit", "-qm", "no claims")
    assert "No FID of 2 cells changed" in study.call("bash", "-euc", script)


def test_one_study_on_several_machines() -> None:
    """What the commands do together: tests/test_cluster.py."""
    scripts = blocks("Run one study on several machines", "bash")
    remotes = [script.splitlines()[0] for script in scripts[:2]]
    assert remotes == ["dvc remote add --local --default shared /mnt/shared/dvc"] * 2
    commands = [line for script in scripts for line in script.splitlines() if line.startswith("make")]
    make = ["make", "-n", "--no-print-directory", "-C", str(ROOT)]
    told = [subprocess.run([*make, *line.split()[1:]], capture_output=True, text=True).stdout for line in commands]
    assert "dask worker 'tcp://head:8786' --nthreads " in told[0]
    assert re.search(r"python -m stages.tools.grid --jobs \d+ --cluster 'tcp://head:8786'\n", told[1])
    assert re.search(r"python -m stages.tools.campaign --jobs \d+ .*--cluster 'tcp://head:8786'\n", told[2])


def test_one_study_on_slurm(tmp_path: Path) -> None:
    """Slurm is not here: what would be submitted is looked at."""
    (code,) = blocks("Run one study on several machines", "python")
    code = "\n".join(line for line in code.splitlines() if "cluster.scale" not in line).replace("8786", "0")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert "#SBATCH --cpus-per-task=8\n" in done.stdout
    assert re.search(
        r"^cd ~/study\n. .venv/bin/activate\n\S+ -m distributed.cli.dask_worker tcp://", done.stdout, re.MULTILINE
    )
