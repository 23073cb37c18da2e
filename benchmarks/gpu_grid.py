"""Run the stages of dvc.yaml without DVC, which the GPU's machine lacks: the same commands in the same order.

Every stage is a process of its own, as under DVC, but forked from one that has imported torch: half of a process's time
was its start. Several run at once: those that use the GPU take turns there while others start or write, and those that
do not (``HOST``) have the processor's cores.
"""

import json
import multiprocessing
import os
import re
import runpy
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
FORKS = multiprocessing.get_context("forkserver")  # CUDA is not yet initialised there
FORKS.set_forkserver_preload(["stages", "torch", "torchvision", "scipy.stats", "scipy.linalg", "pydantic", "typer"])
COPIED = ("ddpm", "stages", "conf", "dvc.yaml")
HOST = {"mnist", "weights", "schedules", "baseline", "prune", "ranking", "aggregate"}  # they never use a GPU
Tree = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One stage of one cell: its command, what it reads and what it writes, paths relative to the study."""

    stage: str
    command: list[str]
    deps: tuple[str, ...]
    outs: tuple[str, ...]

    def needs(self, other: "Job") -> bool:
        """Whether the other writes what this one reads, of folders what lies in them included."""
        return any(
            f"{dep}/".startswith(f"{out}/") or out.startswith(f"{dep}/") for dep in self.deps for out in other.outs
        )


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Tree:
    """Nested parameters with some of them replaced; a group that states its ``kind`` is replaced as a whole."""
    found = dict(base)
    for name, value in changes.items():
        part = isinstance(value, dict) and name in found and "kind" not in value
        found[name] = merged(found[name], value) if part else value
    return found


def preset(name: str) -> Tree:
    """The parameters that a preset of conf/ changes, its network included, as Hydra would compose them."""
    changes: Tree = yaml.safe_load((ROOT / f"conf/preset/{name}.yaml").read_text())
    for default in changes.pop("defaults", []):
        for group, choice in default.items():
            name = group.removeprefix("override /")
            changes[name] = yaml.safe_load((ROOT / f"conf/{name}/{choice}.yaml").read_text())
    return changes


def _filled(text: str, values: Mapping[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        found: Any = values
        for name in match[1].split("."):
            found = found[name]
        return str(found)

    return re.sub(r"\$\{([\w.]+)\}", value, text)


def _list(entry: Any, params: Tree) -> list[Any]:
    """A matrix axis: a list, or the name of one in the parameters."""
    if isinstance(entry, list):
        return entry
    found: Any = params
    for name in entry.removeprefix("${").removesuffix("}").split("."):
        found = found[name]
    return list(found)


def jobs(params: Tree, leave_out: set[str]) -> Iterator[Job]:
    """All stages of the pipeline with these parameters, but those named in ``leave_out``."""
    for stage, spec in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items():
        if stage in leave_out:
            continue
        axes = {name: _list(entry, params) for name, entry in spec.get("matrix", {}).items()}
        for choice in product(*axes.values()):
            values = params | {"item": dict(zip(axes, choice, strict=True))}
            outs = [next(iter(out)) if isinstance(out, dict) else out
                    for out in (*spec.get("outs", []), *spec.get("metrics", []))]  # fmt: skip
            command = _filled(spec["cmd"], values).split()
            yield Job(
                stage,
                [sys.executable, *command[1:]],
                tuple(_filled(dep, values) for dep in spec["deps"]),
                tuple(_filled(out, values) for out in outs),
            )


def composed(base: Tree, changes: Tree) -> Tree:
    """``merged``, with chains and the optimal denoiser of the grid's first T and seed."""
    found = merged(base, changes)
    first = {axis: found["grid"][axis][0] for axis in ("T", "seed")}
    return merged(found, {"chains": first, "ideal": {"T": [first["T"]]}})


def prepare(folder: Path, params: Tree) -> None:
    """The sources and the parameters of a study in a folder of its own."""
    folder.mkdir(exist_ok=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy(source, folder / name)
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def computing(folder: Path) -> dict[str, float]:
    """Seconds of each stage as its processes recorded them, without their starts."""
    times, found = folder / ".work" / "times.jsonl", dict[str, float]()
    for line in times.read_text().splitlines() if times.exists() else ():
        record = json.loads(line)
        found[record["stage"]] = round(found.get(record["stage"], 0) + record["wall_seconds"], 2)
    return found


def _in_child(job: Job, folder: Path, log: Path) -> None:
    """What ``python -m stages.NAME ...`` does, in a process that has torch already."""
    os.chdir(folder)
    for number in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.environ["DVC_ROOT"] = str(folder)
    sys.path.insert(0, str(folder))
    sys.argv = job.command[2:]
    runpy.run_module(job.command[2], run_name="__main__", alter_sys=True)


def _run(job: Job, folder: Path, deadline: float) -> float:
    started = time.monotonic()
    for out in job.outs:
        (folder / out).parent.mkdir(parents=True, exist_ok=True)
    log = folder / ".work" / "logs" / f"{job.stage}-{Path(job.outs[0]).stem}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    child = FORKS.Process(target=_in_child, args=(job, folder, log))
    child.start()
    child.join(max(1.0, deadline - time.monotonic()))
    if child.exitcode is None:
        child.kill()
        raise subprocess.TimeoutExpired(job.command, deadline)
    if child.exitcode:
        raise RuntimeError(f"{' '.join(job.command)}: {log.read_text()[-800:]}")
    return time.monotonic() - started


def run(folder: Path, todo: list[Job], workers: int, deadline: float) -> dict[str, Any]:
    """Run all jobs in an order that their needs allow, those that can use the GPU ``workers`` at a time.

    Returns:
        ``wall_seconds`` from the first process to the end of the last, and per stage ``runs``, ``seconds``, the sum of
        its processes' times from start to end, and ``computing_seconds``, without the start and the imports.

    Raises:
        RuntimeError: a job failed; it says what was printed last.
        TimeoutExpired: a job was not done at the deadline, a value of ``time.monotonic``.
    """
    started = time.monotonic()
    order = {stage: number for number, stage in enumerate(dict.fromkeys(job.stage for job in todo))}
    waiting = sorted(todo, key=lambda job: -order[job.stage])  # finish a cell before the next is begun
    running: dict[Future[float], Job] = {}
    stages: dict[str, dict[str, float]] = {}
    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as gpu, ThreadPoolExecutor(cores) as host:
        while waiting or running:
            open_jobs = [*waiting, *running.values()]
            for job in [job for job in waiting if not any(job.needs(other) for other in open_jobs if other is not job)]:
                pool, places = (host, cores) if job.stage in HOST else (gpu, workers)
                if sum((other.stage in HOST) == (job.stage in HOST) for other in running.values()) < places:
                    waiting.remove(job)
                    running[pool.submit(_run, job, folder, deadline)] = job
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                job = running.pop(future)
                try:
                    spent = future.result()
                except Exception:
                    for other in running:
                        other.cancel()
                    raise
                of_stage = stages.setdefault(job.stage, {"runs": 0, "seconds": 0.0})
                of_stage["runs"] += 1
                of_stage["seconds"] = round(of_stage["seconds"] + spent, 2)
    wall_seconds = round(time.monotonic() - started, 1)
    for stage, seconds in computing(folder).items():
        stages.setdefault(stage, {})["computing_seconds"] = seconds
    return {"wall_seconds": wall_seconds, "stages": stages}
