"""MLflow's files follow the folder: after a rename they are found, and a copy never writes into its original."""

import sqlite3
from pathlib import Path

import pytest

from ddpm.errors import StudyError
from stages.support import settings
from stages.tools import store
from tests.conftest import edit_params

EXPERIMENT = "ddpm-mnist"


def database(folder: Path, location: str) -> Path:
    """The columns of MLflow's database that hold addresses, as MLflow writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / store.DATABASE
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE experiments (name TEXT, artifact_location TEXT)")
        connection.execute("CREATE TABLE runs (artifact_uri TEXT)")
        connection.execute("INSERT INTO experiments VALUES (?, ?)", (EXPERIMENT, location))
        connection.execute("INSERT INTO experiments VALUES ('Default', ?)", (f"{location}/0",))
        connection.execute("INSERT INTO experiments VALUES ('other', ?)", (f"{location}2",))
        connection.execute("INSERT INTO runs VALUES (?)", (f"{location}/abc/artifacts",))
        connection.execute("INSERT INTO runs VALUES ('s3://bucket/def')")
    connection.close()
    return file


def addresses(file: Path) -> set[str]:
    with sqlite3.connect(file) as connection:
        rows = [*connection.execute("SELECT artifact_location FROM experiments")]
        rows += [*connection.execute("SELECT artifact_uri FROM runs")]
    connection.close()
    return {address for (address,) in rows}


@pytest.mark.parametrize("name", ["study", "my study", "50% %20", "a?b#c", "Étude"])
def test_a_renamed_or_copied_folder(tmp_path: Path, name: str) -> None:
    old = (tmp_path / "old" / "mlruns").as_uri()
    file = database(tmp_path / name, old)
    assert store.follow(file, EXPERIMENT)
    here = (tmp_path / name / "mlruns").as_uri()
    others = {f"{old}2", "s3://bucket/def"}  # a folder of a similar name, and another store
    assert addresses(file) == {here, f"{here}/0", f"{here}/abc/artifacts"} | others
    assert not store.follow(file, EXPERIMENT)


@pytest.mark.parametrize(
    "location", ["s3://bucket/mlruns", "file:///data/pictures", "mlflow-artifacts:/1", "hdfs://x/mlruns"]
)
def test_a_place_that_somebody_chose_stays(tmp_path: Path, location: str) -> None:
    file = database(tmp_path, location)
    before = addresses(file)
    assert not store.follow(file, EXPERIMENT)
    assert addresses(file) == before


def test_no_database_yet(tmp_path: Path) -> None:
    assert not store.follow(tmp_path / "none.db", EXPERIMENT)
    assert not (tmp_path / "none.db").exists()
    sqlite3.connect(tmp_path / "empty.db").close()
    assert not store.follow(tmp_path / "empty.db", EXPERIMENT)


def test_the_default_address_has_no_folder_name_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a?b" / ".dvc" / "tmp").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a?b")
    assert store.tracking_uri() == "sqlite:///mlflow.db"
    monkeypatch.setenv("DVC_ROOT", str(Path.cwd()))
    monkeypatch.chdir(tmp_path / "a?b" / ".dvc" / "tmp")  # as in `dvc exp run --temp`
    assert store.tracking_uri() == "sqlite:///../../mlflow.db"
    assert store.database(store.tracking_uri()) == tmp_path / "a?b" / "mlflow.db"


@pytest.mark.parametrize("uri", ["http://host", "postgresql://host/x", "sqlite://", "sqlite:///"])
def test_other_stores_have_no_file(uri: str) -> None:
    assert store.database(uri) is None


PASSWORD = "s3cr3t-Passw0rd"  # noqa: S105  # planted


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        (f"postgresql+psycopg2://ann:{PASSWORD}@127.0.0.1:9/db", "onnection"),  # MLflow would try it for two minutes
        (f"postgresql+nothing://ann:{PASSWORD}@127.0.0.1:9/db", "plugin"),
        (f"mysql+pymysql://ann:{PASSWORD}@127.0.0.1:9/db", "pymysql"),
        (f"postgresql+psycopg2://ann:x@y:{PASSWORD}@127.0.0.1:9/db", "MLflow: "),
        (f"postgresql+psycopg2://ann:{PASSWORD}@127.0.0.1:port/db", "MLflow: "),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line(monkeypatch: pytest.MonkeyPatch, uri: str, says: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(StudyError, match=says) as caught:
        store.connect()
    told = str(caught.value)
    assert told.endswith("; correct MLFLOW_TRACKING_URI")
    assert PASSWORD not in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"grid": {"T": [30], "seed": [1]}}, True),  # chains.T and chains.seed follow, as in conf/config.yaml
        ({"chains": {"frames": 9}, "diff": {"log_ratio": 0.5}, "data": {"directory": "/elsewhere"}}, True),
        ({"data": {"name": "fashion-mnist"}}, False),
        ({"train": {"epochs": 7}}, False),
        ({"ranking": {"draws": 9}}, False),
    ],
)
def test_one_study_is_one_data_set_and_one_protocol(
    tiny_study: Path, change: dict[str, dict[str, object]], same: bool
) -> None:
    before = settings.load()
    edit_params(tiny_study, **change)
    after = settings.load()
    assert before != after
    assert (store.study_key(before) == store.study_key(after)) == same
