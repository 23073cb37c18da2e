"""The answer on the README's first screen: sentences whose numbers come from the tables and the claims."""

import math
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import pandas as pd

from ddpm.errors import StudyError
from stages.analysis.tables import SCHEDULES, number, results
from stages.tools.ratios import Ratio, logs_of, number_of_seeds, ratio

WIDTH = 130  # of the documents' lines
ENOUGH = 3  # seeds, for an estimate of the scatter
Row = Mapping[str, Any]
ANSWER = """**Answer** (FID: lower is better, {test}ratios: geometric means over {seeds}
training seeds, with {confidence} % confidence intervals). To clip is to limit the image x_0 that the network
predicts to [-1, 1] in every step; the report does not. Without the clip, the linear schedule has the lowest
FID with each network below. Cosine {explains} worse than linear because of one step: its first reverse
step, from t = T, multiplies the network's error by {gain} at every T. With x_0 clipped in that step alone,
cosine's FID is {first} linear's. Raising T from {smallest} to {largest}, in training and sampling
together, does not lower this network's FID: it becomes {end_of_linear} as large on linear, {end_of_sigmoid} on sigmoid
and {end_with_clip} on cosine with the clip; on cosine without it the seeds differ too much to tell. Without
the clip cosine's FID is {worse} sigmoid's, {so}{kid}.{elsewhere}"""
# of the table by network: column -> schedule and sampler
KINDS = {
    "Linear": ("linear", "ancestral"),
    "Sigmoid": ("sigmoid", "ancestral"),
    "Cosine": ("cosine", "ancestral"),
    "Cosine, clip in the first step": ("cosine", "clipped-first"),
    "Cosine, clip in all steps": ("cosine", "clipped"),
}
SO = {
    "supported": "so cosine is worse here by FID",
    "refuted": "so cosine is not worse here by FID",
    "on the threshold": "so the two are level here",
    "undecided": "which leaves open whether cosine is worse here",
}
THERE = {"supported": "so cosine is worse there", "refuted": "so cosine is not worse there"}


def _ends(logs: pd.DataFrame, cells: tuple[str, str], all_T: Sequence[int], confidence: float) -> Ratio:
    """Distance at the largest T over that at the smallest, of a schedule and sampler."""
    first, last = ((*cells, T) for T in (all_T[0], all_T[-1]))
    found = ratio(logs, [last], [first], confidence)
    if found is None:
        raise StudyError(f"no seed of {cells[0]} has T = {all_T[0]} and {all_T[-1]}", where="metrics")
    return found


def _worse_at(logs: pd.DataFrame, all_T: Sequence[int], shared: Sequence[int], confidence: float) -> str:
    """The ratio of cosine's distance to sigmoid's at the smallest and the largest of the T that all networks share.

    The mean over T, which the claim is about, would hide that the ratio depends on T. With fewer than three seeds it is
    the mean all the same, since the intervals at single T would say nothing.
    """

    def times(*T: int) -> str:
        cosine, sigmoid = ([(schedule, "ancestral", each) for each in T] for schedule in ("cosine", "sigmoid"))
        found = ratio(logs, cosine, sigmoid, confidence)
        return found.times().replace(" times", "", 1) if found else ""

    if len(logs) < ENOUGH:
        return f"{said}, mean over T" if (said := times(*all_T)) else ""
    at_T = {T: times(T) for T in (shared[0], shared[-1])}
    return "; ".join(f"{said} at T = {T}" for T, said in at_T.items() if said)


def _kid(table: pd.DataFrame, all_T: Sequence[int], confidence: float) -> str:
    """The same ratio by KID, of the seeds whose KIDs are all positive; nothing where there are none."""
    cosine, sigmoid = ([(schedule, "ancestral", T) for T in all_T] for schedule in ("cosine", "sigmoid"))
    logs = logs_of(table, "kid")
    found = ratio(logs, cosine, sigmoid, confidence)
    return f"; by KID, another distance in the same features, it is {found.times_of(len(logs))}" if found else ""


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


