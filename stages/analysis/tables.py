"""The study's results in the form that the claims use: pandas tables with a row a seed."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddpm.errors import StudyError
from stages.analysis.statistics import Evidence

Row = Mapping[str, Any]
Array = NDArray[np.float64]

AXES = ["schedule", "T", "seed", "sampler"]
SCHEDULES = ("linear", "sigmoid", "cosine")  # of the report and of its claims


@dataclass(frozen=True)
class Finding:
    """The result of testing a claim.

    Attributes:
        evidence: for and against.
        quantity: what its estimate is.
        plain: one sentence with the numbers in it.
        details: further numbers worth knowing.
    """

    evidence: Evidence
    quantity: str
    plain: str
    details: dict[str, float]


def results(rows: Iterable[Row]) -> pd.DataFrame:
    """Rows of fid_of_T.csv as a table; StudyError when there are none, or two of one configuration."""
    table = pd.DataFrame([dict(row) for row in rows])
    missing = [axis for axis in AXES if axis not in table]
    if missing:
        raise StudyError(f"the tables have no column {missing[0]!r}", hint="run `dvc repro`")
    twice = table[table.duplicated(AXES)]
    if len(twice):
        name = "-".join(str(twice.iloc[0][axis]) for axis in AXES)
        raise StudyError(f"the tables have two rows of {name}", hint="run `dvc repro`")
    return table


def largest_complete(cells: Mapping[Any, frozenset[Any]]) -> tuple[list[Any], frozenset[Any]]:
    """The rows and columns of a large table without gaps, from the columns that each row has; empty if there is none.

    Candidates are the sets of columns that one row, any two rows or all rows have. The one with the most cells is
    taken; a table of several rows comes before one of a single row.
    """
    sets = list(cells.values())
    if not sets:
        return [], frozenset()
    shared = {a & b for a, b in combinations_with_replacement(sets, 2)} | {frozenset.intersection(*sets)}

    def rows(columns: frozenset[Any]) -> list[Any]:
        return [row for row, found in cells.items() if found >= columns]

    wanted = [columns for columns in shared if columns]
    if not wanted:
        return [], frozenset()
    sizes = {columns: len(rows(columns)) for columns in wanted}
    best = max(wanted, key=lambda columns: (sizes[columns] > 1, sizes[columns] * len(columns), sorted(columns)))
    return rows(best), best


@dataclass(frozen=True)
class Tables:
    """All results that the claims depend on.

    Attributes:
        rows: as ``results`` makes it, a row a configuration: ``schedule, T, seed, sampler``, losses, and distances.
        alpha_bar: schedule -> T -> float64 ``[T + 1]``.
        tau_at_32: seed -> Kendall's tau between the ranking of its cells at n = 32 and at full n, mean of many draws.
        quality: which column of the rows is the distance to real images.
        sampler: whose rows count where a claim does not say otherwise.
        confidence: of intervals.
    """

    rows: pd.DataFrame
    alpha_bar: Mapping[str, Mapping[int, Array]]
    tau_at_32: Mapping[int, float]
    quality: str
    sampler: str
    confidence: float

    def of_seeds(self, first: int, last: float = math.inf) -> "Tables":
        """The results of seeds ``first`` to ``last``, both included; they may be none."""
        taus = {seed: tau for seed, tau in self.tau_at_32.items() if first <= seed <= last}
        return replace(self, rows=self.rows[self.rows["seed"].between(first, last)], tau_at_32=taus)

    @property
    def seeds(self) -> list[int]:
        """All training seeds, ascending."""
        return sorted(self.rows["seed"].unique().tolist())

    @property
    def all_T(self) -> list[int]:
        """All T, ascending."""
        return sorted(self.rows["T"].unique().tolist())

    def need_two_T(self) -> None:
        """StudyError if the grid has only one T."""
        if len(self.all_T) < 2:
            raise StudyError(f"the grid has only T = {self.all_T[0]}")

    def at_least(self, cells: int) -> None:
        """StudyError when there are fewer cells of a seed than a ranking needs."""
        if len(self.schedules) * len(self.all_T) < cells:
            raise StudyError(f"the grid has fewer than {cells} cells, too few to rank")

    @property
    def schedules(self) -> list[str]:
        """All schedules, in the grid's order."""
        return list(self.rows["schedule"].unique())

    def bars(self, schedule: str) -> Mapping[int, Array]:
        """alpha_bar of one schedule for every T; StudyError when the study lacks the schedule."""
        if schedule not in self.alpha_bar:
            raise StudyError(f"the grid has no {schedule}")
        return self.alpha_bar[schedule]

    def logs(self, column: str, schedule: str, sampler: str | None = None) -> pd.DataFrame:
        """Natural logarithms of one schedule's values, float64 ``[seed, T]``, labelled by both.

        The seeds are those that have cells of this schedule and sampler; they may be fewer than the study's.

        Raises:
            StudyError: a configuration that the study lacks, or one without a positive value in that column.
        """
        if column not in self.rows:
            raise StudyError(f"the tables have no column {column!r}")
        sampler = sampler or self.sampler
        chosen = self.rows[(self.rows["schedule"] == schedule) & (self.rows["sampler"] == sampler)]
        values = chosen.pivot(index="seed", columns="T", values=column).astype(np.float64)
        values = values.reindex(index=values.index.tolist() or self.seeds, columns=self.all_T)
        if not (values > 0).all(axis=None):
            there = set(zip(chosen["seed"], chosen["T"], strict=True))
            cells = list(product(values.index, values.columns))
            for seed, T in (cell for cell in cells if cell not in there):
                raise StudyError(f"the grid has no {schedule}-{T}-{seed}-{sampler}")
            for seed, T in (cell for cell in cells if not values.loc[cell] > 0):
                lacks = f"no {column}" if np.isnan(values.loc[seed, T]) else f"a {column} of {values.loc[seed, T]:g}"
                raise StudyError(f"{schedule}-{T}-{seed}-{sampler} has {lacks}")
        return np.log(values)

    def has(self, sampler: str, schedules: Iterable[str]) -> bool:
        """Whether there are cells of this sampler on each of these schedules."""
        found = set(self.rows.loc[self.rows["sampler"] == sampler, "schedule"])
        return found >= set(schedules)

    def covers(self, column: str) -> bool:
        """Whether every cell has a positive value in a column."""
        return column in self.rows and bool((self.rows[column] > 0).all())


