"""The study's results as the claims look at them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddpm.errors import StudyError
from stages.analysis.statistics import Evidence

Row = Mapping[str, Any]
Rule = Mapping[str, Any]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Finding:
    """What a claim comes to.

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


@dataclass(frozen=True)
class Tables:
    """All that the claims are judged on.

    Attributes:
        rows: one a cell and sampler: ``schedule, T, seed, sampler``, losses, and distances.
        alpha_bar: schedule -> T -> float64 ``[T + 1]``.
        tau_at_32: Kendall's tau between the ranking of cells at n = 32 and at full n, one a simulated draw.
        quality: which column of the rows is the distance to real images.
        sampler: whose rows count where a claim does not say otherwise.
        confidence: of intervals.
    """

    rows: Sequence[Row]
    alpha_bar: Mapping[str, Mapping[int, Array]]
    tau_at_32: Array
    quality: str
    sampler: str
    confidence: float

    @property
    def all_T(self) -> list[int]:
        """All T, ascending."""
        return sorted({row["T"] for row in self.rows})

    @property
    def varied_T(self) -> list[int]:
        """All T; StudyError when there is one alone, which says nothing of the effect of T."""
        if len(self.all_T) < 2:
            raise StudyError(f"the grid has no T but {self.all_T[0]}")
        return self.all_T

    def at_least(self, cells: int) -> None:
        """StudyError when there are fewer cells of a seed than a ranking needs."""
        if len(self.schedules) * len(self.all_T) < cells:
            raise StudyError(f"the grid has fewer than {cells} cells, too few to rank")

    @property
    def schedules(self) -> list[str]:
        """All schedules, in the grid's order."""
        return list(dict.fromkeys(row["schedule"] for row in self.rows))

    def bars(self, schedule: str) -> Mapping[int, Array]:
        """alpha_bar of one schedule for every T; StudyError when the study lacks the schedule."""
        if schedule not in self.alpha_bar:
            raise StudyError(f"the grid has no {schedule}")
        return self.alpha_bar[schedule]

    def log(self, column: str, schedule: str, T: int, seed: int, sampler: str | None = None) -> float:
        """Natural logarithm of one cell's value; StudyError when the cell is not in the study."""
        key = (schedule, T, seed, sampler or self.sampler)
        for row in self.rows:
            if (row["schedule"], row["T"], row["seed"], row["sampler"]) == key:
                if row[column] is None:
                    raise StudyError(f"{'-'.join(map(str, key))} has no {column}")
                return math.log(row[column])
        raise StudyError(f"the grid has no {'-'.join(map(str, key))}")

    def mean_log(self, column: str, schedule: str, seed: int, sampler: str | None = None) -> float:
        """Its mean over T."""
        return float(np.mean([self.log(column, schedule, T, seed, sampler) for T in self.all_T]))

    def per_seed(self, number: Callable[[int], float]) -> Array:
        """One number for each seed: the replicates of a claim about trained models."""
        return np.array([number(seed) for seed in sorted({row["seed"] for row in self.rows})])
