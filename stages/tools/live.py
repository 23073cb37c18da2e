"""Losses of trainings that are under way, in MLflow: a thread of `make study` reads the log in every new checkpoint.

The trainings do nothing for it and wait for nothing. What cannot be sent is dropped, with one warning: `publish`
completes every run from the files, and sends a point that is there again as the same point.
"""

import json
import re
import sqlite3
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from filelock import Timeout

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.support import settings
from stages.support.masking import mask
from stages.support.paths import root
from stages.tools import store
from stages.tools.system import Gauge

if TYPE_CHECKING:  # imported late: mlflow takes seconds
    from mlflow import MlflowClient
    from mlflow.entities import Run

EVERY_SECONDS = 2.0  # between two looks at the checkpoints, written three times a minute and after each epoch
END_SECONDS = 2.0  # at most, of waiting for the thread
MOST = 2**63  # steps, as MLflow counts them
PREFIX = "live-"  # of the tag `digest` of a run whose results are not known yet
_CHECKPOINT = re.compile(r"train-(?P<cell>.+-\d+-\d+)-(?P<work>[0-9a-f]{32})")  # stages.support.resume
Points = list[tuple[str, float, int]]  # name, value, step


def training_points(log: list[dict[str, Any]], train: settings.Train) -> Points:
    """Loss and learning rate of every step of a training log."""
    from ddpm.training.loop import Recipe  # torch takes seconds

    recipe = Recipe(**train.model_dump(exclude={"images"}))
    steps = train.epochs * -(-train.images // train.batch_size)
    points = [("loss", float(record["loss"]), int(record["step"])) for record in log]
    return points + [("learning_rate", recipe.learning_rate * recipe.rate(n, steps), n) for _, _, n in points]


def _of_a_training(log: object) -> bool:
    """Whether these are records of steps, as `train` writes them."""
    return isinstance(log, list) and all(
        isinstance(record, dict)
        and all(type(record.get(name)) is int and 0 < record[name] < MOST for name in ("step", "images"))
        and type(record.get("loss")) is float
        for record in log
    )


@dataclass
class _Sent:
    """What was sent of one checkpoint: its run, the steps, and when the file was written."""

    run: "Run"
    steps: int
    written: float


class Follower:
    """A context in which the trainings of this working tree are followed.

    Args:
        params: the study's parameters.
        study: the tag `study` of its runs.
    """

    def __init__(self, params: settings.Params, study: str) -> None:
        self.params, self.study = params, study
        self.sent: dict[str, _Sent] = {}
        self.gauge = Gauge()
        self._stop, self._warned = threading.Event(), False
        self._thread = threading.Thread(target=self._watch, name="live", daemon=True)

    def __enter__(self) -> "Follower":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(END_SECONDS)

    def _watch(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            try:
                self.look()
            except StudyError as error:
                if not self._warned:
                    print(f"warning: no live curves: {error}", file=sys.stderr)
                self._warned = True

    def look(self) -> int:
        """Send what is new in the checkpoints; returns the number of steps.

        Raises:
            StudyError: the tracking server cannot be reached or refuses, or a checkpoint is not that of a training.
        """
        new, told = 0, list[StudyError]()
        load: dict[str, float] | None = None
        for path in sorted((root() / ".work" / "resume").glob("train-*/state.safetensors")):
            named, before = _CHECKPOINT.fullmatch(path.parent.name), self.sent.get(path.parent.name)
            if named is None:
                continue
            try:
                written = path.stat().st_mtime
                if before is not None and before.written == written:
                    continue
                log = json.loads(artifacts.read_tensors(path)[1].get("log", "[]"))
            except (OSError, StudyError):
                continue  # the training has ended, and its checkpoint is gone
            except (ValueError, TypeError, RecursionError):
                log = None
            if not _of_a_training(log):
                told.append(
                    StudyError("a checkpoint's log is not that of a training", where=str(path), hint="remove it")
                )
            elif log:
                store.set_patience()
                load = self.gauge.read() if load is None else load  # once a look: of all trainings together
                new += self._send(named["cell"], named["work"], log, written, load)
        if told:  # the other trainings are followed all the same
            raise told[0]
        return new

    def _send(self, cell: str, work: str, log: list[dict[str, Any]], written: float, load: dict[str, float]) -> int:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with store.lock(timeout=1):
                client, experiment = store.connect()
                key = f"train-{cell}-{work}"
                before = self.sent.get(key) or _Sent(self._run(client, experiment, cell, work), 0, 0.0)
                points = training_points(log[before.steps :], self.params.train)
                if before.steps:  # how fast it is, as far as one process has seen
                    seconds, images = written - before.written, sum(record["images"] for record in log[before.steps :])
                    points += [("images_per_second", images / seconds, len(log))] if seconds > 0 else []
                store.send(client, before.run, points)
                store.send(client, before.run, [(name, value, len(log)) for name, value in load.items()], written)
                self.sent[key] = _Sent(before.run, len(log), written)
        except (MlflowException, OSError, sqlite3.Error, SQLAlchemyError, Timeout) as error:
            raise StudyError(mask(" ".join(str(error).split()))[:200], where=mask(store.tracking_uri())) from error
        return len(log) - before.steps

    def _run(self, client: "MlflowClient", experiment: str, cell: str, work: str) -> "Run":
        """The run of this training, which may have been begun before an interruption."""
        tags = {"study": self.study, "cell": cell, "digest": PREFIX + work}
        asked = " and ".join(f"tags.{name} = '{value}'" for name, value in tags.items())
        if found := client.search_runs([experiment], asked, max_results=1):
            return found[0]
        schedule, T, seed = cell.rsplit("-", 2)
        return client.create_run(
            experiment, run_name=cell, tags=tags | store.CURRENT | {"schedule": schedule, "T": T, "seed": seed}
        )


def begun(
    client: "MlflowClient", runs: "Mapping[tuple[str, str], Run]", cell: str, log: list[dict[str, Any]]
) -> "Run | None":
    """The run that was begun while this log was written; runs of the cell whose losses differ are closed as killed."""
    losses = {int(record["step"]): float(record["loss"]) for record in log}
    for (name, digest), run in runs.items():
        if name != cell or not digest.startswith(PREFIX) or run.info.status != "RUNNING":
            continue
        history = client.get_metric_history(run.info.run_id, "loss")
        if all(losses.get(point.step) == point.value for point in history):
            return run
        client.set_terminated(run.info.run_id, "KILLED")
    return None
