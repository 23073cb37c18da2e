"""Tables of earlier runs: other seeds of the same study for the claims, and what differs from it for the changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ddpm import artifacts
from stages.support import settings

FOLDER = Path("metrics/runs")
TABLE = "fid_of_T.csv"

# what may differ between runs that are judged together: which cells they have, and what no number depends on
_FREE = {"schedule", "T", "seed", "sampler", "grid", "schedules", "data"}
_FREE |= {"chains", "diff", "ideal", "ranking", "validation"}


def differences(ours: settings.Params, theirs: settings.Params) -> list[str]:
    """What two studies do differently, besides their cells: groups of parameters, and schedules of our grid."""
    a, b = (params.model_dump(exclude=_FREE) for params in (ours, theirs))
    found = [name for name in a if a[name] != b[name]]
    found += ["data.name"] if ours.data.name != theirs.data.name else []
    return found + [f"schedules.{s}" for s in ours.grid.schedule if ours.schedules.get(s) != theirs.schedules.get(s)]


def _folders() -> list[Path]:
    return sorted(path for path in FOLDER.iterdir() if path.is_dir()) if FOLDER.exists() else []


def _read(folder: Path) -> tuple[settings.Params, list[dict[str, Any]]]:
    where = folder / settings.PATH
    return settings.parse(artifacts.read_bytes(where).decode(), str(where)), artifacts.read_csv(folder / TABLE)


def _flat(groups: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters under dotted names."""
    found: dict[str, Any] = {}
    for name, value in groups.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def parameters(params: settings.Params) -> dict[str, Any]:
    """Dotted name -> value of every parameter that numbers depend on, but those of schedules, which have names."""
    return _flat(params.model_dump(mode="json", exclude=_FREE)) | {"data.name": params.data.name}


def every_row(ours: settings.Params, own: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of this study (``own``) and of all kept runs, each with its ``run`` and the parameters of that run.

    A cell whose schedule has other numbers than ours under the same name is left out: it is not what it is called.
    """
    runs = [("", ours, own), *((folder.name, *_read(folder)) for folder in _folders())]
    return [
        {"run": name} | parameters(params) | row
        for name, params, rows in runs
        for row in rows
        if params.schedules.get(row["schedule"]) == ours.schedules.get(row["schedule"])
    ]


def other_seeds(ours: settings.Params, say: Callable[[str], object] = lambda _: None) -> list[dict[str, Any]]:
    """Rows of the folders in metrics/runs/ that are ours but for the seed, in our grid, seeds that we have left out.

    ``say`` is told which runs are not taken, and why.
    """
    grid, rows = ours.grid, []
    seen = set(grid.seed)
    for folder in _folders():
        theirs, table = _read(folder)
        differ = differences(ours, theirs)
        if differ:
            say(f"{folder} is no part of the claims, it differs in {', '.join(differ)}")
            continue
        cells = {(s, T, m) for s in grid.schedule for T in grid.T for m in grid.sampler}
        for seed in sorted({row["seed"] for row in table} - seen):
            chosen = [row for row in table if row["seed"] == seed]
            chosen = [row for row in chosen if (row["schedule"], row["T"], row["sampler"]) in cells]
            if len(chosen) < len(cells):
                say(f"seed {seed} of {folder} is no part of the claims, it has {len(chosen)} of {len(cells)} cells")
                continue
            rows += chosen
            seen.add(seed)
    return rows
