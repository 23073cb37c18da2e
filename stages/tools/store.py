"""Where MLflow's runs and their files are: a served store, or a database in the repository with the files beside it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from stages.support.paths import root

DATABASE = "mlflow.db"
ARTIFACTS = "mlruns"
# columns that hold absolute addresses of files
_COLUMNS = (("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"))


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
    """Let the artifacts of a database that was moved or copied be those beside it; returns whether any were elsewhere.

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
