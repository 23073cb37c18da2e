"""Kill workers in the middle of their jobs, again and again: `python -m tests.torture.cluster --kills 20`.

A small grid runs on a scheduler and two workers in clones of their own, with caches of their own, on this machine.
At random moments a worker's process is killed, every second time with all that it had started; its nanny starts it
again. At the end dvc.lock and all outputs are those of the same grid on one machine, and nothing is left to run.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import psutil
import typer
from ruamel.yaml import YAML

from tests.torture.study import OVERRIDES, Study

app = typer.Typer(add_completion=False)

GRID = (*(word for word in OVERRIDES if not word.startswith("T=")), 'T="20,30"', 'seed="0,1"')
EVERY_SECONDS = (4.0, 12.0)  # between two kills, at random
Hurt = tuple[int, str]  # kills so far, and what the grid said if it failed
ADDRESS = "tcp://127.0.0.1:28786"
INPUTS = ("mnist", "weights", "reference", "classifier", "baseline")


def entries(folder: Path) -> dict[str, object]:
    """Stage -> its entry in a dvc.lock, of the stages that run side by side."""
    stages: dict[str, object] = YAML(typ="safe").load((folder / "dvc.lock").read_text())["stages"]
    return {name: stages[name] for name in stages if name in INPUTS or ("@" in name and not name.startswith("chains"))}


class Round:
    """A study of which only the inputs are made, a remote and workers' clones in which there is nothing."""

    def __init__(self, study: Study) -> None:
        self.study, self.folder = study, study.root.parent

    def share(self, clone: Path) -> None:
        words = ("--local", "--default", "--force", "shared", str(self.folder / "remote"))
        self.study.call("dvc", "remote", "add", *words, cwd=clone)

    def clone(self, name: str) -> Path:
        self.study.call("git", "clone", "-q", str(self.study.root), str(self.folder / name))
        self.share(self.folder / name)
        return self.folder / name

    def empty(self, inputs: dict[str, object]) -> None:
        """Make it so, before the first round and after each."""
        kept = {path for name in inputs for path in self.study.files_of(name)}
        for path in set(self.study.bytes) - kept:
            path.unlink(missing_ok=True)
        for place in ("cache", "remote", "one/.work", "two/.work", "one/.dvc/cache", "two/.dvc/cache"):
            shutil.rmtree(self.folder / place, ignore_errors=True)
        self.study.call("dvc", "cache", "dir", "--local", str(self.folder / "cache"))
        with (self.study.root / "dvc.lock").open("w") as file:
            YAML().dump({"schema": "2.0", "stages": inputs}, file)
        self.study.call("dvc", "commit", "--force", *inputs)
        self.share(self.study.root)


def kill_one(nanny: "subprocess.Popen[bytes]", *, whole: bool) -> bool:
    """Kill a nanny's worker, with all that it has started or alone; False if there is none just now."""
    workers = psutil.Process(nanny.pid).children()
    below = [process for worker in workers for process in worker.children(recursive=True)] if whole else []
    for process in (*workers, *below):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return bool(workers)


def hurt(study: Study, nannies: "list[subprocess.Popen[bytes]]", chance: random.Random, kills: range) -> Hurt:
    """Run the grid once while workers are killed; how many were, and what the grid said if it failed."""
    grid = study.start([sys.executable, "-m", "stages.tools.grid", "--no-live", "--cluster", ADDRESS])
    done = kills.start
    while grid.process.poll() is None:
        time.sleep(chance.uniform(*EVERY_SECONDS))
        if done in kills and grid.process.poll() is None and kill_one(chance.choice(nannies), whole=bool(done % 2)):
            done += 1
    code, said = grid.end()
    return done, said[-600:] if code else ""


@app.command(help=__doc__)
def main(
    kills: Annotated[int, typer.Option(help="How many kills.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the random moments.")] = 0,
) -> None:
    chance, done, rounds, bad = random.Random(seed), 0, 0, list[str]()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        study = Study(folder / "study", GRID)
        expected, this = entries(study.root), Round(study)
        study.call("git", "add", "-A")
        study.call("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "the small grid")

        def start(cwd: Path, *command: str) -> "subprocess.Popen[bytes]":
            log = stack.enter_context((folder / f"{cwd.name}.log").open("ab"))
            process = subprocess.Popen(
                ["dask", *command, "--no-dashboard"],
                cwd=cwd,
                env=study.environment,
                start_new_session=True,
                stdout=log,
                stderr=log,
            )
            stack.callback(lambda: os.killpg(process.pid, signal.SIGKILL))
            return process

        start(folder, "scheduler", "--host", "127.0.0.1", "--port", ADDRESS.rsplit(":", 1)[1])
        options = ("--nthreads", "1", "--memory-limit", "0")
        nannies = [start(this.clone(worker), "worker", ADDRESS, *options) for worker in ("one", "two")]
        while done < kills and not bad:
            rounds += 1
            this.empty({name: expected[name] for name in INPUTS})
            done, said = hurt(study, nannies, chance, range(done, kills))
            bad += [f"the grid failed: {said}"] if said else []
            bad += [
                f"{name} differs in dvc.lock" for name in expected if entries(study.root).get(name) != expected[name]
            ]
            study.call("dvc", "repro", "--quiet", timeout=900)
            bad += [f"{path} differs" for path in study.wrong()]
            print(f"round {rounds}, {done} kills: {'; '.join(bad) or 'the same dvc.lock, the same bytes'}", flush=True)
    print(f"{done} kills of workers in {rounds} runs of the grid: {'nothing was lost' if not bad else 'BAD'}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    app()
