"""Work that is parallel over images, on all cores: an item a thread. Results do not depend on the number of threads.

Torch releases Python's lock while it computes, so threads of one process suffice.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from stages.support.cores import cores

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = "STUDY_WORKERS"  # set by the grid, which runs several stages at a time and needs one thread for each


class Stopped(Exception):  # noqa: N818  # no error: the work was told to end
    """Raised in a worker when another one failed or the stage was interrupted."""


def workers(device: str) -> int:
    """How many threads to use: those of the environment or one a usable core; one on a GPU, which they would share."""
    if device != "cpu":
        return 1
    return int(os.environ.get(WORKERS, "0")) or cores()


def in_order(work: Callable[[Item, Callable[[], None]], Result], items: Iterable[Item], count: int) -> Iterator[Result]:
    """``work(item, go_on)`` of every item in the order of the items, ``count`` at a time.

    ``go_on`` raises ``Stopped`` when the results are not wanted any more: long work calls it between its steps. With
    one worker everything happens in the caller's thread.
    """
    if count == 1:
        yield from (work(item, lambda: None) for item in items)
        return
    stop, failed = Event(), Event()

    def go_on() -> None:
        if stop.is_set():
            raise Stopped

    def call(item: Item) -> Result:
        go_on()
        if failed.is_set():  # by the thread that would begin this item now, or another; not yet noticed by the caller
            raise Stopped
        try:
            return work(item, go_on)
        except BaseException:
            failed.set()
            raise

    pool = ThreadPoolExecutor(count)
    try:
        yield from pool.map(call, items)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
