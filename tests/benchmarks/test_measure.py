"""The arithmetic of the benchmarks; what they measure is no matter of tests."""

import time

import pytest
import torch

from benchmarks.measure import THREADS, Layout, best, in_processes, layouts, rate, ratio, use_threads


def test_rate_counts_items_and_leaves_the_warm_up_out() -> None:
    calls: list[float] = []

    def step() -> int:
        time.sleep(0.2 if len(calls) < 2 else 0.01)
        calls.append(time.perf_counter())
        return 5

    found = rate(step, 0.1)
    # every counted call sleeps 10 ms at least; a busy machine only lowers the rate
    assert 0 < found <= 500
    assert len(calls) > 2


def test_ratio_pairs_the_rounds() -> None:
    # a slow second round halves both: the ratio stays
    assert ratio([100, 50, 100], [10, 5, 10]) == (10, 10, 10)
    assert ratio([1, 2, 9], [1, 1, 1]) == (2, 1, 9)


def test_best_layout_is_that_of_the_higher_median() -> None:
    assert best({"1 x 2 threads": [9, 1, 1], "2 x 1 threads": [3, 2, 2], "peak_rss_mib": 5000}) == [3, 2, 2]


def test_layouts_use_every_core() -> None:
    assert len({layout.processes * layout.threads for layout in layouts()}) == 1
    assert str(Layout(2, 1)) == "2 x 1 threads"


def test_each_process_of_a_layout_answers() -> None:
    found = in_processes("benchmarks.peak", ["float32 product", "--seconds", "0.01"], Layout(2, 1))
    assert len(found) == 2
    assert all(result["rate"] > 0 and result["peak_rss_mib"] > 0 for result in found)


def test_a_case_that_fails_stops_the_run() -> None:
    with pytest.raises(SystemExit, match=r"benchmarks\.peak float16 failed"):
        in_processes("benchmarks.peak", ["float16"], Layout(1, 1))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_layouts_threads_reach_its_processes(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    before = torch.get_num_threads()
    monkeypatch.setenv(THREADS, str(threads))
    try:
        assert use_threads().threads == threads
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
