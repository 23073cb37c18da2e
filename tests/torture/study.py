"""A small study of its own in a temporary clone: run once in peace, then hurt, and held to the same bytes."""

import copy
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
OVERRIDES = (
    *("preset=smoke", "schedule=linear", "T=20"),
    *("train.images=2000", "train.epochs=2", "sample.images=100"),
)


class Study:
    """The clone, what its stages are, and the bytes that they must end with."""

    def __init__(self, root: Path, overrides: tuple[str, ...] = OVERRIDES) -> None:
        self.root = root
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "RESUME_SECONDS": "0.3",  # so that most kills find a state
            "MLFLOW_TRACKING_URI": "",
        }
        self.environment.pop("PYTHONPATH", None)
        self.call("git", "clone", "-q", str(ROOT), str(root), cwd=ROOT)
        self.call("dvc", "cache", "dir", "--local", str(ROOT / ".dvc" / "cache"))  # MNIST and the weights are in it
        self.call(sys.executable, "-m", "stages.tools.compose", *overrides)
        (root / "dvc.lock").unlink()
        self.call("dvc", "repro", "--quiet", timeout=900)
        self.stages: dict[str, Any] = yaml.safe_load((root / "dvc.lock").read_text())["stages"]
        self.seconds: dict[str, float] = {}
        self.bytes = self.hashes()

    def twin(self, root: Path) -> "Study":
        """A copy of the folder, to be hurt at the same time."""
        shutil.copytree(self.root, root, symlinks=True)
        other = copy.copy(self)
        other.root = root
        other.bytes = {root / path.relative_to(self.root): digest for path, digest in self.bytes.items()}
        return other

    def call(self, *command: str, cwd: Path | None = None, timeout: float = 300) -> str:
        """Run a command that must go well."""
        done = subprocess.run(
            command, cwd=cwd or self.root, env=self.environment, capture_output=True, text=True, timeout=timeout
        )
        if done.returncode:
            raise RuntimeError(f"{shlex.join(command)} gave {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def start(self, command: list[str], environment: Mapping[str, str] | None = None, **how: Any) -> "Running":
        """Begin a command in a process group of its own, its words caught."""
        process = subprocess.Popen(
            command,
            cwd=self.root,
            env={**self.environment, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **how,
        )
        return Running(process)

    def command(self, stage: str) -> list[str]:
        """A stage's own command, without DVC around it."""
        words = shlex.split(self.stages[stage]["cmd"])
        return [sys.executable, *words[1:]]

    def outs(self, stage: str) -> list[Path]:
        """A stage's output files, those in output folders one by one."""
        found: list[Path] = []
        for entry in self.stages[stage].get("outs", []):
            path = self.root / entry["path"]
            found += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        return found

    def hashes(self) -> dict[Path, str]:
        """sha256 of every output of every stage that exists."""
        every = [path for stage in self.stages for path in self.outs(stage) if path.exists()]
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in every}

    def wrong(self, stage: str | None = None, *, may_lack: bool = False) -> list[str]:
        """The outputs that are not what they were, of one stage or all."""
        found = self.hashes()
        wanted = [path for path in self.bytes if stage is None or path in self.files_of(stage)]
        bad = [path for path in wanted if found.get(path) != self.bytes[path] and not (may_lack and path not in found)]
        return [str(path.relative_to(self.root)) for path in bad]

    def files_of(self, stage: str) -> set[Path]:
        """The output files that a stage had in peace."""
        places = [self.root / entry["path"] for entry in self.stages[stage].get("outs", [])]
        return {path for path in self.bytes if any(path == place or place in path.parents for place in places)}

    def remove(self, stage: str) -> None:
        """Take a stage's outputs away, as DVC does before it runs one."""
        for path in self.files_of(stage):
            path.unlink(missing_ok=True)

    def half_written(self) -> list[str]:
        """Temporary files that were left behind by anything but a SIGKILL."""
        folders = (self.root / "data", self.root / "metrics")
        return [str(path) for folder in folders for path in folder.rglob(".*") if path.name != ".gitignore"]

    def time_of(self, stage: str) -> float:
        """Seconds that a stage takes in peace, measured once."""
        if stage not in self.seconds:
            started = time.monotonic()
            self.remove(stage)
            self.call(*self.command(stage))
            self.seconds[stage] = time.monotonic() - started
        return self.seconds[stage]


class Running:
    """A process that was begun."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def tell(self, number: int, times: int = 1) -> None:
        """Send a signal to its whole group, as a terminal does."""
        for _ in range(times):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return

    def end(self, timeout: float = 300) -> tuple[int, str]:
        """Its exit code and all its words."""
        said, _ = self.process.communicate(timeout=timeout)
        return self.process.returncode, said
