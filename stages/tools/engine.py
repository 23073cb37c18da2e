"""Jobs on Dask: embedded in this process, or on the workers of a scheduler elsewhere, by one code path.

A worker's threads are the places for jobs: one a core, or several that share a GPU. Dask keeps the order of
dependence, and gives a job whose worker died to another one.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING
from uuid import uuid4

from ddpm.errors import StudyError
from stages.tools import worker
from stages.tools.jobs import Job
from stages.tools.overview import Overview

if TYPE_CHECKING:  # imported late: it takes half a second, and no other command needs it
    from distributed import Client, Future, Scheduler

TOPIC = "study"  # of the events by which workers say that a job has begun
PATIENCE_SECONDS = 10.0  # until a scheduler must have answered
# How many workers may die with a job before Dask blames the job. High, because Dask also counts jobs that were only
# waiting there, preempted machines die often, and the work is done in processes whose death does not kill the worker.
DEATHS = 100
Call = Callable[[list[worker.Made], Job], worker.Made]
SETTINGS = {
    "distributed.worker.profile.enabled": False,  # the threads only wait for processes
    "distributed.scheduler.worker-ttl": None,  # after Ctrl-Z and fg the embedded cluster would have lost its worker
}
ALONE = "127.0.0.1:0"  # the embedded cluster's web servers, which Dask cannot do without: any free port, this machine


def address(asked: str) -> str:
    """The scheduler's address: what was asked for, or Dask's own configuration; empty for the embedded cluster."""
    import dask

    return asked or str(dask.config.get("scheduler-address", None) or "")


def check_address(where: str) -> None:
    """Refuse at once what Dask cannot connect to: it would try for a while, and leave a client that cannot be closed.

    Raises:
        StudyError: it is no address, or this Dask lacks what its protocol needs.
    """
    from distributed import Security
    from distributed.comm.addressing import parse_address, parse_host_port
    from distributed.comm.registry import get_backend

    def refuse(reason: object, hint: str = "an address is as tcp://head:8786") -> StudyError:
        return StudyError(f"no Dask scheduler answers: {reason}", where=where, hint=hint)

    scheme, place = parse_address(where)
    try:
        get_backend(scheme).get_connector()
    except (TypeError, ValueError) as error:  # TypeError: a protocol that Dask knows and has no longer
        raise refuse(f"Dask cannot use {scheme}://") from error
    try:
        host, port = parse_host_port(place)
    except ValueError as error:
        raise refuse(f"{place!r} has no host and port") from error
    if not host or not 0 < port < 65536:
        raise refuse(f"{place!r} has no host and port")
    if scheme == "tls" and Security().get_connection_args("client")["ssl_context"] is None:
        raise refuse("tls needs certificates", "set distributed.comm.tls in Dask's configuration")


@contextmanager
def connect(where: str, places: int) -> "Iterator[Client]":
    """A client of the scheduler at an address, or of a cluster in this process with so many places.

    Raises:
        StudyError: no scheduler answers, or none can at that address.
    """
    import dask
    from distributed import Client, LocalCluster

    with dask.config.set(SETTINGS):
        if not where:
            _find_own_address()
            local = LocalCluster(
                n_workers=1,
                threads_per_worker=places,
                processes=False,
                # not None: that is port 8787 of all networks, or a warning where another study has it
                dashboard_address=ALONE,
                worker_dashboard_address=ALONE,
                scheduler_kwargs={"dashboard": False},
                memory_limit=0,
                silence_logs=50,  # errors come back with the job, and are told in one line
            )
            with local, Client(local) as client:
                yield client
            return
        check_address(where)
        try:
            client = Client(where, timeout=PATIENCE_SECONDS)
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            reason = " ".join(str(error).split()) or type(error).__name__
            raise StudyError(
                f"no Dask scheduler answers: {reason}", where=where, hint="start one there with `dask scheduler`"
            ) from error
        with client:
            client.run_on_scheduler(_tolerate)
            yield client


def _find_own_address() -> None:
    """Dask looks for this machine's address and remembers it; here without its warning on a machine that is offline."""
    from distributed.utils import get_ip

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        get_ip()


