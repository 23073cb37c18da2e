"""Tests of the report's claims about the distance to real images: one number per seed; ratios as logarithms."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from ddpm.errors import StudyError
from ddpm.quality.rank_agreement import kendall_tau
from stages.analysis import statistics
from stages.analysis.claims_on_the_first_step import FIRST_STEP
from stages.analysis.statistics import Evidence, Part
from stages.analysis.tables import SCHEDULES, Finding, Tables, contrast, factor, per_seed, spread, times


def _shared(tables: Tables, sampler: str | None) -> pd.DataFrame:
    """Log ratio of distance, cosine to sigmoid, ``[seed, T]``, of the seeds that have both; there may be none."""
    cosine, sigmoid = (tables.logs(tables.quality, name, sampler) for name in ("cosine", "sigmoid"))
    ratios: pd.DataFrame = (cosine - sigmoid).dropna()
    return ratios


def _log_ratios(tables: Tables, sampler: str | None = None) -> pd.DataFrame:
    """The same; StudyError when no seed has both."""
    ratios = _shared(tables, sampler)
    per_seed(ratios.mean(axis=1))
    return ratios


def _worse(tables: Tables, log_ratio: float) -> Evidence:
    """Both parts of cosine-worse: the distance is larger, the loss smaller.

    More seeds are planned from the scatter between the seeds of single T where that is larger: a few seeds' means may
    agree by luck. What all seeds of a T have in common is no scatter.
    """
    ratios = _log_ratios(tables)
    distance = per_seed(ratios.mean(axis=1))
    loss = contrast(tables, "loss_simple", "cosine", "sigmoid")
    larger = statistics.above(distance, log_ratio, tables.confidence)
    if len(ratios) > 1:
        of_cells = math.sqrt(float(ratios.var(ddof=1).mean()) / ratios.shape[1])
        (part,) = larger.parts
        larger = replace(larger, parts=(replace(part, planning_sd=max(part.sd, of_cells)),))
    return statistics.all_of([larger, statistics.below(loss, 0.0, tables.confidence)])


def _worse_in_words(distance: Part, of_cells: tuple[float, float], clipping: str, loss: float) -> str:
    intervals = [(distance.low, distance.high, "over the seeds"), (*of_cells, "if all cells were independent")]
    shown = "; ".join(
        f"{math.exp(low):.2f} to {math.exp(high):.2f} {of}" for low, high, of in intervals if math.isfinite(low)
    )
    sure = f" ({shown})" if shown else ""
    return f"cosine's distance is {times(distance.mean)} sigmoid's{sure},{clipping} its loss {times(loss)}"


def cosine_worse(tables: Tables, log_ratio: float) -> Finding:
    """Log ratio of distance, cosine to sigmoid, mean over T: above; and that of held-out loss: below 0."""
    ratios, found = _log_ratios(tables), _worse(tables, log_ratio)
    distance = found.parts[0]  # the quantity stays the distance, whichever part decides
    found = replace(found, estimate=distance.mean, low=distance.low, high=distance.high)
    low, high = statistics.interval(ratios.to_numpy().ravel(), tables.confidence)
    details = {"log ratio of loss": float(contrast(tables, "loss_simple", "cosine", "sigmoid").mean())}
    clipping = ""
    if tables.has("clipped", ["cosine", "sigmoid"]) and len(clipped := _shared(tables, "clipped").mean(axis=1)):
        details["log ratio of distance, clipped"] = float(clipped.mean())
        sure = spread(*statistics.interval(clipped, tables.confidence))
        clipping = f" with clipping {times(float(clipped.mean()))}{sure},"
    if math.isfinite(low):
        details |= {"by the scatter of all cells, low": low, "by the scatter of all cells, high": high}
    plain = _worse_in_words(distance, (low, high), clipping, details["log ratio of loss"])
    return Finding(found, "log ratio of distance, cosine to sigmoid", plain, details)


def _slope_per_doubling(logs: pd.DataFrame) -> pd.Series:
    """Least-squares slope over log2(T) of ``[seed, T]``, one a seed."""
    return pd.Series(np.polyfit(np.log2(logs.columns.to_numpy()), logs.to_numpy().T, 1)[0], index=logs.index)


def _repaired(tables: Tables) -> dict[str, pd.Series]:
    """Log ratio of distance, cosine to sigmoid, mean over T, one a seed: with the clip, and with it in one step."""
    found = {"the clip": _log_ratios(tables, "clipped").mean(axis=1)}
    if tables.has(FIRST_STEP, ["cosine", "sigmoid"]):
        found["the clip in the first reverse step alone"] = _log_ratios(tables, FIRST_STEP).mean(axis=1)
    return {name: per_seed(values) for name, values in found.items()}


def _why_in_words(slope: Part, with_clip: Part, per_doubling: float) -> str:
    fewer = f"needed: less than {factor(per_doubling)}"
    if slope.low < per_doubling < slope.high:
        fewer += ", undecided"
    needed = "needed: more than 1" + (", not met" if with_clip.high < 0 else "")
    return (
        f"each doubling of T multiplies the ratio of cosine's distance to sigmoid's by {factor(slope.mean)}"
        f"{spread(slope.low, slope.high, fewer)}; with clipping the ratio is "
        f"{factor(with_clip.mean)}{spread(with_clip.low, with_clip.high, needed)}; the claim presupposes that "
        f"cosine is worse"
    )


def cosine_why(tables: Tables, per_doubling: float) -> Finding:
    """Whether cosine's disadvantage shrinks with T and outlives the clip, as the report's explanation requires.

    The rival explanation is the gain of the first reverse step, which the clip removes: schedule x clip in place of
    schedule x T. Both explain a disadvantage, so the claim presupposes that there is one.
    """
    tables.need_two_T()
    ancestral, repaired = _log_ratios(tables, "ancestral"), _repaired(tables)
    slope = statistics.below(_slope_per_doubling(ancestral), per_doubling, tables.confidence)
    left = [statistics.above(values, 0.0, tables.confidence) for values in repaired.values()]
    found = statistics.given(_worse(tables, 0.0), statistics.all_of([slope, *left]))
    found = replace(found, estimate=slope.estimate, low=slope.low, high=slope.high)  # whichever part decides
    gained = per_seed(ancestral.mean(axis=1) - repaired["the clip"])
    interaction = statistics.above(gained, 0.0, tables.confidence)
    details = {f"log ratio of distance with {name}": float(values.mean()) for name, values in repaired.items()}
    details |= {"schedule x clip, log ratio": interaction.estimate, "schedule x clip, p": interaction.p}
    details |= {"slope with the clip": float(_slope_per_doubling(_log_ratios(tables, "clipped")).mean())}
    plain = _why_in_words(slope.parts[0], left[0].parts[0], per_doubling)
    return Finding(found, "slope of the log ratio of distance per doubling of T", plain, details)


def _change(tables: Tables, schedule: str) -> pd.Series:
    """Change of log distance from the smallest to the largest T along the fitted line, one a seed."""
    octaves = math.log2(tables.all_T[-1] / tables.all_T[0])
    return per_seed(_slope_per_doubling(tables.logs(tables.quality, schedule)) * octaves)


def T_small_effect(tables: Tables, margin: float) -> Finding:
    """The slope of log distance over all T times their range, within a margin of 0 in every schedule; and the trend."""
    tables.need_two_T()
    changes = {name: _change(tables, name) for name in tables.schedules}
    parts = [statistics.within(values, math.log1p(margin), tables.confidence) for values in changes.values()]
    sure = {name: spread(part.low, part.high, name) for name, part in zip(changes, parts, strict=True)}
    details = {f"{name}, over the range of T": float(values.mean()) for name, values in changes.items()}
    found = ", ".join(f"{times(float(values.mean()))}{sure[name]}" for name, values in changes.items())
    plain = (
        f"on a line fitted to all T, the distance at T = {tables.all_T[-1]} is {found} that at T = {tables.all_T[0]}; "
        f"threshold: {1 + margin:.2f} times"
    )
    of_seeds = pd.concat([tables.logs(tables.quality, name) for name in changes]).groupby(level=0).mean()
    if len(tables.all_T) > 2 and len(of_seeds) > 1:  # cells of one seed are not independent: a block is a seed
        details["p of a trend in T (Page)"] = statistics.trend_p(of_seeds)
    return Finding(statistics.all_of(parts), "log ratio of distance, the least flat schedule", plain, details)


def good_schedule_fewer_steps(tables: Tables, not_inferior: float) -> Finding:
    """Cosine's smallest T is inferior to its largest, and by more than linear's and sigmoid's are to theirs.

    On fitted lines that is the same as a larger smallest sufficient T. Each condition is tested with the variance of
    the schedules in it alone; the smallest T of noisy cells would be biased towards large T where cells scatter more.
    """
    tables.need_two_T()
    gains = {name: -_change(tables, name) for name in SCHEDULES}
    margin = math.log1p(not_inferior)
    parts = [statistics.above(gains["cosine"], margin, tables.confidence)]
    parts += [
        statistics.above(per_seed(gains["cosine"] - gains[name]), 0.0, tables.confidence)
        for name in ("linear", "sigmoid")
    ]
    octaves = math.log2(tables.all_T[-1] / tables.all_T[0])
    details = {f"{name}, gained over the range of T": float(values.mean()) for name, values in gains.items()}
    sufficient = {}
    for name, values in gains.items():
        mean = float(values.mean())
        sufficient[name] = tables.all_T[-1] * 2 ** (-octaves * min(1.0, margin / mean if mean > 0 else 1.0))
    details |= {f"{name}, smallest sufficient T": T for name, T in sufficient.items()}
    smallest, largest = tables.all_T[0], tables.all_T[-1]
    ratios = []
    for name in ("cosine", "linear", "sigmoid"):
        sure = parts[0] if name == "cosine" else statistics.above(gains[name], margin, tables.confidence)
        ratios.append(f"{times(sure.estimate)}{spread(sure.low, sure.high, name)}")
    enough = (f"{name} {T:.0f}{' or fewer' if round(T) == smallest else ''}" for name, T in sufficient.items())
    plain = (
        f"on the fitted line, the distance at T = {smallest} is {', '.join(ratios)} that at T = {largest} (needed: "
        f"more than {1 + not_inferior:.2f} times on cosine, and a smaller ratio on linear and sigmoid than on cosine); "
        f"smallest T whose fitted distance is within {100 * not_inferior:.0f} % of that at T = {largest}: "
        f"{', '.join(enough)}"
    )
    return Finding(statistics.all_of(parts), "log ratio of distance, the least favourable contrast", plain, details)


def n32_enough(tables: Tables, behind: float) -> Finding:
    """Whether 32 samples rank the cells as their full samples do, as well as another seed's full samples do.

    Rankings by full samples of two seeds differ by training, so no ranking can be asked to agree better.
    """
    tables.at_least(3)
    if tables.quality != "fid":  # tau_at_32 is of FIDs
        raise StudyError(f"the rankings by 32 samples are by fid, not by {tables.quality}")
    logs = pd.concat([tables.logs(tables.quality, name) for name in tables.schedules], axis=1).dropna()
    logs = logs.loc[[seed for seed in logs.index if seed in tables.tau_at_32]]
    if len(logs) < 3:
        raise StudyError(f"rankings by 32 samples are there for {len(logs)} of the 3 seeds needed")
    agreement = [[kendall_tau(a, b) for b in logs.to_numpy()] for a in logs.to_numpy()]
    at_32 = np.array([tables.tau_at_32[int(seed)] for seed in logs.index])
    pseudo = statistics.jackknife_of_pairs(agreement)
    found = statistics.above(at_32 - pseudo, behind, tables.confidence)
    details = {"tau at n = 32": float(at_32.mean()), "tau between seeds at full n": float(pseudo.mean())}
    plain = (
        f"Kendall's tau between the rankings by 32 and by all samples is {at_32.mean():.2f}, between those of two "
        f"seeds by all samples {pseudo.mean():.2f}; difference {found.estimate:.2f}"
        f"{spread(found.low, found.high, f'needed: more than {behind:g}', '{:.2f}'.format)}"
    )
    return Finding(found, "tau at n = 32 less tau between seeds", plain, details)
