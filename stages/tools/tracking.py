"""MLflow client: uploads what the tracking server lacks; the files stay authoritative.

Idempotent: a run is found by its tags, and its points carry the run's start time, so publishing twice leaves one run
and one copy of every point. No result depends on a server: publishing follows the files.
"""

import hashlib
import json
import sqlite3
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.analysis.training_log import epoch_losses
from stages.support import settings
from stages.support.cells import FIGURES, METRICS, Cell
from stages.support.masking import mask
from stages.tools import live, lock, made, origin, store, views

if TYPE_CHECKING:  # imported late: mlflow takes seconds
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run

FORM = "4"  # of a complete run: raised when runs hold more than before, so that those of an earlier form are sent again

# what the study's own run gets, and the stages that make it
RESULTS = {"summary.json": "aggregate", "fid_of_T.csv": "aggregate", "claims.json": "claims", "report.html": "report"}


class Published(NamedTuple):
    """What ``publish`` did: runs sent, cells of the grid that are complete, MLflow's page of them; why some are not."""

    sent: int
    complete: int
    page: str
    faults: tuple[str, ...] = ()  # of each cell whose files are there and are not what params.yaml asks for


class _Publisher:
    """Uploads one study to one experiment of a tracking server."""

    def __init__(self, client: "MlflowClient", experiment: str, params: settings.Params) -> None:
        self.client, self.experiment, self.params, self.study = client, experiment, params, store.study_key(params)
        found = store.runs(client, experiment, self.study)
        stages = [name for cell in params.grid.cells() for name in made.outputs(cell, params.grid.sampler)]
        self.entries = lock.entries(Path(), (*made.SHARED, *RESULTS.values(), *stages))
        self.values = made.values()
        self.runs = {(run.data.tags["cell"], run.data.tags["digest"]): run for run in found}

    def _run(self, name: str, digest: str, tags: dict[str, str], log: list[dict[str, Any]]) -> "Run | None":
        """The run to upload to, the one begun during the training if there is one; None when it is complete already."""
        all_tags = {"study": self.study, "cell": name, "digest": digest} | tags | store.CURRENT
        run = self.runs.get((name, digest)) or live.begun(self.client, self.runs, name, log)
        for (cell, _), other in self.runs.items():
            if cell == name and other is not run:  # of earlier code, or of other samplers
                self._set_tags(other, store.SUPERSEDED)
        if run is None:
            return self.client.create_run(self.experiment, run_name=name, tags=all_tags)
        if run.data.tags.get("complete") == FORM:
            self._set_tags(run, store.CURRENT)
            return None
        self._set_tags(run, all_tags)
        return run

    def _set_tags(self, run: "Run", tags: dict[str, str]) -> None:
        for key, value in tags.items():
            if run.data.tags.get(key) != value:
                self.client.set_tag(run.info.run_id, key, value)

    def _close(self, run: "Run") -> None:
        self.client.set_tag(run.info.run_id, "complete", FORM)
        if run.info.status == "RUNNING":
            self.client.set_terminated(run.info.run_id)

    @cached_property
    def _data_set(self) -> "list[DatasetInput]":
        """The same for all cells: tens of megabytes are read."""
        return origin.data_set(self.params.data.name)

    def send_study(self) -> str:
        """The study's own run: protocol, summary and figures; returns its id."""
        # its digest is the protocol's, so one study has one such run whatever part of the grid is there
        run = self.runs.get(("study", self.study))
        if run is None:
            tags = {"study": self.study, "cell": "study", "digest": self.study}
            run = self.client.create_run(self.experiment, run_name=f"study {self.study}", tags=tags)
            self._log_params(run, settings.flat(store.protocol(self.params)))
        results = [METRICS / name for name, stage in RESULTS.items() if self._is_current(METRICS / name, stage)]
        digest = ",".join(map(made.md5, results))
        if digest and run.data.tags.get("results_md5") != digest:
            for path in (*results, *sorted(FIGURES.glob("*.png"))):
                self.client.log_artifact(run.info.run_id, str(path))
            self.client.set_tag(run.info.run_id, "results_md5", digest)
        self._save_views(run)
        if run.info.status == "RUNNING":
            self.client.set_terminated(run.info.run_id)
        return str(run.info.run_id)

    def _is_current(self, path: Path, stage: str) -> bool:
        """Whether a result is there and dvc.lock says nothing against it."""
        entry = self.entries.get(stage)
        return path.exists() and not (entry and made.fault(entry, [path], self.values))

    def is_whole(self, cell: Cell) -> bool:
        """Whether all files of a cell are there."""
        every = made.outputs(cell, self.params.grid.sampler).values()
        return all(path.exists() for paths in every for path in paths)

    def fault(self, cell: Cell) -> str:
        """Why they are not what params.yaml asks for; empty if they are."""
        return made.cell_fault(cell, self.params.grid.sampler, self.entries, self.values)

    def _save_views(self, run: "Run") -> None:
        """Views of the cells, and the study's description, which opens them; what a user has made of them stays."""
        saved = views.saved(self.study, self.params.grid.sampler)
        digest = hashlib.sha256(json.dumps(saved).encode()).hexdigest()[:12]
        if run.data.tags.get("views") == digest:
            return
        for name, value in saved.items():
            self.client.set_experiment_tag(self.experiment, name, value)
        note = views.note(self.experiment, self.study)
        self._set_tags(run, {"mlflow.note.content": run.data.tags.get("mlflow.note.content", note), "views": digest})

    def _log_params(self, run: "Run", values: dict[str, Any]) -> None:
        from mlflow.entities import Param

        self.client.log_batch(
            run.info.run_id, params=[Param(key, mask(str(value))[:500]) for key, value in values.items()]
        )

    def send_cell(self, cell: Cell, parent: str) -> bool:
        """One run of one cell, whose files are there, with all its samplers; False if it was complete already."""
        files = {"dvc.model_md5": cell.model, "dvc.log_md5": cell.log, "heldout_md5": cell.heldout}
        for sampler in self.params.grid.sampler:
            files |= {
                f"dvc.{sampler}.samples_md5": cell.samples(sampler),
                f"{sampler}.metrics_md5": cell.metrics(sampler),
            }
        from matplotlib.colors import to_hex

        from stages.figures import plots  # with torchvision; 4 s that only cells to be sent are worth

        hashes = {name: made.md5(path) for name, path in files.items()}
        digest = hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()[:12]
        axes = {"schedule": cell.schedule, "T": str(cell.T), "seed": str(cell.seed)}
        # not a child of the study's run: MLflow's list hides children, and cells are there to be compared
        tags = {"study_run": parent, "samplers": ",".join(self.params.grid.sampler)} | axes | hashes
        # in MLflow's charts a schedule has the colour that it has in the figures
        tags |= {"mlflow.runColor": to_hex(plots.colours(self.params.grid.schedule)[cell.schedule])}
        log = artifacts.read_json_lines(cell.log)
        run = self._run(str(cell), digest, tags, log)
        if run is None:
            return False
        groups = {name: getattr(self.params, name).model_dump() for name in ("network", "train", "sample", "compute")}
        groups |= {"schedule": self.params.schedule_parameters(cell.schedule), "extractor": self.params.extractor}
        groups |= {"data": {"name": self.params.data.name}}
        self._log_params(run, settings.flat(groups) | {f"cell.{name}": value for name, value in axes.items()})
        store.send(self.client, run, self._cell_points(cell, log))
        for sampler in self.params.grid.sampler:
            picture = plots.sample_grid(artifacts.read_npy(cell.samples(sampler)), f"{cell}, {sampler}")
            self.client.log_figure(run.info.run_id, picture, f"samples_{sampler}.png")
        self.client.log_dict(run.info.run_id, origin.link(cell), "model.json")
        if self._data_set:
            self.client.log_inputs(run.info.run_id, self._data_set)
        self._close(run)
        return True

    def _cell_points(self, cell: Cell, log: list[dict[str, Any]]) -> live.Points:
        points = live.training_points(log, self.params.train)
        points += [("epoch_loss", loss, epoch) for epoch, loss in enumerate(epoch_losses(log), start=1)]
        heldout = artifacts.read_json(cell.heldout)
        points += [(f"heldout.{key}", v, 0) for key, v in heldout.items() if isinstance(v, int | float)]
        for sampler in self.params.grid.sampler:
            measured = artifacts.read_json(cell.metrics(sampler))
            points += [(f"{key}.{sampler}", v, 0) for key, v in measured.items() if isinstance(v, int | float)]
        return points


