"""Jobs on Dask: an order that breaks no dependence, as many at a time as there are places, failures that stay apart."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from rich.console import Console

from ddpm.errors import StudyError
from stages.tools import engine, worker
from stages.tools.jobs import Job
from stages.tools.overview import Overview
from tests.conftest import ROOT
from tests.mlflow_server import free_port

JOBS = [Job("c", ("c",), frozenset({"a", "b"})), Job("a", ("a",)), Job("d", ("d",), frozenset({"c"})), Job("b", ("b",))]


class Log:
    """What `call` saw, here where Dask's threads find it: what it calls is pickled, and named by its module."""

    ended: list[str]
    running: int
    most: int
    errors: dict[str, Exception]
    lock = threading.Lock()
    meet: threading.Barrier | None = None  # of the first jobs, as many as there are places


def call(given: list[worker.Made], job: Job) -> worker.Made:
    """A job that takes a moment, and whose result is its name."""
    assert job.needs <= set(Log.ended)
    assert {name for made in given for name in made.files} == job.needs
    with Log.lock:
        Log.running += 1
        Log.most = max(Log.most, Log.running)
        first = Log.meet is not None and len(Log.ended) + Log.running <= Log.meet.parties
    if Log.meet is not None and first:
        Log.meet.wait(60)
    time.sleep(0.05)
    with Log.lock:
        Log.running -= 1
        Log.ended.append(job.name)
    if job.name in Log.errors:
        raise Log.errors[job.name]
    return worker.Made(files={job.name: b""})


def work(jobs: list[Job], places: int, errors: "dict[str, Exception] | None" = None) -> Overview:
    """Run jobs in the embedded cluster."""
    Log.ended, Log.running, Log.most, Log.errors = [], 0, 0, errors or {}
    overview, results = Overview(jobs, Console(stderr=True)), list[str]()
    with engine.connect("", places) as client, overview:
        engine.run(client, jobs, lambda _: call, overview, each=lambda job, made: results.extend(made.files))
    assert set(results) == overview.done
    return overview


@pytest.mark.parametrize("places", [1, 2, 5])
def test_nothing_begins_before_what_it_needs(places: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Log, "meet", threading.Barrier(places))
    more = [*JOBS, *(Job(f"e{i}", ("e",)) for i in range(8))]
    assert work(more, places).line().startswith("12 of 12 done, 0 running, 0 left")
    assert sorted(Log.ended) == sorted(job.name for job in more)
    assert Log.most == places


def test_the_first_of_the_list_runs_first() -> None:
    jobs = [Job(str(i), ("x",)) for i in range(9)]
    work(jobs, 1)
    assert Log.ended == [job.name for job in jobs]


def test_what_fails_takes_its_followers_along_and_nothing_else() -> None:
    overview = work(JOBS, 2, {"a": StudyError("broken", where="here")})
    assert overview.failed == {"a": "here: broken", "c": "a failed", "d": "c failed"}
    assert overview.done == {"b"}


def test_a_bug_keeps_its_name() -> None:
    overview = work(JOBS[1:2], 1, {"a": KeyError("x")})
    assert overview.failed == {"a": "KeyError('x')"}


def test_two_studies_at_a_time_share_no_port() -> None:
    """The web servers of Dask's default are at port 8787 of all networks; warnings are errors here."""
    with engine.connect("", 1) as one, engine.connect("", 2) as other:
        assert [sum(client.nthreads().values()) for client in (one, other)] == [1, 2]
        ports = {client.scheduler_info()["services"]["dashboard"] for client in (one, other)}
        assert len(ports) == 2
        assert 8787 not in ports


OFFLINE = """
import socket
from stages.tools import engine

class Offline(socket.socket):
    def connect(self, where):
        if self.type == socket.SOCK_DGRAM:
            raise OSError(101, "Network is unreachable")
        super().connect(where)

socket.socket = Offline
with engine.connect("", 1) as client:
    print(sum(client.nthreads().values()))
"""


def test_a_machine_that_is_offline_gets_no_warning() -> None:
    done = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)


def test_no_scheduler_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PATIENCE_SECONDS", 1.0)
    with (
        pytest.raises(StudyError, match=r"tcp://127.0.0.1:\d+: no Dask scheduler answers.*`dask scheduler`"),
        engine.connect(f"tcp://127.0.0.1:{free_port()}", 0),
    ):
        pass
    with pytest.raises(StudyError, match="no Dask scheduler answers"), engine.connect("nonsense://x", 0):
        pass


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("127.0.0.1:abc", "'127.0.0.1:abc' has no host and port; an address is as tcp://head:8786"),
        ("127.0.0.1", "'127.0.0.1' has no host and port; an address is as tcp://head:8786"),
        ("tcp://:8786", "':8786' has no host and port; an address is as tcp://head:8786"),
        ("tcp://head:99999", "'head:99999' has no host and port; an address is as tcp://head:8786"),
        ("ucx://127.0.0.1:1", "Dask cannot use ucx://; an address is as tcp://head:8786"),
        ("nonsense://127.0.0.1:1", "Dask cannot use nonsense://; an address is as tcp://head:8786"),
        ("tls://127.0.0.1:1", "tls needs certificates; set distributed.comm.tls in Dask's configuration"),
    ],
)
def test_what_dask_cannot_connect_to_is_refused_at_once(where: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distributed.Client.__init__", None)  # it is not even tried
    with pytest.raises(StudyError) as refused, engine.connect(where, 0):
        pass
    assert str(refused.value) == f"{where}: no Dask scheduler answers: {told}"


def test_the_address_may_be_in_dasks_own_configuration() -> None:
    import dask

    assert engine.address("") == ""
    with dask.config.set({"scheduler-address": "tcp://head:8786"}):
        assert engine.address("") == "tcp://head:8786"
        assert engine.address("tcp://other:1") == "tcp://other:1"


PAUSED = """
import time
from stages.tools import engine

with engine.connect("", 1) as client:
    jobs = [client.submit(time.sleep, 0.2, pure=False) for _ in range(20)]
    print("begun", flush=True)
    client.gather(jobs)
    print("done", flush=True)
"""


def test_a_study_that_was_paused_goes_on() -> None:
    # Dask takes a worker for lost that is silent for this time, at least for ten heartbeats, which are 5 seconds
    environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "1s"}
    command = [sys.executable, "-c", PAUSED]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as study:
        try:
            assert study.stdout
            assert study.stdout.readline() == "begun\n"
            study.send_signal(signal.SIGSTOP)
            time.sleep(8)
            study.send_signal(signal.SIGCONT)
            assert study.communicate(timeout=60)[0] == "done\n"
        finally:
            study.kill()
