"""Losses reach MLflow while a training runs; publishing completes the same run, with every point once."""

import socket
from pathlib import Path
from typing import Any

import pytest

from ddpm import artifacts
from ddpm.errors import StudyError
from stages import train
from stages.support import resume, settings
from stages.support.resume import Resume
from stages.tools import live, publish, store
from stages.tools.live import Follower
from tests.stage_runs import AXES, CELL, run


class Cut(BaseException):
    """What a kill looks like from inside."""


def train_until(saves: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train, saving after every step, and die after so many saves."""
    left, save = [saves], Resume.save

    def dying(self: Resume, *arguments: Any) -> None:
        save(self, *arguments)
        left[0] -= 1
        if not left[0]:
            raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(Resume, "save", dying)
        patch.setattr(resume, "EVERY_SECONDS", 0.0)
        with pytest.raises(Cut):
            run(train, *AXES)


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one process MLflow keeps the connection of a relative address, whatever folder it is in later."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / store.DATABASE}")


def follower() -> Follower:
    params = settings.load()
    return Follower(params, store.study_key(params))


def runs() -> list[Any]:
    """All runs of the cell."""
    client, experiment = store.connect()
    return list(client.search_runs([experiment], f"tags.cell = '{CELL}'"))


def history(found: Any, name: str) -> list[tuple[int, float]]:
    client, _ = store.connect()
    return sorted((point.step, point.value) for point in client.get_metric_history(found.info.run_id, name))


def test_a_training_is_seen_and_its_run_is_completed(whole_grid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = artifacts.read_json_lines(CELL.log)
    losses = [(record["step"], record["loss"]) for record in log]
    seen = follower()
    train_until(1, monkeypatch)
    assert seen.look() == 1
    assert seen.look() == 0  # nothing is new
    (begun,) = runs()
    assert begun.info.status == "RUNNING"
    assert history(begun, "loss") == losses[:1]
    train_until(2, monkeypatch)
    assert follower().look() == 3  # of another process, after an interruption: the same run, the same points
    assert seen.look() == 2
    (begun,) = runs()
    assert history(begun, "loss") == losses[:3]
    run(train, *AXES)
    run(publish)
    run(publish)
    (done,) = runs()
    assert (done.info.run_id, done.info.status) == (begun.info.run_id, "FINISHED")
    assert history(done, "loss") == losses
    rates = history(done, "learning_rate")
    assert [step for step, _ in rates] == [step for step, _ in losses]
    assert all(0 < value <= settings.load().train.learning_rate for _, value in rates)
    assert not done.data.tags["digest"].startswith(live.PREFIX)


def test_another_training_of_the_cell_is_closed(whole_grid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_until(1, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(live, "training_points", lambda *_: [("loss", 7.0, 1)])  # as of other code
        follower().look()
    run(publish)
    assert sorted(found.info.status for found in runs()) == ["FINISHED", "KILLED"]


def test_a_server_that_is_away_warns_once_and_delays_nothing(
    tiny_study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:s3cr3t@127.0.0.1:9")
    monkeypatch.setattr(live, "EVERY_SECONDS", 0.01)
    path = tiny_study / ".work" / "resume" / f"train-{CELL}-{'0' * 32}" / "state.safetensors"
    record = '[{"epoch": 1, "step": 1, "images": 32, "loss": 1.0}]'
    artifacts.write_tensors(path, {}, {"log": record})
    looks = [0]
    look = Follower.look

    def counted(self: Follower) -> int:
        looks[0] += 1
        return look(self)

    monkeypatch.setattr(Follower, "look", counted)
    with follower() as seen:
        while looks[0] < 3:
            assert seen._thread.is_alive()
            seen._thread.join(0.05)
    told = capsys.readouterr().err
    assert told.count("warning: no live curves") == 1
    assert "s3cr3t" not in told


def test_damaged_and_foreign_checkpoints_are_left(tiny_study: Path) -> None:
    folder = tiny_study / ".work" / "resume"
    artifacts.write_bytes(folder / f"train-{CELL}-{'0' * 32}" / "state.safetensors", b"cut")
    artifacts.write_tensors(folder / "train-mine" / "state.safetensors", {}, {"log": "[{}]"})
    assert follower().look() == 0
    assert not (tiny_study / store.DATABASE).exists()


@pytest.mark.parametrize("value", ["yes", "on", "2"])
def test_a_variable_that_is_no_yes_or_no_is_said(whole_grid: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", value)
    train_until(1, monkeypatch)
    with pytest.raises(StudyError, match=r"MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING.*; set it to true or false"):
        follower().look()


ALMOST = [
    f'[{{"step": {step}, "images": {images}, "loss": {loss}}}]'
    for step, images, loss in [("NaN", 1, 1.0), (-5, 1, 1.0), (10**400, 1, 1.0), (1, 0.5, 1.0), (1, 1, '"low"')]
]


@pytest.mark.parametrize("log", ["[{}]", "{}", "7", "[7]", "[{", "[" * 100_000, *ALMOST])
def test_a_log_of_something_else_is_said(tiny_study: Path, log: str) -> None:
    path = tiny_study / ".work" / "resume" / f"train-{CELL}-{'0' * 32}" / "state.safetensors"
    artifacts.write_tensors(path, {}, {"log": log})
    record = '[{"epoch": 1, "step": 1, "images": 32, "loss": 1.0}]'
    artifacts.write_tensors(path.parents[1] / f"train-{CELL}-{'1' * 32}" / "state.safetensors", {}, {"log": record})
    seen = follower()
    with pytest.raises(StudyError, match=r"state.safetensors: a checkpoint's log is not that of a training; remove it"):
        seen.look()
    assert [sent.steps for sent in seen.sent.values()] == [1]  # the other training is followed


def test_a_server_that_never_answers_holds_the_end_up_for_two_seconds_at_most(
    tiny_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(live, "EVERY_SECONDS", 0.01)
        path = tiny_study / ".work" / "resume" / f"train-{CELL}-{'0' * 32}" / "state.safetensors"
        artifacts.write_tensors(path, {}, {"log": '[{"epoch": 1, "step": 1, "images": 32, "loss": 1.0}]'})
        follows = follower()
        join = follows._thread.join
        monkeypatch.setattr(follows._thread, "join", waited.append)
        with follows:
            asked, _ = silent.accept()  # by the thread
        asked.close()
        join()
    assert waited == [2.0]
    assert follows.sent == {}