def _tolerate(dask_scheduler: "Scheduler") -> None:
    """On the scheduler, whoever started it."""
    dask_scheduler.allowed_failures = DEATHS


def check(client: "Client", order: worker.Order) -> int:
    """How many places the workers have.

    Raises:
        StudyError: there is no worker, or one would give other bytes or none; it says which and why.
    """
    if not (threads := client.nthreads()):
        raise StudyError(
            "the scheduler has no worker", where=client.scheduler.address, hint="`make worker CLUSTER=...` in a clone"
        )
    refused = {name: reason for name, reason in client.run(worker.refusal, order).items() if reason}
    for name, reason in refused.items():
        raise StudyError(reason, where=f"worker {name}")
    return sum(threads.values())


def _take(order: worker.Order | None, call: Call, needs: list[worker.Made], job: Job) -> worker.Made:
    """On a worker: say that the job has begun, and do it. A worker that joined late is checked here."""
    from distributed import get_worker

    get_worker().log_event(TOPIC, job.name)
    if order is not None and (reason := worker.refusal(order)):
        raise StudyError(reason, where=f"worker {get_worker().address}")
    return call(needs, job)


def _reason(job: Job, futures: "dict[str, Future]") -> str:
    """Why a job has no result, in a line."""
    from distributed.scheduler import KilledWorker

    future = futures[job.name]
    if causes := sorted(need for need in job.needs if futures[need].status == "error"):
        return f"{', '.join(causes)} failed"
    if future.status != "error":
        return "the scheduler has lost it; run the same command again"
    error = future.exception()
    if isinstance(error, KilledWorker):
        return f"its workers died, {DEATHS + 1} times; see the log of {error.last_worker.address}"
    return " ".join(str(error).split()) if isinstance(error, StudyError) else repr(error)


def run(
    client: "Client",
    jobs: list[Job],
    call: Callable[[Job], Call],
    overview: Overview,
    *,
    each: Callable[[Job, worker.Made], None],
    order: worker.Order | None = None,
    retries: int = 0,
) -> None:
    """Run all jobs, the first of the list first where nothing else decides, and wait for them.

    Args:
        client: of ``connect``.
        jobs: with their dependencies.
        call: what a job does on its worker: called there with what the jobs it needs left, and itself.
        overview: is told what happens; a job that fails takes those along that need it, and no others.
        order: what workers elsewhere are checked against.
        retries: how often a job that failed is given to a worker again.
        each: called with every job that succeeds and its result, one at a time.
    """
    from distributed import as_completed

    rank, by_name = {job.name: -i for i, job in enumerate(jobs)}, {job.name: job for job in jobs}
    client.subscribe_topic(TOPIC, lambda event: overview.begin(str(event[1])))
    futures: dict[str, Future] = {}
    for name in TopologicalSorter({job.name: job.needs for job in jobs}).static_order():
        job = by_name[name]
        futures[name] = client.submit(
            partial(_take, order, call(job)),
            [futures[need] for need in sorted(job.needs)],
            job,
            key=f"{name}-{uuid4().hex}",
            priority=rank[name],
            retries=retries,
            pure=False,
        )
    names = {future.key: name for name, future in futures.items()}
    try:
        for future in as_completed(futures.values()):
            name = names[future.key]
            error = "" if future.status == "finished" else _reason(by_name[name], futures)
            if not error:
                each(by_name[name], future.result())
            overview.finish(name, error)
    finally:  # also on Ctrl-C: running jobs get the signal from the terminal, and no further ones start
        client.cancel(list(futures.values()))
        worker.wait()
        client.unsubscribe_topic(TOPIC)
