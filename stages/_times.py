"""How long things took: a side file that neither DVC nor Git tracks, since outputs must not depend on the clock."""

import json
import os
from pathlib import Path

TIMES = Path(".work/times.jsonl")


def record(stage: str, cell: str, wall_seconds: float, items: int) -> None:
    """Append one line; under DVC_ROOT, because `dvc exp run --temp` runs in a folder that is thrown away."""
    path = Path(os.environ.get("DVC_ROOT", ".")) / TIMES
    path.parent.mkdir(parents=True, exist_ok=True)
    line = {"stage": stage, "cell": cell, "wall_seconds": round(wall_seconds, 2), "items": items}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
