"""Tables of ratios over the seeds, for the documents."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from stages.analysis.ratios import METRIC_NAMES, logs_of, ratio
from stages.analysis.tables import Row, number, results

RATIOS = (
    "Cosine to sigmoid",
    "Cosine to sigmoid, with the clip",
    "Cosine to linear, with the clip",
    "Largest T to smallest, linear",
    "Largest T to smallest, sigmoid",
    "Largest T to smallest, cosine with the clip",
)


def by_metric(rows: Sequence[Row], confidence: float) -> dict[str, list[str]]:
    """Whether the answers depend on the metric: by metric, the ``RATIOS``, empty where one has no cells."""
    table = results(rows)
    all_T = sorted(table["T"].unique().tolist())

    def cells(schedule: str, sampler: str, *T: int) -> list[tuple[str, str, int]]:
        return [(schedule, sampler, each) for each in T]

    pairs = [
        (cells("cosine", "ancestral", *all_T), cells("sigmoid", "ancestral", *all_T)),
        (cells("cosine", "clipped", *all_T), cells("sigmoid", "clipped", *all_T)),
        (cells("cosine", "clipped", *all_T), cells("linear", "clipped", *all_T)),
        (cells("linear", "ancestral", all_T[-1]), cells("linear", "ancestral", all_T[0])),
        (cells("sigmoid", "ancestral", all_T[-1]), cells("sigmoid", "ancestral", all_T[0])),
        (cells("cosine", "clipped", all_T[-1]), cells("cosine", "clipped", all_T[0])),
    ]
    found = {}
    for column, name in METRIC_NAMES.items():
        logs = logs_of(table, column)
        ratios = [ratio(logs, above, below, confidence) for above, below in pairs]
        found[name] = ["" if one is None else one.times_of(len(logs)) for one in ratios]
    return found


def beyond(rows: Sequence[Row], grid_T: Sequence[int], confidence: float) -> tuple[list[str], list[list[str]]]:
    """FIDs at other T than the grid's against those at the nearer of the grid's ends, of the same seeds.

    Means over other seeds would differ by the trainings as well.

    Args:
        rows: at all T.
        grid_T: the grid's T.
        confidence: of the intervals.

    Returns:
        The header and the rows of a table: a row a schedule and sampler that has one, a column a T that the grid lacks.
    """
    logs = logs_of(results(rows), "fid")
    both = (min(grid_T), max(grid_T))
    other = sorted({row["T"] for row in rows} - {*grid_T})
    ends = {T: min(both, key=lambda end: abs(math.log(T / end))) for T in other}
    lines = []
    for kind in dict.fromkeys((row["schedule"], row["sampler"]) for row in rows):
        found = [ratio(logs, [(*kind, T)], [(*kind, end)], confidence) for T, end in ends.items()]
        if any(found):
            lines.append([", ".join(kind), *("" if one is None else one.times() for one in found)])
    return ["Schedule, sampler", *(f"T = {T} against {end}" for T, end in ends.items())], lines


def by_epochs(rows: Sequence[Row], usual: int, confidence: float) -> tuple[list[str], list[list[str]]]:
    """FIDs after other numbers of epochs beside those after the usual number, of the seeds that have all of them.

    Args:
        rows: with their ``epochs``.
        usual: the study's number of epochs.
        confidence: of the intervals.

    Returns:
        The header and the rows of a table: a row a T, schedule and sampler that has more than the usual number.
    """
    table = pd.DataFrame(list(rows))
    numbers, lines = sorted(table["epochs"].unique().tolist()), []
    for (T, schedule, sampler), cells in table.groupby(["T", "schedule", "sampler"], sort=False):
        fid = cells.pivot(index="seed", columns="epochs", values="fid").dropna()
        longest = max(fid.columns)
        if longest == usual or usual not in fid or fid.empty:
            continue
        logs = np.log(fid)
        found = ratio(logs, [longest], [usual], confidence)
        means = (number(math.exp(logs[n].mean())) if n in fid else "" for n in numbers)
        lines.append([f"T = {T}, {schedule}, {sampler}", str(len(fid)), *means, found.times() if found else ""])
    return ["Cells", "Seeds", *(f"{n} epochs" for n in numbers), f"Longest against {usual}"], lines
