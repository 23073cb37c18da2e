"""The grid on the workers of a Dask scheduler: outputs come back by the DVC remote, entries of dvc.lock as results."""

import subprocess
import sys
import threading
from functools import partial
from queue import SimpleQueue
from types import TracebackType

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.support import settings
from stages.support.paths import root
from stages.tools import engine, lock, machines, worker
from stages.tools.jobs import Job, left_to_do
from stages.tools.overview import Overview
from stages.tools.workspace import commit

RETRIES = 2  # of a job that failed: a full disk, or a remote that was away, may be one machine's own


def dvc(*words: str) -> None:
    """A DVC command whose errors the user sees; StudyError when it fails."""
    if subprocess.run(["dvc", "--wait-for-lock", *words], stdout=subprocess.DEVNULL).returncode:
        raise StudyError("failed, see above", where=f"dvc {words[0]}", hint="run the same command again")


def orders() -> worker.Order:
    """What this study asks of workers.

    Raises:
        StudyError: its sources are not committed, or there is no DVC remote.
    """
    if not lock.remote(root()):
        raise StudyError(
            "no default DVC remote, by which outputs travel",
            where="dvc",
            hint="`dvc remote add --local --default shared URL`, here and at every worker",
        )
    return worker.Order(commit(), artifacts.read_bytes(root() / settings.PATH).decode(), worker.versions())


class Collector:
    """Brings results here in batches: one rewrite of dvc.lock and one `dvc pull` for all that came meanwhile.

    For each job alone that would take seconds, and a study of thousands of cells would wait for it
    (benchmarks/cluster_plan.py).
    """

    def __init__(self) -> None:
        self._results: SimpleQueue[tuple[Job, worker.Made] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._collect, name="collector")
        self._errors: list[Exception] = []

    def __enter__(self) -> "Collector":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Wait until all is here that can be.

        Raises:
            StudyError: what cannot be brought, and why; a bug keeps its own exception.
        """
        self._results.put(None)
        self._thread.join()
        if error is None:
            self._tell()

    def add(self, job: Job, made: worker.Made) -> None:
        """Bring what a job made."""
        self._results.put((job, made))

    def _collect(self) -> None:
        going_on = True
        while going_on:
            batch = [self._results.get()]
            while not self._results.empty():
                batch.append(self._results.get())
            going_on = None not in batch
            results = [result for result in batch if result is not None]
            try:
                self._bring(results)
            except Exception:  # once more, one by one: what cannot be brought keeps no other away, and says why
                for result in results:
                    self._bring_one(result)

    def _bring_one(self, result: tuple[Job, worker.Made]) -> None:
        try:
            self._bring([result])
        except Exception as problem:  # raised when all others are here
            self._errors.append(problem)

    def _tell(self) -> None:
        """Raise what was wrong, if anything."""
        told = []
        for error in self._errors:
            if isinstance(error, OSError):
                where, what = str(error.filename or ""), f"cannot bring a result: {error.strerror or error}"
                told.append(
                    str(StudyError(what, where=where, hint="run the same command again when that is corrected"))
                )
            elif isinstance(error, StudyError):
                told.append(str(error))
            else:
                raise error
        if told:
            raise StudyError("; ".join(dict.fromkeys(told))) from self._errors[0]

    @staticmethod
    def _bring(batch: list[tuple[Job, worker.Made]]) -> None:
        if not batch:
            return
        for job, made in batch:
            for path, data in made.files.items():
                artifacts.write_bytes(root() / path, data)
            machines.note(job.targets, made.kind)
        lock.merge(root(), {name: made.entries[name] for job, made in batch for name in job.targets})
        dvc("pull", *(name for job, _ in batch for name in job.targets))


def resume(left: set[str]) -> set[str]:
    """What is really left: the outputs of stages that dvc.lock knows are pulled, as far as the remote has them.

    A run that was killed may have noted more than it had pulled.
    """
    if missing := sorted(left - left_to_do("--allow-missing")):
        dvc("pull", "--allow-missing", *lock.entries(root(), missing))
        return left_to_do()
    return left


def run(jobs: list[Job], where: str, order: worker.Order, overview: Overview) -> None:
    """Run the jobs on the workers of a scheduler, and bring their outputs and their entries of dvc.lock here.

    Raises:
        StudyError: there is no worker, or one that cannot serve; or something cannot be pushed or pulled.
    """
    targets = {target for job in jobs for target in job.targets}
    above = lock.upstream(root(), targets)
    known = lock.entries(root(), set().union(*above.values()) - targets)

    def call(job: Job) -> engine.Call:
        inputs = {name for target in job.targets for name in above[target]}
        return partial(worker.elsewhere, order, {name: known[name] for name in known if name in inputs})

    with engine.connect(where, 0) as client:
        print(f"{engine.check(client, order)} places for jobs on {where}", file=sys.stderr, flush=True)
        if known:
            dvc("push", *known)
        with Collector() as collector, overview:
            engine.run(client, jobs, call, overview, order=order, retries=RETRIES, each=collector.add)
