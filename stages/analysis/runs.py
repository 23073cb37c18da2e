"""Tables of earlier runs: other seeds of the same study for the claims, other studies for the comparisons."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.analysis.tables import AXES
from stages.support import settings

FOLDER = Path("metrics/runs")
TABLE = "fid_of_T.csv"
RANKING = "ranking.json"
RESTORE = "restore the folder from Git, or remove it"
WORDS = {"schedule", "sampler", "extractor", "weights_sha256"}  # columns of a table that are no numbers
NO_METRIC = {*WORDS, "T", "seed"}
POSITIVE = ("fid", "digits_distance")  # logarithms are taken of them

OF_A_NETWORK = {"network", "train", "compute"}  # groups that may differ between this study and another network's runs

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
    return [_run(folder) for folder in folders]


def _run(folder: Path) -> Run:
    params = settings.read(folder / settings.PATH, absent=RESTORE, wrong=RESTORE)
    return Run(folder, params, _table(folder / TABLE, params.grid, RESTORE))


def own_table(params: settings.Params) -> list[dict[str, Any]]:
    """The rows of metrics/fid_of_T.csv; StudyError unless they are those of the grid in params.yaml."""
    return _table(FOLDER.parent / TABLE, params.grid, "run `dvc repro aggregate`")


def _table(path: Path, grid: settings.Grid, hint: str) -> list[dict[str, Any]]:
    """A table with every cell of its grid once, or seeds would leave the claims unnoticed, and with numbers in it."""
    data = artifacts.read_bytes(path, hint)
    try:
        rows = artifacts.parse_csv(data, str(path))
    except StudyError as error:
        raise StudyError(error.what, where=error.where, hint=hint) from error
    cells = Counter(tuple(row.get(axis) for axis in AXES) for row in rows)
    if set(cells) != grid.rows():
        raise StudyError("not the table of the grid in its params.yaml", where=str(path), hint=hint)
    for row in rows:
        name = "-".join(str(row[axis]) for axis in AXES)
        if cells[tuple(row[axis] for axis in AXES)] > 1:
            raise StudyError(f"two rows of {name}", where=str(path), hint=hint)
        for column in (column for column in (*POSITIVE, *row) if column not in WORDS):
            value = row.get(column)
            low = 0 if column in POSITIVE else -math.inf
            absent = value is None and column != "fid"
            if not absent and not (isinstance(value, int | float) and low < value < math.inf):
                kind = "positive number" if column in POSITIVE else "number"
                raise StudyError(f"{name} has {value!r} as {column}, no {kind}", where=str(path), hint=hint)
    return rows


def parameters(params: settings.Params) -> dict[str, Any]:
    """Dotted name -> value of every parameter that numbers depend on, but those of schedules, which have names."""
    return settings.flat(params.model_dump(mode="json", exclude=_FREE)) | {"data.name": params.data.name}


def every_row(ours: settings.Params, own: list[dict[str, Any]], runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Rows of this study (``own``) and of kept runs, each with its ``run`` and the parameters of that run.

    A cell is excluded if its schedule has the same name but other parameters than in this study.
    """
    every = [("", ours, own), *((run.folder.name, run.params, run.rows) for run in runs)]
    return [
        {"run": name} | parameters(params) | row
        for name, params, rows in every
        for row in rows
        if params.schedules.get(row["schedule"]) == ours.schedules.get(row["schedule"])
    ]


