"""The answer on the README's first screen: sentences whose numbers come from the tables and the claims."""

import math
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import pandas as pd
from scipy import stats

from ddpm.errors import StudyError
from stages.analysis.tables import number, results
from stages.tools.ratios import Ratio, logs_of, ratio

WIDTH = 130  # of the documents' lines
ENOUGH = 3  # seeds, for an estimate of the scatter
SCHEDULES = ("linear", "sigmoid", "cosine")
Row = Mapping[str, Any]
ANSWER = """**Answer** (FID of this study's network: geometric means over {seeds} training seeds, lowest to highest
over T = {smallest} to {largest}; ratios with {confidence} % intervals; real images have {training} from the training
set, {test} from the test set). Without clipping, linear is best with {linear}; sigmoid has {sigmoid}, and
cosine {cosine}, with large differences between trainings. One step {explains} cosine's excess in FID: its first
reverse step multiplies the network's error by {gain} at every T, and clipping the predicted x_0 to [-1, 1] in that
step alone gives {first} ({of_first} seeds), like clipping in all steps ({clipped}), which hardly changes linear
and sigmoid. From T = {smallest} on, more steps, in training and sampling together, bring no visible gain:
T = {largest} has {end_of_linear} the FID of T = {smallest} on linear, {end_of_sigmoid} on sigmoid and
{end_with_clip} on cosine with the clip; without it cosine's trainings vary too much to tell:
{end_of_cosine}. Without the clip cosine's FID is {worse} that of sigmoid, {so}."""
OTHER = (
    "{name} ({seeds} training seeds, T = {all_T}): linear {linear}, sigmoid {sigmoid}, cosine {cosine}, with the clip "
    "{clipped}"
)
SO = {
    "supported": "so cosine is worse here",
    "refuted": "so cosine is not worse here",
    "on the threshold": "so the two are level here",
    "undecided": "which leaves open whether cosine is worse here",
}


def _from_to(fids: Any) -> str:
    return f"{number(fids.min())} to {number(fids.max())}"


def _means(table: pd.DataFrame) -> Any:
    """Geometric mean FIDs over the seeds, by schedule, sampler and T."""
    return table.groupby(["schedule", "sampler", "T"])["fid"].agg(stats.gmean)


def _lowest_to_highest(fids: Any) -> dict[str, str]:
    """What the answer says of a network: the range of FIDs that are indexed by schedule, sampler and more."""
    asked = {name: (name, "ancestral") for name in SCHEDULES} | {"clipped": ("cosine", "clipped")}
    found = {}
    for name, key in asked.items():
        if key not in fids.index.droplevel(list(range(2, fids.index.nlevels))):
            raise StudyError(f"no cells of {key[1]} on {key[0]}, which the answer names", where="metrics")
        found[name] = _from_to(fids[key])
    return found


def of_another(name: str, rows: Sequence[Row]) -> str:
    """What there is to say of another network, by the seeds that have all schedules."""
    table = results(rows)
    schedules = table[table["sampler"] == "ancestral"].groupby("seed")["schedule"].nunique()
    table = table[table["seed"].isin(schedules.index[schedules == len(SCHEDULES)])]
    all_T = ", ".join(map(str, sorted(table["T"].unique().tolist())))
    fids = table.set_index(["schedule", "sampler", "T", "seed"])["fid"].sort_index()
    return OTHER.format(name=name, all_T=all_T, seeds=table["seed"].nunique(), **_lowest_to_highest(fids))


def _ends(logs: pd.DataFrame, cells: tuple[str, str], all_T: Sequence[int], confidence: float) -> Ratio:
    """Distance at the largest T over that at the smallest, of a schedule and sampler."""
    first, last = ((*cells, T) for T in (all_T[0], all_T[-1]))
    found = ratio(logs, [last], [first], confidence)
    if found is None:
        raise StudyError(f"no seed of {cells[0]} has T = {all_T[0]} and {all_T[-1]}", where="metrics")
    return found


