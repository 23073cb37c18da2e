"""What happens to a job where it runs: in this folder, or on another machine in a clone of the same commit.

On another machine the inputs are pulled from the default DVC remote, the outputs are pushed to it, and the entries of
dvc.lock are the result. A worker refuses, before any job, what would give other bytes or none.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import psutil
from filelock import FileLock

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.support import parallel
from stages.support.machine import kind
from stages.support.masking import mask
from stages.support.paths import root
from stages.tools import lock, mend
from stages.tools.jobs import Job
from stages.tools.workspace import environment, git, has, workspace

LOGS = Path(".work/grid")
WHOLE = Path(".work/whole")  # in a clone: all of it is there, the order's parameters included
PACKAGES = ("dvc", "numpy", "scipy", "torch", "torchvision")  # whose versions decide bytes
_BUSY = re.compile(r"^  \(PID (\d+)\): ", re.MULTILINE)  # DVC's list of those who write or read a file
_LOOK_SECONDS = 2.0
_MONTH_SECONDS = 30 * 86400.0
_making = threading.Lock()  # threads of one worker share a clone, as do workers in one folder
_running: "set[subprocess.Popen[bytes]]" = set()


@dataclass(frozen=True)
class Order:
    """What a study asks of workers elsewhere: its commit, the text of its params.yaml, and its packages' versions."""

    commit: str
    params: str
    versions: tuple[tuple[str, str], ...]

    @property
    def folder(self) -> Path:
        """The clone for it, below the worker's own: nothing in it is of other sources or parameters."""
        return root() / ".work" / "cluster" / sha256(f"{self.commit}\n{self.params}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Made:
    """What a job left elsewhere: entries of dvc.lock, contents of outputs that are in Git; and the kind of machine."""

    entries: lock.Entries = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    kind: str = ""


def versions() -> tuple[tuple[str, str], ...]:
    """The packages' versions here, Python's first; the patch level of Python decides nothing."""
    python = ".".join(platform.python_version_tuple()[:2])
    return (("python", python), *((name, version(name)) for name in PACKAGES))


def run(command: list[str], folder: Path, log: Path) -> None:
    """Run DVC, with its output in a file; StudyError with the stage's own line, or DVC's, when it fails.

    A worker that was killed may have left a stage behind that runs on in the same clone. DVC waits for its own lock but
    not for files that are being written, so that is waited for here. What else it may have left is in ``mend``.
    """
    code, output = _once(command, folder)
    again = True
    while code and again:
        if busy := _BUSY.findall(output):
            again = any(_alive(int(number)) for number in busy)
            time.sleep(_LOOK_SECONDS)
        elif any(sign in output for sign in mend.SIGNS):
            again = mend.mend(folder)
        else:
            break
        code, output = _once(command, folder)  # once more where they have just ended, or another thread has mended it
    artifacts.write_bytes(log, output.encode())
    if code:
        lines = [line for line in output.splitlines() if line.strip()]
        told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        dvc = [line for line in lines if line.startswith("ERROR: ")]
        raise StudyError(f"{(told or dvc or lines or ['no output'])[0]} (full log: {log})")


def _once(command: list[str], folder: Path) -> tuple[int, str]:
    """Exit code and output of a command in a clone."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment() | {parallel.WORKERS: "1"},  # of each stage: the jobs take all cores
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    _running.add(process)
    output = mask(process.communicate()[0].decode(errors="replace"))
    _running.discard(process)
    return process.returncode, output


def _alive(number: int) -> bool:
    """Whether it is a running DVC command: not one that has ended and waits to be noted, nor a later process."""
    try:
        process = psutil.Process(number)
        return process.status() != psutil.STATUS_ZOMBIE and any("dvc" in word for word in process.cmdline())
    except psutil.Error:
        return False


def wait() -> None:
    """Wait for the commands that run in this process, so that a program that ends leaves none behind."""
    for process in list(_running):
        process.wait()


def tidy(kept: Path) -> None:
    """Remove the clones beside one in which no job has ended for a month: each study leaves its own."""
    for folder in filter(Path.is_dir, kept.parent.iterdir()):
        noted = folder / lock.LOCK if (folder / lock.LOCK).exists() else folder
        if folder != kept and time.time() - noted.stat().st_mtime > _MONTH_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def log_of(job: Job) -> Path:
    """Where the output of a job's commands goes."""
    return root() / LOGS / f"{job.name.replace(' ', '-')}.log"


def here(_: list[Made], job: Job) -> Made:
    """Run one job in this folder, where what it needs is as well."""
    run(["dvc", "--wait-for-lock", "repro", "--single-item", *job.targets], root(), log_of(job))
    return Made(kind=kind())


def clone_of(order: Order) -> Path:
    """The clone for an order, made by the first job that needs it; jobs of other workers in this folder wait as well.

    It is whole when its mark is there, which is written last; without the mark it is made anew.

    Raises:
        StudyError: it cannot be made.
    """
    folder = order.folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _making, FileLock(folder.with_name("making.lock")):
            if not (folder / WHOLE).exists():
                shutil.rmtree(folder, ignore_errors=True)
                workspace(folder, order.commit, order.params)
                # DVC rewrites all of dvc.lock after each stage: here it holds this study's jobs
                git("rm", "--quiet", "--ignore-unmatch", "--", lock.LOCK, folder=folder)
                artifacts.write_bytes(folder / WHOLE, b"")
                tidy(folder)
    except OSError as error:
        hint = "free space, or correct the permissions"
        raise StudyError(f"cannot make a clone: {error.strerror}", where=str(folder), hint=hint) from error
    return folder


def elsewhere(order: Order, known: lock.Entries, needs: list[Made], job: Job) -> Made:
    """Run one job in a clone of its study's commit, on a machine of its own.

    Args:
        order: what the study asks for.
        known: entries of the stages that this job depends on and that were up to date when the study began.
        needs: what the jobs that it depends on left, wherever they ran.
        job: its stages.
    """
    folder, log = clone_of(order), log_of(job)
    with _making:
        mend.mend(folder)  # after a worker that was killed
        lock.merge(folder, {name: entry for made in (Made(known), *needs) for name, entry in made.entries.items()})
    for words, told in ((["repro", "--single-item", "--pull"], log), (["push"], log.with_suffix(".push.log"))):
        run(["dvc", "--wait-for-lock", *words, *job.targets], folder, told)
    made = {name: entry for need in needs for name, entry in need.entries.items()}
    files = {path: artifacts.read_bytes(folder / path) for path in lock.uncached(folder, job.targets)}
    return Made(made | lock.entries(folder, job.targets), files, kind())


def refusal(order: Order) -> str:
    """Why this worker cannot serve a study; empty if it can."""
    try:
        git("rev-parse", "HEAD")
    except (StudyError, OSError):
        return f"{root()} is no clone of the study; start the worker in one"
    if not has(order.commit):
        return f"commit {order.commit[:12]} is not in {root()}; push it to where this clone fetches from"
    if not lock.remote(root()):
        return f"no default DVC remote in {root()}; `dvc remote add --local --default shared URL`"
    ours, asked = dict(versions()), dict(order.versions)  # names may differ between commits
    other = [
        f"{name} {ours.get(name, 'none')}, the study has {asked.get(name, 'none')}"
        for name in ours | asked
        if ours.get(name) != asked.get(name)
    ]
    return f"other versions: {'; '.join(other)}; install constraints.txt of the study's commit" if other else ""


def find_commands() -> None:
    """Let jobs find the dvc and python of this environment, activated or not: on the PATH of this process."""
    folder = str(Path(sys.executable).parent)
    if folder not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join((folder, os.environ["PATH"]))