def by_network(networks: Mapping[str, Sequence[Row]], confidence: float) -> tuple[list[str], list[list[str]]]:
    """What there is of each network that has a seed with all schedules.

    Args:
        networks: the confirmatory rows of each, by name.
        confidence: of the intervals.

    Returns:
        The header and the rows of a table: a row a network, its FIDs from the lowest to the highest of a single model.
    """
    tables = {name: table for name, rows in networks.items() if _whole(table := results(rows))}
    of_each = {name: sorted(table["T"].unique().tolist()) for name, table in tables.items()}
    shared = sorted(set.intersection(*map(set, of_each.values()))) if of_each else []
    lines = []
    for name, table in tables.items():
        all_T, seeds = of_each[name], _whole(table)
        T = ", ".join(map(str, all_T)) if len(all_T) < ENOUGH else f"{all_T[0]} to {all_T[-1]}"
        lines.append(
            [
                f"{name} ({number_of_seeds(len(seeds))}, T = {T})",
                *(_range(table, kind, seeds) for kind in KINDS.values()),
                _worse_at(logs_of(table[table["seed"].isin(seeds)], "fid"), all_T, shared or all_T, confidence),
            ]
        )
    return ["Network", *KINDS, "FID of cosine / FID of sigmoid, no clip"], lines


def _worse(claim: Row) -> Ratio:
    """The ratio of cosine's distance to sigmoid's, by the claim cosine-worse."""
    if claim["verdict"] not in SO:
        raise StudyError("no verdict on cosine-worse, which the answer names", where="metrics/claims.json")
    low, high = (math.inf if claim[key] is None else claim[key] for key in ("low", "high"))
    return Ratio(math.exp(claim["estimate"]), math.exp(low), math.exp(high), claim["n"])


def _elsewhere(networks: Mapping[str, Row]) -> str:
    """Where another network has a verdict on cosine: the ratio there, what follows, and whether by the same step."""
    said = []
    for name, claims in ((name, of["claims"]) for name, of in networks.items() if of["claims"]):
        worse, step = claims["cosine-worse"], claims.get("one-step", {}).get("verdict")
        if so := THERE.get(worse["verdict"]):
            again = ", again because of that step" if (worse["verdict"], step) == ("supported", "supported") else ""
            ratio_there = _worse(worse).times(number_of_seeds(worse["n"]))
            said.append(f" With {name}, cosine's FID is {ratio_there} sigmoid's, {so}{again}.")
    return "".join(said)


def _gain(schedules: Sequence[Row]) -> str:
    """What cosine's first reverse step multiplies the network's error by, at all T."""
    every = [row["error_gain"] for row in schedules if row["schedule"] == "cosine"]
    return " to ".join(sorted({"infinity" if gain is None else f"{gain:.0f}" for gain in every}, key=float))


def answer(rows: Sequence[Row], schedules: Sequence[Row], claims: Row) -> str:
    """The answer: an author reads again whether its words still fit when the numbers change.

    Args:
        rows: of the confirmatory seeds.
        schedules: of metrics/schedules.csv.
        claims: of metrics/claims.json.

    Raises:
        StudyError: a schedule or sampler that the answer names has no cells.
    """
    table, confidence = results(rows), claims["confidence"]
    all_T, logs = sorted(table["T"].unique().tolist()), logs_of(table, "fid")
    once, linear = ([(*kind, T) for T in all_T] for kind in (("cosine", "clipped-first"), ("linear", "ancestral")))
    first = ratio(logs, once, linear, confidence)
    if first is None:
        raise StudyError(
            "no seed has clipped-first on cosine at all T, which the answer names",
            where="metrics/runs",
            hint="run `make campaign ONLY=first-step-3`",
        )
    worse, of_all = claims["claims"]["cosine-worse"], len(logs)
    text = ANSWER.format(
        explains="is" if claims["claims"]["one-step"]["verdict"] == "supported" else "seems to be",
        gain=_gain(schedules),
        seeds=of_all,
        confidence=f"{100 * confidence:.0f}",
        test=f"real test images have {table['fid_test_images'].mean():.2f}; " if "fid_test_images" in table else "",
        first=first.times_of(of_all),
        smallest=all_T[0],
        largest=all_T[-1],
        end_of_linear=_ends(logs, ("linear", "ancestral"), all_T, confidence).times_of(of_all),
        end_of_sigmoid=_ends(logs, ("sigmoid", "ancestral"), all_T, confidence).times_of(of_all),
        end_with_clip=_ends(logs, ("cosine", "clipped"), all_T, confidence).times_of(of_all),
        worse=_worse(worse).times_of(of_all),
        so=SO[worse["verdict"]],
        kid=_kid(table, all_T, confidence),
        elsewhere=_elsewhere(claims["networks"]),
    )
    return fill(text, WIDTH)