def publish(params: settings.Params) -> Published:
    """Upload all results that MLflow lacks.

    Raises:
        StudyError: the tracking server cannot be reached or refuses, or dvc.lock is damaged.
    """
    store.set_patience()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with store.lock():
            client, experiment = store.connect()
            publisher = _Publisher(client, experiment, params)
            parent = publisher.send_study()
            # a later publish sends the others
            whole = [cell for cell in params.grid.cells() if publisher.is_whole(cell)]
            faults = {cell: fault for cell in whole if (fault := publisher.fault(cell))}
            current = [cell for cell in whole if cell not in faults]
            sent = sum(publisher.send_cell(cell, parent) for cell in current)
    except (MlflowException, OSError, sqlite3.Error, SQLAlchemyError) as error:
        reason = mask(" ".join(str(error).split()))[:200]
        hint = "run python -m stages.tools.publish later"
        raise StudyError(f"MLflow: {reason}", where=mask(store.tracking_uri()), hint=hint) from error
    page = views.page(experiment, publisher.study)
    return Published(sent, len(current), page, tuple(faults.values()))


def report(done: Published) -> None:
    """Print what ``publish`` did, and where."""
    print(f"MLflow: {done.sent} runs sent, {done.complete} cells up to date ({mask(store.tracking_uri())})")
    if done.faults:
        count = f"{len(done.faults)} cell{'' if len(done.faults) == 1 else 's'}"
        print(f"left out: {count} that are not of this study; the first: {done.faults[0]}; run `make study`")
