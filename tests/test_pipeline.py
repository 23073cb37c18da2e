"""DVC for real, on the real dvc.yaml and conf/, with stages that take no time: what reruns when what changes.

A stand-in for ``python`` is put first on the PATH. It answers ``python -m stages.X --schedule ...`` by noting that X
ran and writing the stage's outputs as a hash of its dependencies: the dependency graph is DVC's own and dvc.yaml's own.
"""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

SHIM = '''#!{python} -SE
import hashlib, itertools, os, sys
from pathlib import Path
stage = sys.argv[2].split(".")[1]
options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
Path(os.environ["RAN"]).open("a").write(" ".join([stage, *options.values()]) + "\\n")
s, T, seed, sampler = (options.get(k, "") for k in ("--schedule", "--T", "--seed", "--sampler"))
cell = f"{{s}}-{{T}}-{{seed}}"
params = Path("params.yaml").read_text()
def group(*names):
    """The text of top-level groups of params.yaml."""
    out = []
    for name in names:
        keep = False
        for line in params.splitlines():
            if not line.startswith((" ", "-")):
                keep = line.startswith(name + ":")
            if keep:
                out.append(line)
    return "\\n".join(out)
def put(path, *parts):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(hashlib.sha256(repr((stage, options, parts)).encode()).hexdigest())
get = lambda path: Path(path).read_text()
if stage == "mnist":
    put("data/raw/train-images-idx3-ubyte")
elif stage == "weights":
    put("data/weights/inception.safetensors", group("extractor"))
elif stage == "reference":
    put("data/features/reference.safetensors", group("reference", "extractor"))
elif stage == "schedule":
    block = params[params.index("\\n  " + s + ":"):].splitlines()[2:]
    own = block[:next((i for i, line in enumerate(block) if not line.startswith("    ")), None)]
    put(f"data/schedules/{{s}}-{{T}}.npy", own)
    Path("metrics/schedules").mkdir(parents=True, exist_ok=True)
    Path(f"metrics/schedules/{{s}}-{{T}}.json").write_text("{{}}")
elif stage == "train":
    put(f"data/models/{{cell}}.safetensors", get(f"data/schedules/{{s}}-{{T}}.npy"), group("train", "network"))
    put(f"data/logs/{{cell}}.jsonl", get(f"data/schedules/{{s}}-{{T}}.npy"), group("train", "network"))
elif stage == "sample":
    put(f"data/samples/{{cell}}-{{sampler}}.npy", get(f"data/models/{{cell}}.safetensors"), group("sample"))
elif stage == "embed":
    samples = get(f"data/samples/{{cell}}-{{sampler}}.npy")
    put(f"data/features/{{cell}}-{{sampler}}.safetensors", samples, group("extractor"))
elif stage == "fid":
    text = get(f"data/features/{{cell}}-{{sampler}}.safetensors") + get("data/features/reference.safetensors")
    value = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32
    Path("metrics/cells").mkdir(parents=True, exist_ok=True)
    Path(f"metrics/cells/{{cell}}-{{sampler}}.json").write_text('{{"fid": %r}}' % value)
elif stage == "aggregate":
    Path("metrics/figures").mkdir(parents=True, exist_ok=True)
    axes = {{}}
    for line in group("grid").splitlines()[1:]:
        if line.endswith(":"):
            values = axes.setdefault(line.strip(" :"), [])
        else:
            values.append(line.strip(" -"))
    rows = ["-".join(axis) for axis in itertools.product(*(axes[k] for k in ("schedule", "T", "seed", "sampler")))]
    Path("metrics/fid_of_T.csv").write_text("schedule,T,seed,sampler,fid\\n" + "".join(
        "%s,%s,%s,%s,%s\\n" % (*row.rsplit("-", 3), get(f"metrics/cells/{{row}}.json")[8:-1]) for row in rows))
    Path("metrics/loss.csv").write_text("x\\n")
    Path("metrics/summary.json").write_text('{{"cells": %d}}' % len(rows))
    Path("metrics/figures/x.png").write_bytes(b"png")
else:
    sys.exit(f"unknown stage {{stage}}")
'''