def other_seeds(
    ours: settings.Params,
    runs: Iterable[Run],
    say: Callable[[str], object] = lambda _: None,
    *,
    any_sampler: bool = False,
) -> list[dict[str, Any]]:
    """Rows of the kept runs that are ours but for the seed or the sampler.

    A seed's cells of one schedule and sampler join when they cover the grid's T and this study lacks them, so that a
    run may have more seeds of one schedule, or only samplers that need no training.

    Args:
        ours: parameters of this study.
        runs: that were kept.
        say: called with the runs and seeds that are excluded, and why.
        any_sampler: also samplers that the grid lacks.
    """
    grid, rows = ours.grid, []
    taken = {(cell.schedule, cell.seed, sampler) for cell in grid.cells() for sampler in grid.sampler}
    for run in runs:
        differ = differences(ours, run.params)
        if differ:
            say(f"{run.folder} is excluded from the claims: it differs in {', '.join(differ)}")
            continue
        units: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
        for row in run.rows:
            wanted = row["schedule"] in grid.schedule and row["T"] in grid.T
            if wanted and (any_sampler or row["sampler"] in grid.sampler):
                units.setdefault((row["schedule"], row["seed"], row["sampler"]), []).append(row)
        new = {key: unit for key, unit in units.items() if key not in taken}
        whole = {key: unit for key, unit in new.items() if len(unit) == len(grid.T)}
        for key in (key for key in new if key not in whole and key[2] in grid.sampler):
            name = "{}, seed {}, {}".format(*key)
            say(f"{name} of {run.folder} is excluded from the claims: {len(new[key])} of {len(grid.T)} T")
        rows += [row for unit in whole.values() for row in unit]
        taken |= set(whole)
    return rows


def beside_the_grid(ours: settings.Params, runs: Iterable[Run]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What kept runs have of our schedules and samplers: at T beside the grid's, and after other numbers of epochs.

    Returns:
        rows at other T; rows at the grid's T with their ``epochs``, of runs that differ in the epochs alone.
    """
    grid, at_other_T, after_epochs = ours.grid, list[dict[str, Any]](), list[dict[str, Any]]()
    taken = set()
    for run in runs:
        epochs = run.params.train.epochs
        alike = run.params.model_copy(
            update={"train": run.params.train.model_copy(update={"epochs": ours.train.epochs})}
        )
        if differences(ours, alike):
            continue
        for row in run.rows:
            key = (epochs, *(row[axis] for axis in AXES))
            if row["schedule"] not in grid.schedule or row["sampler"] not in grid.sampler or key in taken:
                continue
            taken.add(key)
            if epochs == ours.train.epochs and row["T"] not in grid.T:
                at_other_T.append(row)
            if epochs != ours.train.epochs and row["T"] in grid.T:
                after_epochs.append(row | {"epochs": epochs})
    return at_other_T, after_epochs


def taus_of(
    sources: Iterable[tuple[Path, settings.Params]], sampler: str, schedules: Collection[str], all_T: Collection[int]
) -> dict[int, float]:
    """Seed -> mean tau at n = 32 of the folders that have a ranking.json of just the cells of these schedules and T.

    ``by_seed`` in ranking.json has the tau of every seed; an older table without it counts where it is of one seed.
    """
    found: dict[int, float] = {}
    for folder, params in sources:
        path = folder / RANKING
        asked = set(schedules) == set(params.grid.schedule) and set(all_T) == set(params.grid.T)
        if not asked or not path.exists():
            continue
        hint = "run `dvc repro ranking`" if folder == FOLDER.parent else RESTORE
        try:
            table = artifacts.parse_json(artifacts.read_bytes(path, hint), str(path))
            by_seed = table.get("by_seed", {}).get(sampler, {})
            if not by_seed and len(params.grid.seed) == 1 and sampler in table.get("mean_tau", {}):
                by_seed = {params.grid.seed[0]: table["mean_tau"][sampler]}
            found |= {int(seed): float(tau) for seed, tau in by_seed.items()}
        except StudyError as error:
            raise StudyError(error.what, where=error.where, hint=hint) from error
        except (AttributeError, TypeError, ValueError) as error:
            raise StudyError(f"not a table of rankings: {error}", where=str(path), hint=hint) from error
    return found


def rankings(ours: settings.Params, runs: Iterable[Run], sampler: str) -> dict[int, float]:
    """Seed -> mean tau at n = 32 of this study and of the kept runs that join it."""
    joined = [(run.folder, run.params) for run in runs if not differences(ours, run.params)]
    return taus_of([*joined, (FOLDER.parent, ours)], sampler, ours.grid.schedule, ours.grid.T)