def number(value: float) -> str:
    """A ratio or a distance, for sentences: with two decimals, or two digits below 0.1; three digits from 10."""
    if 0 < value < 0.1:
        return f"{value:.2g}"
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def factor(log_ratio: float) -> str:
    """A log ratio as a factor, for sentences."""
    return number(math.exp(log_ratio))


def times(log_ratio: float) -> str:
    """The same, as one quantity in units of another."""
    return f"{factor(log_ratio)} times"


def spread(low: float, high: float, of: str = "", show: Callable[[float], str] = factor) -> str:
    """A confidence interval in brackets, such as `` (0.99 to 2.06; linear)``; without numbers where there is none.

    Args:
        low, high: not finite where there is none.
        of: what else to say in the brackets.
        show: a bound as text; that of a log ratio is a factor.
    """
    interval = f"{show(low)} to {show(high)}" if math.isfinite(high - low) else ""
    told = "; ".join(filter(None, [interval, of]))
    return f" ({told})" if told else ""


def p_value(p: float) -> str:
    """A p-value, for tables: with two digits, or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def per_seed(values: pd.Series) -> pd.Series:
    """The values of the seeds that have one; StudyError when none has."""
    found: pd.Series = values.dropna()
    if not len(found):
        raise StudyError("no seed has all the cells that this compares")
    return found


def contrast(tables: Tables, column: str, first: str, second: str) -> pd.Series:
    """Log ratio of two schedules' values, mean over T, one a seed that has both."""
    difference = tables.logs(column, first) - tables.logs(column, second)
    return per_seed(difference.mean(axis=1, skipna=False))
