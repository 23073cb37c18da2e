"""The answer on the README's first screen: sentences whose numbers come from the tables and the claims."""

import math
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ddpm.errors import StudyError
from stages.analysis import statistics
from stages.analysis.tables import results

WIDTH = 130  # of the documents' lines
SCHEDULES = ("linear", "sigmoid", "cosine")
METRIC_NAMES = {"fid": "FID", "fid_infinity": "FID, n to infinity", "kid": "KID", "digits_distance": "digit classifier"}
RATIOS = (
    "Cosine to sigmoid",
    "Cosine to linear, with the clip",
    "Largest T to smallest, linear",
    "Largest T to smallest, sigmoid",
)
Row = Mapping[str, Any]
ANSWER = """**Answer** (FID of this study's network: means over {seeds} training seeds, range over T; real images
have {training} from the training set, {test} from the test set). Linear is best with {linear}; sigmoid
has {sigmoid}, and cosine {cosine}, with large differences between trainings. One step {explains}
cosine's excess: its first reverse step multiplies the network's error by {gain} at every T, and clipping
the predicted x_0 to [-1, 1] in that step alone gives {first}, like clipping in all steps ({clipped});
linear and sigmoid hardly change by it. More steps, in training and sampling alike, do not help: T =
{largest} has {ends} the FID of T = {smallest}; on cosine the trainings vary too much to tell:
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


class Ratio(NamedTuple):
    """A ratio of geometric means, with its confidence interval over the seeds; not finite where there is none."""

    estimate: float
    low: float
    high: float

    def interval(self) -> str:
        """Such as ``0.99 to 2.06``; empty where there is none."""
        return f"{self.low:.2f} to {self.high:.2f}" if math.isfinite(self.high) else ""

    def times(self, of: str = "") -> str:
        """Such as ``1.43 times (0.99 to 2.06; linear)``."""
        told = "; ".join(filter(None, [self.interval(), of]))
        return f"{self.estimate:.2f} times" + (f" ({told})" if told else "")


def ratio(logs: pd.DataFrame, above: Sequence[Any], below: Sequence[Any], confidence: float) -> Ratio | None:
    """How many times the mean over one set of columns is that over another; None where no seed has all of them.

    Args:
        logs: of distances, a row a seed, a column a ``(schedule, sampler, T)``.
        above, below: columns.
        confidence: of the interval.
    """
    if not {*above, *below} <= set(logs.columns):
        return None
    per_seed = (logs[list(above)].mean(axis=1, skipna=False) - logs[list(below)].mean(axis=1, skipna=False)).dropna()
    if per_seed.empty:
        return None
    low, high = statistics.interval(per_seed, confidence)
    return Ratio(math.exp(float(per_seed.mean())), math.exp(low), math.exp(high))


def logs_of(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Logarithms of one distance, a row a seed, a column a ``(schedule, sampler, T)``; NaN where it is not positive."""
    values = table.pivot(index="seed", columns=["schedule", "sampler", "T"], values=column).astype(np.float64)
    return np.log(values.where(values > 0))


def _over_T(means: Any) -> dict[str, str]:
    """What the answer says of a network: the range over T of mean FIDs by schedule, sampler and T."""
    asked = {name: (name, "ancestral") for name in SCHEDULES} | {"clipped": ("cosine", "clipped")}
    found = {}
    for name, key in asked.items():
        if key not in means.index.droplevel("T"):
            raise StudyError(f"no cells of {key[1]} on {key[0]}, which the answer names", where="metrics")
        found[name] = f"{means[key].min():.2f} to {means[key].max():.2f}"
    return found


def of_another(name: str, rows: Sequence[Row]) -> str:
    """What there is to say of another network."""
    table = results(rows)
    means = table.groupby(["schedule", "sampler", "T"])["fid"].mean()
    all_T = ", ".join(map(str, sorted(table["T"].unique().tolist())))
    return OTHER.format(name=name, all_T=all_T, seeds=table["seed"].nunique(), **_over_T(means))


