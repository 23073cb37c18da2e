"""What the pipeline costs beyond its computing, and where the time of the last full run went."""

import json
import subprocess
import sys
from collections import defaultdict
from functools import partial
from typing import Any

from benchmarks.measure import seconds_of
from stages.support import settings
from stages.support.timing import TIMES

STAGES = ("schedules", "train", "sample", "embed", "fid", "aggregate")


def start_seconds() -> dict[str, float]:
    """Starting a stage's process: Python, imports and the command line, up to its help text."""

    def start(stage: str) -> None:
        subprocess.run([sys.executable, "-m", f"stages.{stage}", "--help"], check=True, capture_output=True)

    return {stage: seconds_of(partial(start, stage)) for stage in STAGES}


def no_op_seconds() -> float | None:
    """`dvc repro` when nothing changed; None where the study has not run, since repro would run it."""
    dry = subprocess.run(["dvc", "repro", "--dry"], check=True, capture_output=True, text=True)
    if "Running stage" in dry.stdout:
        return None
    return seconds_of(lambda: subprocess.run(["dvc", "repro"], check=True, capture_output=True))


def breakdown() -> dict[str, dict[str, float]]:
    """The last time each stage of params.yaml's cells ran in this working tree: seconds, items and largest memory."""
    params = settings.load()
    grid = params.grid
    cells = {"", *map(str, grid.cells()), *(f"{cell}-{sampler}" for cell in grid.cells() for sampler in grid.sampler)}
    cells |= {f"{schedule}-{T}" for schedule in grid.schedule for T in params.ideal.T}  # of the ideal denoiser
    latest: dict[tuple[str, str], dict[str, Any]] = {}
    if TIMES.exists():
        for line in TIMES.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            if record["cell"] in cells:
                latest[record["stage"], record["cell"]] = record
    found: dict[str, dict[str, float]] = defaultdict(lambda: {"runs": 0, "seconds": 0.0, "items": 0, "peak_rss_mib": 0})
    for (stage, _), record in latest.items():
        row = found[stage]
        row["runs"] += 1
        row["seconds"] += record["wall_seconds"]
        row["items"] += record["items"]
        row["peak_rss_mib"] = max(row["peak_rss_mib"], record.get("peak_rss_mib", 0))
    return dict(found)
