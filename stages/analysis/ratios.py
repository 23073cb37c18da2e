"""Ratios of FIDs and other distances over the seeds, and how they are said."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stages.analysis import statistics
from stages.analysis.tables import number, spread

METRIC_NAMES = {"fid": "FID", "fid_infinity": "FID, n to infinity", "kid": "KID", "digits_distance": "digit classifier"}


def metric_name(column: str) -> str:
    """What tables and figures call a metric: a column of fid_of_T.csv."""
    return METRIC_NAMES.get(column, column)


def number_of_seeds(count: int) -> str:
    """Such as ``3 seeds``."""
    return f"{count} seed{'' if count == 1 else 's'}"


class Ratio(NamedTuple):
    """A ratio of geometric means, with its confidence interval over n seeds; not finite where there is none."""

    estimate: float
    low: float
    high: float
    n: int

    def factor(self, of: str = "") -> str:
        """Such as ``1.43 (0.99 to 2.06; linear)``."""
        return f"{number(self.estimate)}{spread(self.low, self.high, of, number)}"

    def times(self, of: str = "") -> str:
        """Such as ``1.43 times (0.99 to 2.06; linear)``."""
        return f"{number(self.estimate)} times{spread(self.low, self.high, of, number)}"

    def factor_of(self, seeds: int) -> str:
        """As ``factor``, with the number of seeds where it is not that of the table or the text."""
        return self.factor(self._other_than(seeds))

    def times_of(self, seeds: int) -> str:
        """As ``times``, with the number of seeds where it is not that of the table or the text."""
        return self.times(self._other_than(seeds))

    def _other_than(self, seeds: int) -> str:
        return "" if self.n == seeds else number_of_seeds(self.n)


def ratio(logs: pd.DataFrame, above: Sequence[Any], below: Sequence[Any], confidence: float) -> Ratio | None:
    """How many times the mean over one set of columns is that over another; None where no seed has all of them.

    Args:
        logs: of distances, a row a seed, a column a kind of cell, such as ``(schedule, sampler, T)``.
        above, below: columns.
        confidence: of the interval.
    """
    if not {*above, *below} <= set(logs.columns):
        return None
    per_seed = (logs[list(above)].mean(axis=1, skipna=False) - logs[list(below)].mean(axis=1, skipna=False)).dropna()
    if per_seed.empty:
        return None
    low, high = statistics.interval(per_seed, confidence)
    return Ratio(math.exp(float(per_seed.mean())), math.exp(low), math.exp(high), len(per_seed))


def logs_of(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Logarithms of one distance, a row a seed, a column a ``(schedule, sampler, T)``; NaN where it is not positive."""
    values = table.pivot(index="seed", columns=["schedule", "sampler", "T"], values=column).astype(np.float64)
    return np.log(values.where(values > 0))