def _ends(logs: pd.DataFrame, schedule: str, all_T: Sequence[int], confidence: float) -> Ratio:
    """Distance at the largest T over that at the smallest."""
    first, last = ((schedule, "ancestral", T) for T in (all_T[0], all_T[-1]))
    found = ratio(logs, [last], [first], confidence)
    if found is None:
        raise StudyError(f"no seed of {schedule} has T = {all_T[0]} and {all_T[-1]}", where="metrics")
    return found


def _worse(claim: Row) -> Ratio:
    """The ratio of cosine's distance to sigmoid's, by the claim cosine-worse."""
    low, high = (math.inf if claim[key] is None else claim[key] for key in ("low", "high"))
    return Ratio(*(math.exp(value) for value in (claim["estimate"], low, high)))


def by_metric(rows: Sequence[Row], confidence: float) -> dict[str, list[str]]:
    """Whether the answers depend on the metric: by metric, the ``RATIOS``, empty where one has no cells."""
    table = results(rows)
    all_T = sorted(table["T"].unique().tolist())

    def cells(schedule: str, sampler: str, *T: int) -> list[tuple[str, str, int]]:
        return [(schedule, sampler, each) for each in T]

    pairs = [
        (cells("cosine", "ancestral", *all_T), cells("sigmoid", "ancestral", *all_T)),
        (cells("cosine", "clipped", *all_T), cells("linear", "clipped", *all_T)),
        (cells("linear", "ancestral", all_T[-1]), cells("linear", "ancestral", all_T[0])),
        (cells("sigmoid", "ancestral", all_T[-1]), cells("sigmoid", "ancestral", all_T[0])),
    ]
    found = {}
    for column, name in METRIC_NAMES.items():
        logs = logs_of(table, column)
        ratios = [ratio(logs, above, below, confidence) for above, below in pairs]
        found[name] = ["" if one is None else one.times() for one in ratios]
    return found


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
    means = table.groupby(["schedule", "sampler", "T"])["fid"].mean()
    all_T = sorted(table["T"].unique().tolist())
    said = _over_T(means)
    first = table[(table["schedule"] == "cosine") & (table["sampler"] == "clipped-first")]
    if first.empty:
        raise StudyError(
            "no cells of clipped-first on cosine, which the answer names",
            where="metrics/runs",
            hint="run `make campaign ONLY=first-step-3`",
        )
    of_first = first.groupby("T")["fid"].mean()
    logs = logs_of(table, "fid")
    ends = {name: _ends(logs, name, all_T, claims["confidence"]) for name in SCHEDULES}
    gains = {f"{row['last_step_gain']:.0f}" for row in schedules if row["schedule"] == "cosine"}
    worse = claims["claims"]["cosine-worse"]
    there = {name: of["claims"].get("cosine-worse", {}) for name, of in claims["networks"].items()}
    elsewhere = " and ".join(
        f"{_worse(of).estimate:.2f} times ({name})" for name, of in there.items() if "estimate" in of
    )
    text = ANSWER.format(
        explains="explains" if claims["claims"]["one-step"]["verdict"] == "supported" else "seems to explain",
        gain=" to ".join(sorted(gains, key=float)),
        seeds=table["seed"].nunique(),
        training=f"{table['fid_floor'].mean():.2f}",
        test=f"{table['fid_test_images'].mean():.2f}",
        first=f"{of_first.min():.2f} to {of_first.max():.2f}",
        smallest=all_T[0],
        largest=all_T[-1],
        ends=" and ".join(ends[name].times(name) for name in ("linear", "sigmoid")),
        end_of_cosine=ends["cosine"].times(),
        worse=_worse(worse).times(),
        so=SO[worse["verdict"]],
        **said,
    )
    text += f" With other networks it is {elsewhere}." if elsewhere else ""
    parts = [text]
    if others:
        parts.append(f"**Other networks**: {'; '.join(of_another(*item) for item in others.items())}.")
    return "\n\n".join(fill(part, WIDTH) for part in parts)
