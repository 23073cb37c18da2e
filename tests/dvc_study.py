"""A copy of the repository under DVC with stages that take no time, and a count of what ran in it.

A stand-in for ``python`` is put first on the PATH. It answers ``python -m stages.X --schedule ...`` by noting that X
ran and writing the stage's outputs as a hash of its dependencies: the dependency graph is DVC's own and dvc.yaml's own.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from dvc.utils.hydra import compose_and_dump

FAST_DVC = Path(__file__).with_name("fast_dvc.py")
SHIM = '''#!{python} -SE
import hashlib, itertools, json, os, sys
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
def axes():
    found = {{}}
    for line in group("grid").splitlines()[1:]:
        if line.endswith(":"):
            values = found.setdefault(line.strip(" :"), [])
        else:
            values.append(line.strip(" -"))
    return found
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
elif stage == "schedules":
    for s, T in itertools.product(axes()["schedule"], axes()["T"]):
        block = params[params.index("\\n  " + s + ":"):].splitlines()[2:]
        own = block[:next((i for i, line in enumerate(block) if not line.startswith("    ")), None)]
        put(f"data/schedules/{{s}}-{{T}}.npy", own, T)
        put(f"data/results/schedules/{{s}}-{{T}}.json", own, T)
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
    Path("data/results/cells").mkdir(parents=True, exist_ok=True)
    Path(f"data/results/cells/{{cell}}-{{sampler}}.json").write_text('{{"fid": %r}}' % value)
elif stage == "classifier":
    put("data/weights/classifier.safetensors", group("classifier"))
    put("data/features/digits.safetensors", group("classifier", "reference"))
    put("data/results/classifier.json")
elif stage == "baseline":
    put("data/results/baseline.json", get("data/features/reference.safetensors"), group("sample"))
elif stage == "prune":
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])  # the real one: it decides what later stages find
elif stage == "validate":
    put("metrics/validation.csv", get("data/features/reference.safetensors"), group("validation"))
    Path("metrics/validation.json").write_text("{{}}")
elif stage == "heldout":
    put(f"data/results/heldout/{{cell}}.json")
    value = int(hashlib.sha256(get(f"data/models/{{cell}}.safetensors").encode()).hexdigest()[:8], 16) / 2**32
    Path(f"data/results/heldout/{{cell}}.json").write_text('{{"loss_simple": %r}}' % value)
elif stage == "ideal":
    put(f"data/results/ideal/{{s}}-{{T}}.json")
elif stage in ("digits", "ranking"):
    source = "data/samples" if stage == "digits" else "data/results/cells"
    every = [get(path) for path in sorted(Path(source).iterdir())]
    put("metrics/digits.csv" if stage == "digits" else "metrics/ranking.json", every, group("grid"))
    if stage == "ranking":
        grid = {{}}
        for line in group("grid").splitlines()[1:]:
            value = line.strip(" -:")
            if "-" in line:
                axis.append(int(value) if value.isdigit() else value)
            else:
                axis = grid.setdefault(value, [])
        found = {{"grid": grid, "x": get("metrics/ranking.json")}}
        Path("metrics/ranking.json").write_text(json.dumps(found))
elif stage == "chains":
    put(f"data/chains/{{cell}}.npy", get(f"data/models/{{cell}}.safetensors"))
    put(f"data/chains/{{cell}}-first-step.safetensors", get(f"data/models/{{cell}}.safetensors"))
elif stage == "report":
    put("metrics/report.html", get("metrics/claims.json"), get("metrics/fid_of_T.csv"))
elif stage in ("claims", "comparisons"):
    kept = [get(str(path)) for path in sorted(Path("metrics/runs").glob("*/fid_of_T.csv"))]
    digest = hashlib.sha256("".join([get("metrics/fid_of_T.csv"), *kept]).encode()).hexdigest()
    Path(f"metrics/{{stage}}.json").write_text('{{"claims": {{}}, "x": "%s"}}' % digest)
    if stage == "claims":
        Path("metrics/variance.json").write_text('{{"x": "%s"}}' % digest)
elif stage == "aggregate":
    for folder in ("figures", "fid"):
        Path("metrics", folder).mkdir(parents=True, exist_ok=True)
    rows = ["-".join(axis) for axis in itertools.product(*(axes()[k] for k in ("schedule", "T", "seed", "sampler")))]
    Path("metrics/fid_of_T.csv").write_text("schedule,T,seed,sampler,fid\\n" + "".join(
        "%s,%s,%s,%s,%s\\n" % (*row.rsplit("-", 3), get(f"data/results/cells/{{row}}.json")[8:-1]) for row in rows))
    Path("metrics/loss.csv").write_text("x\\n")
    for table in ("schedules", "ideal"):
        Path(f"metrics/{{table}}.csv").write_text("x\\n")
    fids = {{}}
    for row in rows:
        s, T, seed, m = row.rsplit("-", 3)
        fids.setdefault(m, {{}}).setdefault(s, {{}})[T] = float(get(f"data/results/cells/{{row}}.json")[8:-1])
    Path("metrics/summary.json").write_text(json.dumps({{"cells": len(rows)}}))
    for line in group("schedules").splitlines()[1:]:
        if not line.startswith("    "):
            s = line.strip(" :")
            Path(f"metrics/fid/{{s}}.json").write_text(json.dumps(fids[axes()["sampler"][0]].get(s, {{}})))
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
        (shims / "dvc").write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{FAST_DVC}" "$@"\n')
        for shim in shims.iterdir():
            shim.chmod(0o755)
        self.env = {
            **os.environ,
            "PATH": f"{shims}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "RAN": str(self.ran_file),
            "HOME": str(home),
            "DVC_NO_ANALYTICS": "1",
            **{f"GIT_{who}_{what}": "test@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }

    def call(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.root, env=self.env, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def dvc(self, *arguments: str) -> Counter[str]:
        """Run DVC; how often each stage ran."""
        self.ran_file.write_text("")
        self.call("dvc", *arguments)
        return Counter(line.split()[0] for line in self.ran())

    def change(self, *overrides: str) -> Counter[str]:
        """How often each stage runs after `dvc exp run -S` with these overrides, without the experiment's commit."""
        compose_and_dump(str(self.root / "params.yaml"), str(self.root / "conf"), None, "config", "", list(overrides))
        return self.dvc("repro")

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
    """How often each stage runs in a grid of one T."""
    measured = {"train": train, "heldout": train, "sample": sample, "embed": sample if embed is None else embed}
    measured |= {"fid": measured["embed"] if fid is None else fid}
    measured |= {"digits": min(sample, 1), "ranking": min(measured["fid"], 1), "aggregate": 1, "claims": 1}
    measured |= {"comparisons": 1, "chains": train, "report": 1}
    return {stage: n for stage, n in (measured | others).items() if n}


def of_cells(counted: dict[str, int]) -> dict[str, int]:
    """Those of a count that `make study` runs side by side; the rest waits for all cells."""
    return {
        stage: n
        for stage, n in counted.items()
        if stage not in ("digits", "ranking", "aggregate", "claims", "comparisons", "chains", "prune", "report")
    }


def in_parallel(study: Study) -> Counter[str]:
    """The way of `make study`: the cells two at a time; how often each stage ran."""
    study.ran_file.write_text("")
    study.call(sys.executable, "-m", "stages.tools.grid", "--jobs", "2")
    return Counter(line.split()[0] for line in study.ran())