def _elsewhere(name: str, rows: Sequence[Row], confidence: float) -> str:
    """The ratio of cosine's distance to sigmoid's with another network, at its smallest and largest T.

    The mean over T, which the claim is about, would hide that the ratio depends on T. With fewer than three seeds it is
    the mean all the same, since the intervals at single T would say nothing.
    """
    logs, all_T = logs_of(results(rows), "fid"), sorted({row["T"] for row in rows})

    def found(*T: int, of: str = "") -> str:
        cosine, sigmoid = ([(schedule, "ancestral", each) for each in T] for schedule in ("cosine", "sigmoid"))
        one = ratio(logs, cosine, sigmoid, confidence)
        return "" if one is None else one.times(of)

    if len(logs) < ENOUGH:
        return found(*all_T, of=f"{name}; {len(logs)} seed{'' if len(logs) == 1 else 's'}")
    by_T = [f"{times} at T = {T}" for T in dict.fromkeys((all_T[0], all_T[-1])) if (times := found(T))]
    return f"{' and '.join(by_T)} ({name})" if by_T else ""


def _worse(claim: Row) -> Ratio:
    """The ratio of cosine's distance to sigmoid's, by the claim cosine-worse."""
    if claim["verdict"] not in SO:
        raise StudyError("no verdict on cosine-worse, which the answer names", where="metrics/claims.json")
    low, high = (math.inf if claim[key] is None else claim[key] for key in ("low", "high"))
    return Ratio(*(math.exp(value) for value in (claim["estimate"], low, high)))


def answer(rows: Sequence[Row], schedules: Sequence[Row], claims: Row, others: Mapping[str, Sequence[Row]]) -> str:
    """The answer: an author reads again whether its words still fit when the numbers change.

    Args:
        rows: of the confirmatory seeds.
        schedules: of metrics/schedules.csv.
        claims: of metrics/claims.json.
        others: the confirmatory rows of other networks, by name.

    Raises:
        StudyError: a schedule or sampler that the answer names has no cells.
    """
    table = results(rows)
    means = _means(table)
    all_T = sorted(table["T"].unique().tolist())
    said = _lowest_to_highest(means)
    first = table[(table["schedule"] == "cosine") & (table["sampler"] == "clipped-first")]
    if first.empty:
        raise StudyError(
            "no cells of clipped-first on cosine, which the answer names",
            where="metrics/runs",
            hint="run `make campaign ONLY=first-step-3`",
        )
    logs = logs_of(table, "fid")
    plain = [(name, "ancestral") for name in SCHEDULES]
    ends = {cells: _ends(logs, cells, all_T, claims["confidence"]) for cells in [*plain, ("cosine", "clipped")]}
    every = [row["error_gain"] for row in schedules if row["schedule"] == "cosine"]
    gains = {"infinity" if gain is None else f"{gain:.0f}" for gain in every}
    worse = claims["claims"]["cosine-worse"]
    elsewhere = ", and ".join(filter(None, (_elsewhere(*item, claims["confidence"]) for item in others.items())))
    text = ANSWER.format(
        explains="accounts for" if claims["claims"]["one-step"]["verdict"] == "supported" else "seems to account for",
        gain=" to ".join(sorted(gains, key=float)),
        seeds=table["seed"].nunique(),
        confidence=f"{100 * claims['confidence']:.0f}",
        training=f"{table['fid_floor'].mean():.2f}",
        test=f"{table['fid_test_images'].mean():.2f}",
        first=_from_to(means["cosine", "clipped-first"]),
        of_first=first["seed"].nunique(),
        smallest=all_T[0],
        largest=all_T[-1],
        end_of_linear=ends["linear", "ancestral"].times(),
        end_of_sigmoid=ends["sigmoid", "ancestral"].times(),
        end_with_clip=ends["cosine", "clipped"].times(),
        end_of_cosine=ends["cosine", "ancestral"].times(),
        worse=_worse(worse).times(),
        so=SO[worse["verdict"]],
        **said,
    )
    text += f" With other networks it is {elsewhere}." if elsewhere else ""
    parts = [text]
    if others:
        told = "; ".join(of_another(*item) for item in others.items())
        parts.append(f"**Other networks** (lowest to highest FID of a single model): {told}.")
    return "\n\n".join(fill(part, WIDTH) for part in parts)
