"""Where MLflow's runs and their files are: a served store, or a database in the repository with the files beside it."""

import hashlib
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from ddpm.errors import StudyError
from stages.support import settings
from stages.support.masking import mask
from stages.support.paths import root

if TYPE_CHECKING:  # imported late: mlflow takes seconds
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "ddpm-mnist"
_PAGE = 5000  # runs a request
# MLflow's defaults retry an unreachable server for four minutes; these fail within seconds. Users may override them.
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}

DATABASES = ("postgresql", "mysql", "mssql")  # which MLflow takes by SQLAlchemy, beside SQLite
DATABASE = "mlflow.db"
ARTIFACTS = "mlruns"
# of runs of cells: the views show what is current, one run a cell
CURRENT, SUPERSEDED = {"current": "yes"}, {"current": "no"}
# columns that hold absolute addresses of files
_COLUMNS = (("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"))


def protocol(params: settings.Params) -> dict[str, Any]:
    """The parameters that all cells of a study share: not which cells are run, nor what no result depends on."""
    cells = {"schedule", "T", "seed", "sampler", "grid", "chains"}  # chains.T and chains.seed follow the grid
    return params.model_dump(exclude=dict.fromkeys(cells | {"diff"}, True) | {"data": {"directory"}})


def study_key(params: settings.Params) -> str:
    """Identifies a study by its protocol."""
    return hashlib.sha256(json.dumps(protocol(params), sort_keys=True).encode()).hexdigest()[:12]


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, or a SQLite file in the repository.

    The path is relative to the working directory: a folder's name may hold characters that mean something in a URI.
    """
    local = os.path.relpath(root() / DATABASE)
    return os.environ.get("MLFLOW_TRACKING_URI", "").strip() or f"sqlite:///{local}"


def database(uri: str) -> Path | None:
    """The SQLite file of a URI; None for any other store."""
    path = uri.removeprefix("sqlite:///")
    return Path(path.partition("?")[0]).resolve() if uri.startswith("sqlite:///") and path else None


def artifacts_of(file: Path) -> str:
    """The address of the artifacts beside a database."""
    return (file.parent / ARTIFACTS).as_uri()


def follow(file: Path, experiment: str) -> bool:
    """Point a database that was moved or copied to the artifacts beside it; returns whether its addresses changed.

    MLflow stores absolute addresses: a renamed folder would lose its files, and a copy would write into its original.
    An address that does not end in this tool's folder name was chosen by somebody, and stays.
    """
    if not file.exists():
        return False
    here = artifacts_of(file)
    with closing(sqlite3.connect(file)) as connection, connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "experiments" not in tables:
            return False
        query = "SELECT artifact_location FROM experiments WHERE name = ?"
        (stored,) = connection.execute(query, (experiment,)).fetchone() or (here,)
        if stored == here or not stored.startswith("file:") or not stored.endswith(f"/{ARTIFACTS}"):
            return False
        for table, column in _COLUMNS:
            if table in tables:
                update = f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608  # our own names
                update += f"WHERE {column} = ? OR substr({column}, 1, ?) = ?"
                begins = f"{stored}/"
                connection.execute(update, (here, len(stored) + 1, stored, len(begins), begins))
    return True


def set_patience() -> None:
    """Settings that MLflow reads when it is imported."""
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)


def lock(timeout: float = -1) -> FileLock:
    """For all uses of the store: two processes that create one SQLite store crash. ``timeout`` in seconds; -1 waits."""
    path = root() / ".work" / "mlflow.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path, timeout=timeout)


def _client(uri: str) -> "MlflowClient":
    """A client of a store that answers: MLflow tries a database that does not for minutes.

    Raises:
        StudyError: it does not answer, its driver is not installed, or the address is no address.
    """
    from mlflow import MlflowClient
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    try:
        if uri.startswith(DATABASES):
            engine = create_engine(uri)
            try:
                engine.connect().close()
            finally:
                engine.dispose()
        return MlflowClient(uri)
    except (SQLAlchemyError, ImportError, ValueError) as error:  # ValueError: a port that is no number
        reason = mask(" ".join(str(error).split()))[:200]
        raise StudyError(f"MLflow: {reason}", where=mask(uri), hint="correct MLFLOW_TRACKING_URI") from error


def connect() -> "tuple[MlflowClient, str]":
    """A client of the tracking server, and the id of the experiment, which is created where there is none."""
    uri, name = tracking_uri(), os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
    file = database(uri)
    if file:
        follow(file, name)
    client = _client(uri)
    found = client.get_experiment_by_name(name)
    location = artifacts_of(file) if file else None
    return client, str(found.experiment_id if found else client.create_experiment(name, location))


def runs(client: "MlflowClient", experiment: str, study: str) -> "list[Run]":
    """All runs of a study, which a store hands out by the page."""
    asked, token, found = f"tags.study = '{study}'", None, []
    while True:
        page = client.search_runs([experiment], asked, max_results=_PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def send(
    client: "MlflowClient", run: "Run", points: list[tuple[str, float, int]], seconds: float | None = None
) -> None:
    """Send points (name, value, step).

    Their time is the run's start, so that a point sent twice is one point, unless one is given, in seconds since 1970.
    """
    from mlflow.entities import Metric

    time = run.info.start_time if seconds is None else int(seconds * 1000)
    metrics = [Metric(key, value, time, step) for key, value, step in points]
    client.log_batch(run.info.run_id, metrics=metrics)
