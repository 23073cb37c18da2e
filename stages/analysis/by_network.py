"""FIDs of every network side by side: a row a network."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ddpm.errors import StudyError
from stages.analysis.named_networks import rows_by_network
from stages.analysis.ratios import logs_of, number_of_seeds, ratio
from stages.analysis.runs import Run
from stages.analysis.tables import SCHEDULES, Row, number, results
from stages.support import settings

ENOUGH = 3  # seeds, for an estimate of the scatter
# column -> schedule and sampler
KINDS = {
    "Linear, no clip": ("linear", "ancestral"),
    "Sigmoid, no clip": ("sigmoid", "ancestral"),
    "Cosine, no clip": ("cosine", "ancestral"),
    "Cosine, clip in the first step": ("cosine", "clipped-first"),
    "Cosine, clip in all steps": ("cosine", "clipped"),
}


def _worse_at(logs: pd.DataFrame, all_T: Sequence[int], shared: Sequence[int], confidence: float) -> str:
    """The ratio of cosine's distance to sigmoid's at the smallest and the largest of the T that all networks share.

    The mean over T, which the claim is about, would hide that the ratio depends on T. With fewer than three seeds it is
    the mean all the same, since the intervals at single T would say nothing.
    """

    def times(*T: int) -> str:
        cosine, sigmoid = ([(schedule, "ancestral", each) for each in T] for schedule in ("cosine", "sigmoid"))
        found = ratio(logs, cosine, sigmoid, confidence)
        return found.factor() if found else ""

    if len(logs) < ENOUGH:
        return f"{said}, mean over T" if (said := times(*all_T)) else ""
    at_T = {T: times(T) for T in (shared[0], shared[-1])}
    return "; ".join(f"{said} at T = {T}" for T, said in at_T.items() if said)


def _whole(table: pd.DataFrame) -> list[int]:
    """The seeds that have all three schedules."""
    schedules = table[table["sampler"] == "ancestral"].groupby("seed")["schedule"]
    return [int(seed) for seed, found in schedules if {*SCHEDULES} <= {*found}]


def _named(seeds: Sequence[int]) -> str:
    """Such as ``seed 5``, ``seeds 3 to 7`` or ``seeds 3, 5``; of seeds in ascending order."""
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"


def _range(table: pd.DataFrame, kind: tuple[str, str], of_row: Sequence[int]) -> str:
    """The lowest and the highest FID of a schedule and sampler; with its seeds, where they are not those of the row."""
    cells = table[(table["schedule"] == kind[0]) & (table["sampler"] == kind[1])]
    if cells.empty:
        return "not run"
    seeds = sorted(map(int, cells["seed"].unique()))
    said = f"{number(cells['fid'].min())} to {number(cells['fid'].max())}"
    return said if seeds == list(of_row) else f"{said} ({_named(seeds)})"


def by_network(of_networks: Mapping[str, Sequence[Row]], confidence: float) -> tuple[list[str], list[list[str]]]:
    """What there is of each network that has a seed with all schedules.

    Args:
        of_networks: the confirmatory rows of each, by name.
        confidence: of the intervals.

    Returns:
        The header and the rows of a table: a row a network, its FIDs from the lowest to the highest of a single model.
    """
    tables = {name: table for name, rows in of_networks.items() if _whole(table := results(rows))}
    of_each = {name: sorted(table["T"].unique().tolist()) for name, table in tables.items()}
    shared = sorted(set.intersection(*map(set, of_each.values()))) if of_each else []
    lines = []
    for name, table in tables.items():
        all_T, seeds = of_each[name], _whole(table)
        T = ", ".join(map(str, all_T)) if len(all_T) < 3 else f"{all_T[0]} to {all_T[-1]}"
        lines.append(
            [
                f"{name} ({number_of_seeds(len(seeds))}, T = {T})",
                *(_range(table, kind, seeds) for kind in KINDS.values()),
                _worse_at(logs_of(table[table["seed"].isin(seeds)], "fid"), all_T, shared or all_T, confidence),
            ]
        )
    return ["Network", *KINDS, "Ratio of cosine to sigmoid, no clip"], lines


def confirmed(params: settings.Params, runs: Sequence[Run], claims: Row) -> dict[str, Sequence[Row]]:
    """Name of every other network that has confirmatory seeds -> the rows of its cells that the verdicts use.

    Args:
        params: of this study.
        runs: metrics/runs.
        claims: of metrics/claims.json.

    Raises:
        StudyError: the claims name a network that conf/networks.yaml lacks.
    """
    others = rows_by_network(params, runs)
    if unknown := sorted(claims["networks"].keys() - others.keys()):
        raise StudyError(
            f"names the network {unknown[0]!r}, which conf/networks.yaml lacks",
            where="metrics/claims.json",
            hint="run `dvc repro claims`",
        )
    return {
        name: [row for row in others[name] if row["seed"] in of["seeds"] and row["T"] in of["T"]]
        for name, of in claims["networks"].items()
        if of["seeds"]
    }
