"""The points of the answer, a sentence or two each: intervals and verdicts decide the words."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from ddpm.errors import StudyError
from stages.analysis.ratios import Ratio, logs_of, number_of_seeds, ratio
from stages.analysis.tables import SCHEDULES, Row, results

OTHER_METRICS = {"KID": "kid", "a digit classifier": "digits_distance"}


class Study:
    """The confirmatory seeds' distances, and ratios of them."""

    def __init__(self, rows: Sequence[Row], confidence: float) -> None:
        self.table, self.confidence = results(rows), confidence
        self.all_T: list[int] = sorted(self.table["T"].unique().tolist())
        self.logs = logs_of(self.table, "fid")
        self.seeds = len(self.logs[[cell for name in SCHEDULES for cell in self.all_of(name, "ancestral")]].dropna())

    def all_of(self, schedule: str, sampler: str) -> list[tuple[str, str, int]]:
        return [(schedule, sampler, T) for T in self.all_T]

    def ratio(self, above: Sequence[Any], below: Sequence[Any]) -> Ratio:
        found = ratio(self.logs, above, below, self.confidence)
        if found is None:
            raise StudyError("no seed has all cells of a ratio that the answer names", where="metrics")
        return found

    def times(self, found: Ratio) -> str:
        return found.times_of(self.seeds)