class Study:
    """A copy of the repository under DVC, and what ran in it."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.ran_file = home / "ran.log"
        shims = home / "bin"
        shims.mkdir()
        (shims / "python").write_text(SHIM.format(python=sys.executable))
        (shims / "python").chmod(0o755)
        self.env = {
            **os.environ,
            "PATH": f"{shims}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "RAN": str(self.ran_file),
            "HOME": str(home),
            "DVC_NO_ANALYTICS": "1",
            **{f"GIT_{who}_{what}": "test@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }

    def call(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.root, env=self.env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def dvc(self, *arguments: str) -> Counter[str]:
        """Run DVC; how often each stage ran."""
        self.ran_file.write_text("")
        self.call("dvc", *arguments)
        return Counter(line.split()[0] for line in self.ran())

    def ran(self) -> list[str]:
        return self.ran_file.read_text().splitlines()

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert text.count(old) == 1, (path, old)
        (self.root / path).write_text(text.replace(old, new))

    def commit(self) -> None:
        self.call("git", "add", "-A")
        self.call("git", "commit", "-qm", "x")


def counts(
    train: int, sample: int, *, embed: int | None = None, fid: int | None = None, **others: int
) -> dict[str, int]:
    measured = {"train": train, "sample": sample, "embed": sample if embed is None else embed}
    measured |= {"fid": measured["embed"] if fid is None else fid, "aggregate": 1}
    return {stage: n for stage, n in (measured | others).items() if n}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole grid, run once: 3 schedules x 2 T x 2 samplers."""
    home = tmp_path_factory.mktemp("home")
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
    ):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, root / name)
    study = Study(root, home)
    study.edit("conf/config.yaml", "T: 50,100,200,400,800", "T: 50,100")
    study.call(sys.executable, "-c", "from dvc.utils.hydra import compose_and_dump as c; import os; "
               "c('params.yaml', os.path.abspath('conf'), None, 'config', '', [])")  # fmt: skip
    study.call("git", "init", "-q", "-b", "main")
    study.commit()
    first = study.dvc("repro")
    assert first == counts(6, 12, mnist=1, weights=1, reference=1, schedule=6)
    study.commit()
    return home


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Study:
    """A fresh copy of the finished study, its cache included."""
    shutil.copytree(finished / "study", tmp_path / "study", symlinks=True)
    return Study(tmp_path / "study", tmp_path)


def in_parallel(study: Study) -> Counter[str]:
    """The way of `make study`: the cells two at a time; how often each stage ran."""
    dry = subprocess.run(["dvc", "repro", "--dry", "--keep-going"], cwd=study.root, env=study.env, capture_output=True)
    pending = subprocess.run(
        [sys.executable, "-m", "stages.pending"], cwd=study.root, input=dry.stdout, capture_output=True, check=True
    ).stdout
    study.ran_file.write_text("")
    command = ["xargs", "-r", "-P", "2", "-L", "1", "dvc", "--wait-for-lock", "repro", "--single-item"]
    subprocess.run(command, cwd=study.root, env=study.env, input=pending, capture_output=True, check=True)
    return Counter(line.split()[0] for line in study.ran())


def test_cells_in_parallel_from_nothing(study: Study, tmp_path: Path) -> None:
    study.call("git", "clone", "-q", ".", str(tmp_path / "clone"))
    study.root = tmp_path / "clone"
    study.edit("params.yaml", "learning_rate: 0.001", "learning_rate: 0.002")  # so that no lock entry fits
    study.dvc("repro", "reference", "schedule")
    assert in_parallel(study) == {k: v for k, v in counts(6, 12).items() if k != "aggregate"}
    assert study.dvc("repro") == {"aggregate": 1}


def test_cells_in_parallel_when_some_are_done(study: Study) -> None:
    study.edit("params.yaml", "    s: 0.002", "    s: 0.01")
    study.dvc("repro", "reference", "schedule")
    assert in_parallel(study) == {k: v for k, v in counts(2, 4).items() if k != "aggregate"}
    assert study.dvc("repro") == {"aggregate": 1}
    assert in_parallel(study) == {}


def test_nothing_changed_nothing_runs(study: Study) -> None:
    assert study.dvc("repro") == {}


