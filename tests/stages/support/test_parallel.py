"""Work in threads: the order of the results, failures, and bytes that do not depend on the number of threads."""

import os
import threading
from collections.abc import Callable

import pytest
import torch

from ddpm.core import rng
from ddpm.errors import StudyError
from stages.support import parallel
from stages.support.cores import cores


@pytest.mark.parametrize("count", [1, 2, 5])
def test_results_are_in_the_order_of_the_items(count: int) -> None:
    waits = [threading.Event() for _ in range(6)]

    def work(item: int, go_on: Callable[[], None]) -> int:
        if count > 1 and item + 1 < count:
            assert waits[item + 1].wait(20)  # later items end first
        waits[item].set()
        return item * item

    assert list(parallel.in_order(work, range(6), count)) == [0, 1, 4, 9, 16, 25]


@pytest.mark.parametrize("count", [1, 2])
def test_a_failure_is_raised_and_ends_the_others(count: int) -> None:
    ended, begun = [], threading.Event()

    def work(item: int, go_on: Callable[[], None]) -> None:
        if item == 0:
            assert count == 1 or begun.wait(20)
            raise StudyError("no more")
        begun.set()
        try:
            while True:
                go_on()
        except parallel.Stopped:
            ended.append(item)
            raise

    with pytest.raises(StudyError, match="no more"):
        list(parallel.in_order(work, range(10), count))
    assert ended == [1] * (count - 1)  # what runs is told to end, and what had not begun never does


def test_workers_of_the_environment_of_the_cores_and_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(parallel.WORKERS, raising=False)
    assert parallel.workers("cpu") == cores() <= (os.cpu_count() or 1)
    monkeypatch.setenv(parallel.WORKERS, "3")
    assert parallel.workers("cpu") == 3
    assert parallel.workers("cuda") == 1


def test_threads_compute_the_same_bytes() -> None:
    """A convolution in each of several threads at once, against the same in one."""
    torch.set_num_threads(1)
    conv = torch.nn.Conv2d(16, 16, 3, padding=1).requires_grad_(False)
    batches = torch.randn(12, 4, 16, 28, 28, generator=rng.stream(0, "batches"))

    def work(batch: torch.Tensor, go_on: Callable[[], None]) -> torch.Tensor:
        assert torch.get_num_threads() == 1  # in a new thread too
        for _ in range(5):
            batch = torch.nn.functional.silu(conv(batch))
        return batch

    one, *others = (list(parallel.in_order(work, batches, count)) for count in (1, 2, 3))
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