def _listed(parts: Sequence[str]) -> str:
    """Such as ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _lowest(rows: Sequence[Row], confidence: float) -> tuple[str, bool] | None:
    """The schedule of the lowest mean FID without the clip, and whether its ratios to both others say so.

    Means over the T and seeds that have all three schedules; None where there are none.
    """
    table = results(rows)
    chosen = table[(table["sampler"] == "ancestral") & table["schedule"].isin(SCHEDULES)]
    fids = chosen.pivot(index=["T", "seed"], columns="schedule", values="fid").reindex(columns=SCHEDULES).dropna()
    if fids.empty:
        return None
    best = str(fids.apply(stats.gmean).idxmin())
    logs = np.log(fids).groupby(level="seed").mean()
    below = (ratio(logs, [name], [best], confidence) for name in SCHEDULES if name != best)
    return best, all(one is not None and one.low > 1 for one in below)


def lowest(networks: Mapping[str, Sequence[Row]], confidence: float) -> str:
    """The schedule of the lowest FID without the clip, with each network; open where an interval contains 1.

    Args:
        networks: name -> rows of its confirmatory seeds.
        confidence: of the intervals.
    """
    sure: dict[str, list[str]] = {}
    unsure: dict[str, list[str]] = {}
    for name, rows in networks.items():
        if (found := _lowest(rows, confidence)) is not None:
            schedule, shown = found
            (sure if shown else unsure).setdefault(schedule, []).append(f"with {name}")
    if len(sure) == 1 and not unsure:
        return f"Without the clip, the {next(iter(sure))} schedule has the lowest FID with each network below."
    if len(sure) == 1 and [*sure] == [*unsure]:
        ((schedule, names),) = unsure.items()
        return (
            f"Without the clip, {schedule} has the lowest FID; that is open only {_listed(names)} (its mean is lowest)."
        )
    each = [f"{schedule} has it {_listed(names)}" for schedule, names in sure.items()]
    depends = f"depends on the network: {', '.join(each)}" if sure else "is open"
    means = [
        f"; {_listed(names)} {schedule} has the lowest mean, but that is open" for schedule, names in unsure.items()
    ]
    return f"Which schedule has the lowest FID without the clip {depends}{''.join(means)}."


def _gain(schedules: Sequence[Row]) -> str:
    """What cosine's first reverse step multiplies the network's error by, at all T."""
    every = [row["error_gain"] for row in schedules if row["schedule"] == "cosine"]
    gains = sorted({"infinity" if gain is None else f"{gain:.3g}" for gain in every}, key=float)
    return f"by {gains[0]} at every T" if len(gains) == 1 else f"by {gains[0]} to {gains[-1]}"


def cause(study: Study, schedules: Sequence[Row], verdict: str) -> str:
    """Cosine against linear, and what its first reverse step has to do with it.

    Args:
        study: the confirmatory seeds.
        schedules: of metrics/schedules.csv.
        verdict: on the claim one-step.
    """
    linear = study.all_of("linear", "ancestral")
    whole, first = (study.ratio(study.all_of("cosine", sampler), linear) for sampler in ("ancestral", "clipped-first"))
    step = f"which multiplies the network's error {_gain(schedules)}"
    if verdict == "supported" and whole.low > 1 >= first.low:
        return (
            f"Without the clip, cosine's FID is {study.times(whole)} linear's because of its first reverse step, "
            f"{step}: with x_0 clipped in that step alone it is {study.times(first)} linear's."
        )
    return (
        f"Without the clip, cosine's FID is {study.times(whole)} linear's, and {study.times(first)} with x_0 clipped "
        f"in its first reverse step alone, {step}."
    )


def of_T(study: Study) -> list[str]:
    """What more steps do; nothing of a study of one T."""
    if len(study.all_T) < 2:
        return []
    kinds = {
        "linear": ("linear", "ancestral"),
        "sigmoid": ("sigmoid", "ancestral"),
        "cosine with the clip": ("cosine", "clipped"),
        "cosine without it": ("cosine", "ancestral"),
    }
    ends = {name: (study.all_of(*kind)[-1:], study.all_of(*kind)[:1]) for name, kind in kinds.items()}
    found = {name: study.ratio(*of) for name, of in ends.items()}
    *sure, without = found.values()
    *parts, last = (f"{one.factor_of(study.seeds)} on {name}" for name, one in found.items())
    if 0 < without.low < 1 < without.high < math.inf:
        last = f"on cosine without it the effect is open: {without.factor_of(study.seeds)}"
    smallest, largest = study.all_T[0], study.all_T[-1]
    if without.high < 1 or not all(one.low > 1 for one in sure):
        raising = f"Raising T from {smallest} to {largest}, in training and sampling, multiplies FID"
        return [f"{raising} by {_listed(parts)}; {last}."]
    classifier = "a digit classifier"
    logs = logs_of(study.table, OTHER_METRICS[classifier])
    by_classifier = [ratio(logs, *of, study.confidence) for of in ends.values()]
    unseen = all(one is not None and one.low <= 1 for one in by_classifier)
    but = f" By {classifier} no rise is seen." if unseen else ""
    instead = f"T = {largest} in place of {smallest}, in training and sampling, multiplies it"
    return [f"More steps raise FID with this study's network: {instead} by {_listed(parts)}; {last}.{but}"]


def _of_claim(claim: Row) -> Ratio:
    """The ratio of cosine's FID to sigmoid's, by the claim cosine-worse."""
    low, high = (math.inf if claim[key] is None else math.exp(claim[key]) for key in ("low", "high"))
    return Ratio(math.exp(claim["estimate"]), low, high, claim["n"])


def _so(claim: Row, where: str) -> str:
    """What follows for FID from cosine-worse, which is about the loss, too: refuted, it need not mean a lower FID."""
    if claim["verdict"] == "supported":
        return f"so cosine is worse {where}"
    if claim["verdict"] == "refuted" and _of_claim(claim).high < 1:
        return f"so cosine is not worse {where}"
    return f"which leaves open whether cosine is worse {where}"


def worse(study: Study, claim: Row) -> str:
    """Cosine against sigmoid, by FID and by the other metrics that have seeds whose distances are all positive."""
    cosine, sigmoid = (study.all_of(schedule, "ancestral") for schedule in ("cosine", "sigmoid"))
    others: dict[str, list[str]] = {}
    for metric, column in OTHER_METRICS.items():
        found = ratio(logs_of(study.table, column), cosine, sigmoid, study.confidence)
        if found is not None:
            so = "cosine is worse" if found.low > 1 else "cosine is better" if found.high < 1 else "this is open"
            others.setdefault(so, []).append(f"by {metric}, {study.times(found)},")
    by_others = "".join(f"; {_listed(said)} {so}" for so, said in others.items())
    times, so = study.times(_of_claim(claim)), _so(claim, "here by FID")
    return f"Without the clip, cosine's FID is {times} sigmoid's, {so}{by_others}.{_with_the_clip(study)}"


def _with_the_clip(study: Study) -> str:
    """The same with x_0 clipped in every step; nothing where sigmoid was not sampled so."""
    cosine, sigmoid = (study.all_of(schedule, "clipped") for schedule in ("cosine", "sigmoid"))
    found = ratio(study.logs, cosine, sigmoid, study.confidence)
    return "" if found is None else f" With the clip it is {study.times(found)}."


def elsewhere(networks: Row, here: str) -> list[str]:
    """The same with every other network that has seeds, in one point.

    Args:
        networks: of metrics/claims.json.
        here: the verdict on one-step with this study's network.
    """
    tested = {name: of["claims"] for name, of in networks.items() if of["claims"].get("cosine-worse", {}).get("n")}
    compared: list[str] = []
    for name, claims in tested.items():
        claim = claims["cosine-worse"]
        times = _of_claim(claim).times()
        ratio_is = f"it is {times}" if compared else f"cosine's FID is {times} sigmoid's"
        cells = f"T = {', '.join(map(str, networks[name]['T']))}; {number_of_seeds(claim['n'])}"
        compared.append(f"with {name} ({cells}), {ratio_is}, {_so(claim, 'there')}")
    alike = [name for name, claims in tested.items() if claims.get("one-step", {}).get("verdict") == "supported"]
    names = "with both" if alike == [*tested] and len(alike) == 2 else _listed([f"with {name}" for name in alike])
    too = ", too" if here == "supported" else ""
    step = [f"{names}, the first reverse step alone explains the clip's gain{too}"] if alike else []
    return [" ".join(f"{part[0].upper()}{part[1:]}." for part in ["; ".join(compared), *step])] if tested else []
