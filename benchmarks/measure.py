"""Fair timing: everything that is compared runs in turn in one call, each case in processes of its own."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from stages.support import settings
from stages.support.settings import Compute

THREADS = "BENCHMARK_THREADS"  # the environment's word from a layout to its processes


@dataclass(frozen=True)
class Layout:
    """How the cores are used: so many processes at once, each on so many threads."""

    processes: int
    threads: int

    def __str__(self) -> str:
        return f"{self.processes} x {self.threads} threads"


def use_threads() -> Compute:
    """Give torch the threads of this process's layout; all cores outside a layout. Returns params.yaml's compute so."""
    threads = int(os.environ.get(THREADS, os.cpu_count() or 1))
    torch.set_num_threads(threads)
    return settings.load().compute.model_copy(update={"threads": threads})


def layouts() -> list[Layout]:
    """One process on all cores, and one process a core."""
    cores = os.cpu_count() or 1
    return [Layout(1, cores), Layout(cores, 1)]


def rate(step: Callable[[], int], seconds: float) -> float:
    """Items a second of a function that does some items per call; two calls to warm up, then for ``seconds``."""
    step()
    step()
    started, items = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < seconds:
        items += step()
    return items / spent


def seconds_of(call: Callable[[], object], repeats: int = 3) -> float:
    """Median time of a call, seconds; the first call, which warms up, does not count where there are several."""
    found = []
    for _ in range(repeats + (repeats > 1)):
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return statistics.median(found[-repeats:])


def in_processes(module: str, arguments: Iterable[str], layout: Layout) -> list[dict[str, Any]]:
    """Run ``python -m module arguments`` in the layout's processes at once; the JSON that each prints last."""
    environment = os.environ | {THREADS: str(layout.threads)}
    command = [sys.executable, "-m", module, *arguments]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(layout.processes)
    ]
    found = []
    for process in running:
        printed, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed")
        found.append(json.loads(printed.splitlines()[-1]))
    return found


def alternate(module: str, cases: Iterable[str], rounds: int, seconds: float) -> dict[str, dict[str, Any]]:
    """Rates of each case in each layout, case after case within a round, so that a slow minute hits all of them."""
    found: dict[str, dict[str, Any]] = {case: {str(layout): [] for layout in layouts()} for case in cases}
    for _ in range(rounds):
        for layout in layouts():
            for case, rates in found.items():
                results = in_processes(module, [case, "--seconds", str(seconds)], layout)
                rates[str(layout)].append(sum(result["rate"] for result in results))
                rates["peak_rss_mib"] = max([rates.get("peak_rss_mib", 0), *(r["peak_rss_mib"] for r in results)])
    for case, rates in found.items():
        print(
            case,
            {key: value if key == "peak_rss_mib" else [round(v, 2) for v in value] for key, value in rates.items()},
        )
    return found


def best(rates: Mapping[str, Any]) -> list[float]:
    """The rates, a round each, of the layout that suits a case best."""
    return max((value for key, value in rates.items() if key != "peak_rss_mib"), key=statistics.median)


def ratio(ours: list[float], theirs: list[float]) -> tuple[float, float, float]:
    """Median, minimum and maximum of the ratio within a round."""
    each = [a / b for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(each), min(each), max(each)


def machine() -> dict[str, Any]:
    """Where and with what the numbers were made."""
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    packages = ("torch", "diffusers", "denoising-diffusion-pytorch", "pytorch-fid", "torch-fidelity", "scipy", "numpy")
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
        "packages": {name: _version(name) for name in packages},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []
