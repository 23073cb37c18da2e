"""The answer in a few sentences, of which the tables and the verdicts decide the numbers and the words."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
from scipy import stats

from ddpm.errors import StudyError
from stages.analysis.ratios import Ratio, logs_of, number_of_seeds, ratio
from stages.analysis.tables import SCHEDULES, results

Row = Mapping[str, Any]
NEEDED = (  # schedule and sampler of every cell that the answer names
    *((schedule, "ancestral") for schedule in SCHEDULES),
    ("cosine", "clipped"),
    ("cosine", "clipped-first"),
)
SO = {
    "supported": "so cosine is worse here by FID",
    "refuted": "so cosine is not worse here by FID",
    "on the threshold": "so the two are level here",
    "undecided": "which leaves open whether cosine is worse here",
}
THERE = {"supported": "so cosine is worse there", "refuted": "so cosine is not worse there"}


def lacking(rows: Sequence[Row], claims: Row) -> str:
    """What the answer needs and a study has not, such as ``clipped-first on cosine at all T``; empty if it has all.

    Args:
        rows: of the confirmatory seeds.
        claims: of metrics/claims.json.
    """
    if not rows:
        return "a confirmatory seed"
    table = results(rows)
    all_T, logs = table["T"].unique(), logs_of(table, "fid")
    for schedule, sampler in NEEDED:
        cells = [(schedule, sampler, T) for T in all_T]
        if not {*cells} <= {*logs.columns} or logs[cells].dropna().empty:
            return f"a seed with {sampler} on {schedule} at all T"
    return "" if claims["claims"]["cosine-worse"]["verdict"] in SO else "a verdict on cosine-worse"


class _Study:
    """The confirmatory seeds' distances, and ratios of them."""

    def __init__(self, rows: Sequence[Row], confidence: float) -> None:
        self.table, self.confidence = results(rows), confidence
        self.all_T: list[int] = sorted(self.table["T"].unique().tolist())
        self.logs = logs_of(self.table, "fid")
        self.seeds = len(self.logs)

    def all_of(self, schedule: str, sampler: str) -> list[tuple[str, str, int]]:
        return [(schedule, sampler, T) for T in self.all_T]

    def ratio(self, above: Sequence[Any], below: Sequence[Any], logs: pd.DataFrame | None = None) -> Ratio:
        found = ratio(self.logs if logs is None else logs, above, below, self.confidence)
        if found is None:
            raise StudyError("no seed has all cells of a ratio that the answer names", where="metrics")
        return found

    def of_largest_T(self, schedule: str, sampler: str) -> Ratio:
        """FID at the largest T over that at the smallest."""
        cells = self.all_of(schedule, sampler)
        return self.ratio(cells[-1:], cells[:1])


def _listed(parts: Sequence[str]) -> str:
    """Such as ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _lowest(networks: Mapping[str, Sequence[Row]]) -> str:
    """The schedule of the lowest FID without the clip, mean over T and seeds, with each network."""
    best: dict[str, list[str]] = {}
    for name, rows in networks.items():
        table = results(rows)
        fids = table[table["sampler"] == "ancestral"].groupby("schedule")["fid"].agg(stats.gmean)
        if {*SCHEDULES} <= {*fids.index}:
            best.setdefault(str(fids.idxmin()), []).append(name)
    if len(best) == 1:
        return f"the {next(iter(best))} schedule has the lowest FID with each network below"
    return f"the lowest FID has {_listed([f'{schedule} with {_listed(names)}' for schedule, names in best.items()])}"


def _gain(schedules: Sequence[Row]) -> str:
    """What cosine's first reverse step multiplies the network's error by, at all T."""
    every = [row["error_gain"] for row in schedules if row["schedule"] == "cosine"]
    gains = sorted({"infinity" if gain is None else f"{gain:.0f}" for gain in every}, key=float)
    return f"by {gains[0]} at every T" if len(gains) == 1 else f"by {gains[0]} to {gains[-1]}"


def _cause(study: _Study, schedules: Sequence[Row], verdict: str) -> str:
    """The first reverse step and what it does to cosine."""
    first = study.ratio(study.all_of("cosine", "clipped-first"), study.all_of("linear", "ancestral"))
    step = f"its first reverse step, from t = T, multiplies the network's error {_gain(schedules)}"
    alone = f"With x_0 clipped in that step alone, cosine's FID is {first.times_of(study.seeds)} linear's."
    if verdict == "supported":
        return f"Cosine is worse than linear because of one step: {step}. {alone}"
    return f"That cosine is worse than linear because of one step is {verdict}: {step}. {alone}"


def _of_T(study: _Study) -> str:
    """What more steps do, where the seeds tell; a single seed has numbers without an interval."""
    kinds = {
        "on linear": ("linear", "ancestral"),
        "on sigmoid": ("sigmoid", "ancestral"),
        "on cosine with the clip": ("cosine", "clipped"),
    }
    found = {name: study.of_largest_T(*kind) for name, kind in kinds.items()}
    says = "does not lower" if all(one.low > 1 for one in found.values()) else "changes"
    parts = [f"{one.times_of(study.seeds)} {name}" for name, one in found.items()]
    parts[0] = parts[0].replace(" on ", " as large on ")
    without = study.of_largest_T("cosine", "ancestral")
    if 0 < without.low <= 1 <= without.high < math.inf:
        last = "; on cosine without it the seeds differ too much to tell"
    else:
        last = f"; on cosine without it {without.times_of(study.seeds)}"
    return (
        f"Raising T from {study.all_T[0]} to {study.all_T[-1]}, in training and sampling together, {says} this "
        f"network's FID: it becomes {_listed(parts)}{last}."
    )


def _kid(study: _Study) -> str:
    """Cosine's KID over sigmoid's, of the seeds whose KIDs are all positive; nothing where there are none."""
    logs = logs_of(study.table, "kid")
    found = ratio(logs, study.all_of("cosine", "ancestral"), study.all_of("sigmoid", "ancestral"), study.confidence)
    return f"; by KID, another distance in the same features, it is {found.times_of(len(logs))}" if found else ""


def _of_claim(claim: Row) -> Ratio:
    """The ratio of cosine's distance to sigmoid's, by the claim cosine-worse."""
    low, high = (math.inf if claim[key] is None else claim[key] for key in ("low", "high"))
    return Ratio(math.exp(claim["estimate"]), math.exp(low), math.exp(high), claim["n"])


def _worse(study: _Study, claims: Row) -> list[str]:
    """Cosine against sigmoid here, and with every other network that has a verdict on it."""
    here = claims["claims"]["cosine-worse"]
    times = _of_claim(here).times_of(study.seeds)
    said = [f"Without the clip cosine's FID is {times} sigmoid's, {SO[here['verdict']]}{_kid(study)}."]
    for name, found in ((name, of["claims"]) for name, of in claims["networks"].items() if of["claims"]):
        worse, step = found["cosine-worse"], found.get("one-step", {}).get("verdict")
        if so := THERE.get(worse["verdict"]):
            again = ", again because of that step" if (worse["verdict"], step) == ("supported", "supported") else ""
            times = _of_claim(worse).times(number_of_seeds(worse["n"]))
            said.append(f"With {name}, cosine's FID is {times} sigmoid's, {so}{again}.")
    return said


class Answer(NamedTuple):
    """What the numbers are, and what they say, a sentence or two a point."""

    basis: str
    points: list[str]


def answer(networks: Mapping[str, Sequence[Row]], schedules: Sequence[Row], claims: Row) -> Answer:
    """The answer to how the schedule and T decide the quality.

    Args:
        networks: name -> rows of the confirmatory seeds; this study's network first.
        schedules: of metrics/schedules.csv.
        claims: of metrics/claims.json.

    Raises:
        StudyError: the study lacks what the answer names.
    """
    rows = next(iter(networks.values()))
    if lack := lacking(rows, claims):
        raise StudyError(
            f"lacks {lack}, which the answer names",
            where="metrics/runs",
            hint="run `make campaign ONLY=seed-3` and `make campaign ONLY=first-step-3`",
        )
    study = _Study(rows, claims["confidence"])
    real = study.table.get("fid_test_images")
    test = "" if real is None else f"real test images have {real.mean():.2f}; "
    return Answer(
        f"FID: lower is better, {test}ratios: geometric means over {study.seeds} training seeds, with "
        f"{100 * study.confidence:.0f} % confidence intervals",
        [
            f"Without the clip, {_lowest(networks)}.",
            _cause(study, schedules, claims["claims"]["one-step"]["verdict"]),
            _of_T(study),
            *_worse(study, claims),
        ],
    )
