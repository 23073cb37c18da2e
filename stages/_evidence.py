"""Tables of earlier runs of the same study with other seeds, for the claims."""

import sys
from pathlib import Path
from typing import Any

from ddpm import artifacts
from stages import _params

FOLDER = Path("evidence")
TABLE = "fid_of_T.csv"

# what may differ between runs that are judged together: which cells they have, and what no number depends on
_FREE = {"schedule", "T", "seed", "sampler", "grid", "schedules", "data"}
_FREE |= {"chains", "diff", "ideal", "ranking", "validation"}


def differences(ours: _params.Params, theirs: _params.Params) -> list[str]:
    """What two studies do differently, besides their cells: groups of parameters, and schedules of our grid."""
    a, b = (params.model_dump(exclude=_FREE) for params in (ours, theirs))
    found = [name for name in a if a[name] != b[name]]
    found += ["data.name"] if ours.data.name != theirs.data.name else []
    return found + [f"schedules.{s}" for s in ours.grid.schedule if ours.schedules.get(s) != theirs.schedules.get(s)]


def other_seeds(ours: _params.Params) -> list[dict[str, Any]]:
    """Rows of the folders in evidence/ that are ours but for the seed, in our grid, seeds that we have left out."""
    grid, rows = ours.grid, []
    seen = set(grid.seed)
    for folder in sorted(path for path in FOLDER.iterdir() if path.is_dir()) if FOLDER.exists() else []:
        where = folder / _params.PATH
        differ = differences(ours, _params.parse(artifacts.read_bytes(where).decode(), str(where)))
        if differ:
            print(f"warning: {folder} is left out, it differs in {', '.join(differ)}", file=sys.stderr)
            continue
        table = artifacts.read_csv(folder / TABLE)
        cells = {(s, T, m) for s in grid.schedule for T in grid.T for m in grid.sampler}
        for seed in sorted({row["seed"] for row in table} - seen):
            chosen = [row for row in table if row["seed"] == seed]
            chosen = [row for row in chosen if (row["schedule"], row["T"], row["sampler"]) in cells]
            if len(chosen) < len(cells):
                print(f"warning: seed {seed} of {folder} has {len(chosen)} of {len(cells)} cells", file=sys.stderr)
                continue
            rows += chosen
            seen.add(seed)
    return rows
