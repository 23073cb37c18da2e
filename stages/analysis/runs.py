"""Tables of earlier runs: other seeds of the same study for the claims, other studies for the comparisons."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddpm import artifacts
from stages.support import settings

FOLDER = Path("metrics/runs")
TABLE = "fid_of_T.csv"

# what may differ between runs whose seeds count together: which cells they have, and what no number depends on
_FREE = {"schedule", "T", "seed", "sampler", "grid", "schedules", "data"}
_FREE |= {"chains", "diff", "ideal", "ranking", "validation"}


def differences(ours: settings.Params, theirs: settings.Params) -> list[str]:
    """How two studies differ, besides their cells: groups of parameters, and schedules of our grid."""
    a, b = (params.model_dump(exclude=_FREE) for params in (ours, theirs))
    found = [name for name in a if a[name] != b[name]]
    found += ["data.name"] if ours.data.name != theirs.data.name else []
    return found + [f"schedules.{s}" for s in ours.grid.schedule if ours.schedules.get(s) != theirs.schedules.get(s)]


@dataclass(frozen=True)
class Run:
    """A kept run: its folder, its parameters and the rows of its table."""

    folder: Path
    params: settings.Params
    rows: list[dict[str, Any]]


def kept_runs() -> list[Run]:
    """All runs in metrics/runs/, by name; StudyError when one lacks a file or has a damaged one."""
    folders = sorted(path for path in FOLDER.iterdir() if path.is_dir()) if FOLDER.exists() else []
    return [Run(folder, _parameters_of(folder), artifacts.read_csv(folder / TABLE)) for folder in folders]


def _parameters_of(folder: Path) -> settings.Params:
    hint = "restore the folder from Git, or remove it"
    return settings.load(folder / settings.PATH, absent=hint, wrong=hint)


def parameters(params: settings.Params) -> dict[str, Any]:
    """Dotted name -> value of every parameter that numbers depend on, but those of schedules, which have names."""
    return settings.flat(params.model_dump(mode="json", exclude=_FREE)) | {"data.name": params.data.name}


def every_row(ours: settings.Params, own: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of this study (``own``) and of all kept runs, each with its ``run`` and the parameters of that run.

    A cell is excluded if its schedule has the same name but other parameters than in this study.
    """
    runs = [("", ours, own), *((run.folder.name, run.params, run.rows) for run in kept_runs())]
    return [
        {"run": name} | parameters(params) | row
        for name, params, rows in runs
        for row in rows
        if params.schedules.get(row["schedule"]) == ours.schedules.get(row["schedule"])
    ]


def other_seeds(ours: settings.Params, say: Callable[[str], object] = lambda _: None) -> list[dict[str, Any]]:
    """Rows of the kept runs that are ours but for the seed: the cells of our grid, of seeds that it lacks.

    ``say`` is called with the runs that are excluded, and why.
    """
    grid, rows = ours.grid, []
    seen = set(grid.seed)
    cells = {(schedule, T, sampler) for schedule in grid.schedule for T in grid.T for sampler in grid.sampler}
    for run in kept_runs():
        differ = differences(ours, run.params)
        if differ:
            say(f"{run.folder} is excluded from the claims: it differs in {', '.join(differ)}")
            continue
        ours_in_run = [row for row in run.rows if (row["schedule"], row["T"], row["sampler"]) in cells]
        for seed in sorted({row["seed"] for row in run.rows} - seen):
            chosen = [row for row in ours_in_run if row["seed"] == seed]
            if len(chosen) < len(cells):
                say(f"seed {seed} of {run.folder} is excluded from the claims: {len(chosen)} of {len(cells)} cells")
                continue
            rows += chosen
            seen.add(seed)
    return rows
