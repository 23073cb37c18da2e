"""Measurements on one GPU: tests marked ``cuda``, speed comparisons, and the grid with 10,000 samples per cell.

    python -m benchmarks.gpu --data FOLDER --out FOLDER

``FOLDER`` of the data holds what ``data.directory`` may hold: MNIST's files and the weights' original file. One call
takes less than 8 minutes; what the time does not suffice for is left out and said so. Needs no DVC and no MLflow.
"""

import json
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
import yaml

from benchmarks import gpu_grid, measure
from benchmarks.gpu_grid import ROOT, Tree, merged, preset

app = typer.Typer(add_completion=False)

MAKE_NO_TABLE = {"claims", "comparisons", "report"}
READ_FOLDERS = {"prune", "digits", "ranking", "aggregate"}  # stages to repeat when the grid has grown
SCHEDULES = ["linear", "cosine", "sigmoid"]
FIRST_STEP = ["ancestral", "clipped", "clipped-first", "clipped-rest", "late-start"]


def _report(seeds: list[int], **axes: list[str] | list[int]) -> Tree:
    """The report's network, by default at T = 50 and 200, bfloat16."""
    return merged(preset("report"), {"grid": {"schedule": SCHEDULES, "T": [50, 200], "seed": seeds} | axes})


# What is left of the time goes to these: folder -> studies, one after another; a later one uses what an earlier made.
# Seeds 3 and 4 of the report's network are in metrics/runs/gpu-report-network.
EXPERIMENTS: dict[str, dict[str, Tree]] = {
    "report-network": {
        "report-network-5-6": _report([5, 6]),
        "report-network-first-step": _report([3, 4, 5, 6], schedule=["cosine"], sampler=FIRST_STEP),
        "report-network-15-cells": _report([3], T=[50, 100, 200, 400, 800]),
    },
    "default": {
        "seeds-11-12": {"grid": {"seed": [11, 12]}},
        "seeds-11-14": {"grid": {"seed": [11, 12, 13, 14]}},
    },
    "T-4000": {"T-4000": {"grid": {"T": [4000], "seed": [3, 4, 5]}}},
}


class Script:
    """One call: its deadline, and what it has found so far, written after every part."""

    def __init__(self, data: Path, out: Path, budget: float) -> None:
        self.data, self.out = data.resolve(), out.resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        self.deadline = time.monotonic() + budget
        self.found: dict[str, Any] = {"machine": measure.machine(), "parts": {}}
        self.params = yaml.safe_load((ROOT / "params.yaml").read_text())

    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def part(self, name: str, needs: float, call: Callable[[], Any]) -> None:
        """Run one part if there is time for it, and keep what it gives, or how it failed: the others still run."""
        started = time.monotonic()
        if self.left() < needs:
            self.found["parts"][name] = {"left_out": f"{self.left():.0f} s were left"}
        else:
            try:
                self.found[name] = call()
                self.found["parts"][name] = {}
            except Exception as error:  # report the failure and continue with the next part
                self.found["parts"][name] = {"failed": f"{type(error).__name__}: {error}"[:2000]}
                traceback.print_exc()
        self.found["parts"][name]["seconds"] = round(time.monotonic() - started, 1)
        print(name, self.found["parts"][name], flush=True)
        (self.out / "gpu.json").write_text(json.dumps(self.found, indent=1, sort_keys=True) + "\n")

    def study(self, name: str, changes: Tree, workers: int, here: Path) -> dict[str, Any]:
        """A study with some parameters changed, from its first process to its table, which is kept.

        Args:
            here: the study's folder; what an earlier study of the same parameters but the grid left there is used.
        """
        params = gpu_grid.composed(self.params, merged({"data": {"directory": str(self.data)}}, changes))
        gpu_grid.prepare(here, params)
        todo = [
            job for job in gpu_grid.jobs(params, MAKE_NO_TABLE)
            if job.stage in READ_FOLDERS or not all((here / out).exists() for out in job.outs)
        ]  # fmt: skip
        table = [job for job in todo if job.stage in ("aggregate", "ranking")]
        measured = [job for job in todo if job not in table]
        try:
            found = gpu_grid.run(here, measured, workers, self.deadline)
            gpu_grid.run(here, table, 2, self.deadline)
        finally:
            (here / "params.yaml").write_text(yaml.safe_dump(gpu_grid.composed(self.params, changes), sort_keys=False))
            with tarfile.open(self.out / f"{name}.tar.gz", "w:gz") as tar:
                for path in ("params.yaml", "metrics", ".work/times.jsonl"):
                    if (here / path).exists():
                        tar.add(here / path, f"{name}/{path}")
        return found


def cuda_tests() -> dict[str, Any]:
    """The tests that need a GPU."""
    files = [str(p) for p in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.cuda" in p.read_text()]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "-W", "default", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    print(done.stdout[-6000:], done.stderr[-2000:], flush=True)
    return {"passed": done.returncode == 0, "last_line": done.stdout.strip().splitlines()[-1], "files": len(files)}


def rates(script: Script) -> dict[str, Any]:
    """Speed compared with reference implementations on this GPU, measured alternately."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        params = merged(script.params, {"data": {"directory": str(script.data)}})
        gpu_grid.prepare(here, params)
        gpu_grid.run(here, [job for job in gpu_grid.jobs(params, set()) if job.stage == "mnist"], 1, script.deadline)
        (here / "benchmarks").symlink_to(ROOT / "benchmarks")
        command, cut = [sys.executable, "-m", "benchmarks.gpu_rates", "rates.json"], False
        try:
            subprocess.run(command, cwd=here, check=True, timeout=max(1, script.left()))
        except subprocess.TimeoutExpired:
            cut = True
        found: dict[str, Any] = json.loads((here / "rates.json").read_text())
    return found | {"cut": cut}


@app.command(help=__doc__)
def main(
    data: Annotated[Path, typer.Option(help="Folder with MNIST's files and the weights' original file.")],
    out: Annotated[Path, typer.Option(help="Where gpu.json and the tables go.")],
    budget: Annotated[float, typer.Option(help="Seconds that the call may take.")] = 465,
    workers: Annotated[int, typer.Option(help="Processes at a time that use the GPU.")] = 10,
    parts: Annotated[str, typer.Option(help="tests, rates, grid or experiments, with commas; all, if not given.")] = "",
) -> None:
    """Run the parts that were asked for, each while there is time."""
    if not torch.cuda.is_available():
        raise SystemExit("error: no CUDA GPU here")
    script = Script(data, out, budget)
    with tempfile.TemporaryDirectory() as scratch:
        known: dict[str, tuple[float, Callable[[], Any]]] = {
            "tests": (20, cuda_tests),
            "rates": (30, lambda: rates(script)),
            "grid": (120, lambda: script.study("grid", preset("large"), workers, Path(scratch) / "grid")),
        }
        for folder, studies in EXPERIMENTS.items():
            for name, changes in studies.items():
                call = partial(script.study, name, changes, workers, Path(scratch) / folder)
                known[name] = (60, call)
        every = [name for studies in EXPERIMENTS.values() for name in studies]
        asked = [word for part in parts.split(",") if (word := part.strip())] or [*known]
        names = [name for word in asked for name in (every if word == "experiments" else [word])]
        if unknown := [name for name in names if name not in known]:
            raise SystemExit(f"error: unknown part {unknown[0]!r}; choose from {', '.join([*known, 'experiments'])}")
        for name in names:
            script.part(name, *known[name])


if __name__ == "__main__":
    app()
