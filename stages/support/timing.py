"""Timings of stages in a file that neither DVC nor Git tracks, since outputs must not depend on the clock."""

import json
import resource
import sys
from pathlib import Path

from stages.support.paths import root

TIMES = Path(".work/times.jsonl")


def record(stage: str, cell: str, wall_seconds: float, items: int) -> None:
    """Append one line; under DVC_ROOT, because `dvc exp run --temp` runs in a temporary folder.

    With the largest memory of this process so far, MiB (Linux counts in KiB; elsewhere the unit may differ). A file
    that cannot be written is a warning.
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
        # no result depends on it: a stage that is done stays done
        print(f"warning: {path}: the time is not recorded: {error.strerror}", file=sys.stderr)