def test_one_column_by_selector(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", "schedule=cosine") == {"aggregate": 1}
    assert yaml.safe_load((study.root / "params.yaml").read_text())["grid"]["schedule"] == ["cosine"]
    assert (study.root / "metrics/summary.json").read_text() == '{"cells": 4}'


def test_the_way_back_from_a_column(study: Study) -> None:
    study.dvc("exp", "run", "-S", "schedule=cosine")
    study.call("git", "checkout", ".")
    study.call("dvc", "checkout")
    assert study.dvc("repro") == {}
    assert (study.root / "metrics/summary.json").read_text() == '{"cells": 12}'


def test_two_schedules_and_one_T(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", 'schedule="linear,cosine"', "-S", "T=100") == {"aggregate": 1}
    assert (study.root / "metrics/summary.json").read_text() == '{"cells": 4}'


def test_a_schedules_number_reruns_its_column(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", "schedules.cosine.s=0.01") == counts(2, 4, schedule=2)
    assert {line.split()[1] for line in study.ran() if line.startswith("train")} == {"cosine"}


def test_learning_rate_reruns_all_cells(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", "train.learning_rate=0.002") == counts(6, 12)


def test_sample_count_keeps_the_models(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", "sample.images=64") == counts(0, 12)


def test_kid_images_keeps_the_features(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", "fid.kid_images=100") == {"fid": 12}  # equal distances: the table stands


def test_extractor_keeps_the_samples(study: Study) -> None:
    changed = study.dvc("exp", "run", "-S", "extractor=inception-nsfwjs-2048")
    assert changed == counts(0, 0, embed=12, reference=1, weights=1)


def test_a_new_T_runs_its_cells_alone(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", 'T="50,100,1600"') == counts(3, 6, schedule=3)
    assert {line.split()[2] for line in study.ran() if line.startswith("train")} == {"1600"}


def test_a_new_seed_runs_its_cells_alone(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", 'seed="0,1"') == counts(6, 12)
    assert {line.split()[3] for line in study.ran() if line.startswith("train")} == {"1"}


def test_a_new_sampler_samples_alone(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", 'sampler="ancestral,clipped,ddim"') == counts(0, 6)


def test_a_new_schedule_runs_alone(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", 'schedule="linear,cosine,sigmoid,linear-ho"') == counts(2, 4, schedule=2)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("ddpm/figures.py", {"aggregate": 1}),
        ("stages/_tracking.py", {}),
        ("ddpm/frechet.py", {"fid": 12}),
        ("ddpm/schedules.py", {"schedule": 6, "aggregate": 1}),  # equal tables: no model is trained again
        ("ddpm/sampling.py", {"sample": 12}),  # equal samples: nothing after them runs
        ("ddpm/training.py", {"train": 6}),
    ],
)
def test_edited_code_reruns_what_it_can_change(study: Study, file: str, expected: dict[str, int]) -> None:
    with (study.root / file).open("a") as source:
        source.write("\n# edited\n")
    assert study.dvc("repro") == expected


def test_queue_fills_the_cache_for_repro(study: Study) -> None:
    study.dvc("exp", "run", "--temp", "-S", "sample.images=64")
    assert (study.root / "metrics/summary.json").read_text() == '{"cells": 12}'
    study.edit("params.yaml", "sample:\n  images: 500", "sample:\n  images: 64")
    # only aggregate, whose uncached outputs keep it out of DVC's run cache
    assert study.dvc("repro") == {"aggregate": 1}


def test_metrics_and_plots(study: Study) -> None:
    study.dvc("exp", "run", "-S", "schedules.cosine.s=0.01")
    shown = study.call("dvc", "metrics", "show", "--json")
    assert "metrics/cells/cosine-50-0-clipped.json" in shown
    changed = study.call("dvc", "metrics", "diff", "--json")
    assert "cosine-50-0-clipped" in changed
    assert "linear-50-0-clipped" not in changed
    study.call("dvc", "plots", "show", "--out", "plots")
    page = (study.root / "plots" / "index.html").read_text()
    assert "cosine" in page
    assert "sampler" in page


def test_dry_run_tells_a_fresh_clone_whether_the_lock_is_current(study: Study, tmp_path: Path) -> None:
    study.call("git", "clone", "-q", ".", str(tmp_path / "clone"))
    clone = Study.__new__(Study)
    clone.root, clone.env, clone.ran_file = tmp_path / "clone", study.env, study.ran_file
    command = ["dvc", "repro", "--allow-missing", "--dry"]
    assert "Running stage" not in clone.call(*command)
    clone.edit("params.yaml", "learning_rate: 0.001", "learning_rate: 0.002")
    # without the data DVC cannot even plan the stage, and says which: its words count, not its exit code alone
    stale = subprocess.run(command, cwd=clone.root, env=clone.env, capture_output=True, text=True)
    assert "failed to reproduce 'train@linear-50-0'" in stale.stderr
    assert "'schedule@linear-50' didn't change" in stale.stdout
