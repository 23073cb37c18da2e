"""Where the variance of log FID comes from: training, sampling, and the estimate from n samples; and rounding.

Training seeds x sampling seeds, one table a schedule and T: crossed random effects without replication. What is left
beside both main effects is the estimator's: with other images of the same law the FID of finite n changes, also by the
interaction of model and noise, which one value a cell cannot separate from it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from ddpm.errors import StudyError
from stages.analysis.tables import Row, largest_complete

PRECISION, SAMPLE_SEED = "compute.precision", "sample.seed"
EXACT = "float32"
NEEDS = {"training": "several training seeds x sampling seeds", "rounding": f"the same cells in {EXACT}"}


@dataclass(frozen=True)
class Crossed:
    """Components of variance of a crossed table, none below 0, and the p-values of the two main effects (F tests)."""

    rows: float
    columns: float
    rest: float
    rows_p: float
    columns_p: float


def crossed(values: ArrayLike) -> Crossed:
    """Components of variance by the mean squares of ``[rows, columns]`` (Searle, Casella and McCulloch 1992, ch. 4).

    Args:
        values: finite, at least 2 x 2; one value a cell.

    Raises:
        StudyError: another shape, or a value that is not finite.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or min(x.shape) < 2 or not np.isfinite(x).all():
        raise StudyError("a crossed table needs at least 2 x 2 finite values", where="variance")
    a, b = x.shape
    by_row, by_column = x.mean(axis=1), x.mean(axis=0)
    rest = x - by_row[:, None] - by_column + x.mean()
    degrees = (a - 1) * (b - 1)
    of_rows, of_columns = b * by_row.var(ddof=1), a * by_column.var(ddof=1)
    of_rest = float((rest**2).sum() / degrees)
    if of_rest <= 1e-24 * max(1.0, float((x**2).max())):  # rounding: no F statistic
        return Crossed(of_rows / b, of_columns / a, 0.0, float(of_rows == 0), float(of_columns == 0))
    return Crossed(
        max(0.0, (of_rows - of_rest) / b),
        max(0.0, (of_columns - of_rest) / a),
        of_rest,
        float(stats.f.sf(of_rows / of_rest, a - 1, degrees)),
        float(stats.f.sf(of_columns / of_rest, b - 1, degrees)),
    )


def rounding(before: ArrayLike, after: ArrayLike) -> float:
    """Variance by rounding, from the logarithms of the same cells computed with two roundings: half the mean square."""
    difference = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    return float((difference**2).mean() / 2)


def _alike(rows: Sequence[Row], usual: Mapping[str, Any], free: str, sampler: str, quality: str) -> pd.DataFrame:
    """``schedule, T, seed``, the free parameter and log distance of the rows that differ from us in it alone."""
    fixed = {name: value for name, value in usual.items() if name != free} | {"sampler": sampler}
    chosen = [row for row in rows if all(row.get(name) == value for name, value in fixed.items())]
    table = pd.DataFrame(chosen, columns=["schedule", "T", "seed", free, quality])
    table["log"] = np.log(table[quality].astype(np.float64))
    return table.drop_duplicates(["schedule", "T", "seed", free])


def _complete(cells: pd.DataFrame) -> pd.DataFrame:
    """Training seeds x sampling seeds, a large table without gaps."""
    table = cells.pivot_table(index="seed", columns="sampling", values="log")
    rows, columns = largest_complete({seed: frozenset(row.dropna().index) for seed, row in table.iterrows()})
    return table.loc[rows, sorted(columns)]


def components(rows: Sequence[Row], usual: Mapping[str, Any], sampler: str, quality: str) -> dict[str, Any]:
    """The table of components, an entry a schedule and T that has cells, and what there are no cells for.

    Args:
        rows: of this study and all kept runs, with the parameters of each (``runs.every_row``).
        usual: this study's parameters.
        sampler: whose rows count.
        quality: which column is the distance.

    Returns:
        ``components``: a row a cell and component, with variance, share of the sum, degrees of freedom and p; rounding
        has no share, since it works through training, whose component has it; ``absent``: a line for each that cannot
        be computed yet.
    """
    sampled = _alike(rows, usual, SAMPLE_SEED, sampler, quality)
    sampled["sampling"] = sampled[SAMPLE_SEED].fillna(sampled["seed"]).astype(int)
    sampled = sampled.drop_duplicates(["schedule", "T", "seed", "sampling"])
    rounded = _alike(rows, usual, PRECISION, sampler, quality)
    found: list[dict[str, Any]] = []
    missing: dict[tuple[str, str], list[str]] = {}
    for (schedule, T), cells in sampled.groupby(["schedule", "T"], sort=False):
        key = {"schedule": schedule, "T": int(T)}
        parts = _of_seeds(_complete(cells))
        total = sum(part["variance"] for part in parts) or math.inf
        parts = [part | {"share": part["variance"] / total} for part in parts]
        parts += _of_rounding(rounded, usual[PRECISION], str(schedule), int(T))
        there = {part["component"] for part in parts}
        for name in (name for name in NEEDS if name not in there):
            missing.setdefault((str(schedule), name), []).append(str(T))
        found += [key | part for part in parts]
    absent = [f"{schedule}: no runs of {NEEDS[name]} at T = {', '.join(T)}" for (schedule, name), T in missing.items()]
    return {"quantity": f"variance of the logarithm of {quality}", "components": found, "absent": absent}


def _of_seeds(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Training, sampling and estimator; nothing where the table is smaller than 2 x 2."""
    a, b = table.shape
    if min(a, b) < 2:
        return []
    of = crossed(table.to_numpy())
    return [
        {"component": "training", "variance": of.rows, "degrees": a - 1, "p": of.rows_p},
        {"component": "sampling", "variance": of.columns, "degrees": b - 1, "p": of.columns_p},
        {"component": "estimator", "variance": of.rest, "degrees": (a - 1) * (b - 1), "p": None},
    ]


def _of_rounding(table: pd.DataFrame, usual: str, schedule: str, T: int) -> list[dict[str, Any]]:
    """Rounding, from the usual precision and float32; nothing where no cell was computed in both."""
    cells = table[(table["schedule"] == schedule) & (table["T"] == T)]
    pairs = cells.pivot_table(index="seed", columns=PRECISION, values="log").reindex(columns=[usual, EXACT]).dropna()
    if usual == EXACT or not len(pairs):
        return []
    variance = rounding(pairs[usual], pairs[EXACT])
    return [{"component": "rounding", "variance": variance, "share": None, "degrees": len(pairs), "p": None}]
