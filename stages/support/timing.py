"""Timings of stages in a file that neither DVC nor Git tracks, since outputs must not depend on the clock."""

import json
import resource
from pathlib import Path

from ddpm.errors import StudyError
from stages.support.paths import root

TIMES = Path(".work/times.jsonl")


def record(stage: str, cell: str, wall_seconds: float, items: int) -> None:
    """Append one line; under DVC_ROOT, because `dvc exp run --temp` runs in a temporary folder.

    With the largest memory of this process so far, MiB (Linux counts in KiB; elsewhere the unit may differ).
    """
    path = root() / TIMES
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    line = {
        "stage": stage,
        "cell": cell,
        "wall_seconds": round(wall_seconds, 2),
        "items": items,
        "peak_rss_mib": peak,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise StudyError(f"cannot write: {error.strerror}", where=str(path), hint="correct the permissions") from error
