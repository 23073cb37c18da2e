"""The network's error as the first reverse step leaves it, in every measured model, beside what the clip gains.

The step multiplies the error of epsilon at t = T by beta_T / sqrt(alpha_T (1 - alpha_bar_T)) (Ho et al. 2020, eq. 11).
If x_{T-1} is to be close to pure noise, an error of 1 is as large as x_{T-1} itself.

Some of the error no network can avoid: x_T does not tell eps from what is left of x_0, and the best guess, for which
x_0 is the mean image, is off by sqrt(alpha_bar_T / (1 - alpha_bar_T)) times the spread of x_0. On linear and sigmoid
that is nearly all of the error, on cosine almost nothing.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ddpm.schedules import audit, make_schedule
from stages.analysis.runs import OF_A_NETWORK, Run, differences, parameters
from stages.analysis.tables import Row
from stages.support import settings

OURS = "this study's"
PARTS = ("end_error_mean", "end_error_low", "end_error_rest")


@dataclass(frozen=True)
class Model:
    """One trained model, sampled without the clip and perhaps with it.

    Attributes:
        setting: ``OURS``, the name of another network, or how network and training differ from this study's.
        schedule, T, seed: its cell.
        gain: what the first reverse step multiplies the error of epsilon by.
        error: root mean square of the error of x_{T-1}, in units of pixels in [-1, 1].
        mean_pixel: of the samples without the clip, 0 to 255.
        fid: of the samples without the clip.
        clipped_fid: with the clip in every step; None where it was not sampled.
    """

    setting: str
    schedule: str
    T: int
    seed: int
    gain: float
    error: float
    mean_pixel: float
    fid: float
    clipped_fid: float | None


def _setting(ours: settings.Params, run: Run, networks: Mapping[str, str]) -> str:
    """The name of the run's network; without one, up to two parameters that differ; the run's own name for more."""
    name = run.folder.name
    if name in networks:
        return networks[name]
    usual, its = parameters(ours), parameters(run.params)
    changed = [f"{key} = {value}" for key, value in sorted(its.items()) if usual.get(key) != value]
    return name if len(changed) > 2 else ", ".join(changed) or OURS


def _of_run(setting: str, params: settings.Params, rows: Iterable[Row]) -> list[Model]:
    cells: dict[tuple[str, int, int], dict[str, Row]] = {}
    for row in rows:
        cells.setdefault((row["schedule"], row["T"], row["seed"]), {})[row["sampler"]] = row
    found = []
    for (schedule, T, seed), by_sampler in cells.items():
        plain, clipped = by_sampler.get("ancestral", {}), by_sampler.get("clipped")
        if any(plain.get(name) is None for name in (*PARTS, "mean_pixel", "fid")):
            continue  # not sampled so, or a table from before the error was measured
        gain = audit(make_schedule(schedule, T, **params.schedule_parameters(schedule))).error_gain
        if not math.isfinite(gain):
            continue  # alpha_T = 0: samplers leave the step out
        error = gain * math.hypot(*(plain[part] for part in PARTS))
        both = plain["mean_pixel"], plain["fid"], clipped["fid"] if clipped else None
        found.append(Model(setting, schedule, T, seed, gain, error, *both))
    return found


def models(ours: settings.Params, own: Iterable[Row], runs: Iterable[Run], networks: Mapping[str, str]) -> list[Model]:
    """All models with a known error: this study's, and those of kept runs that differ in network or training alone.

    Args:
        ours: parameters of this study.
        own: rows of its table.
        runs: that were kept; a model that two have is taken once.
        networks: name of a run -> name of its network, for those that have one.
    """
    every = _of_run(OURS, ours, own)
    for run in runs:
        if set(differences(ours, run.params)) <= OF_A_NETWORK:
            every += _of_run(_setting(ours, run, networks), run.params, run.rows)
    found: dict[tuple[str, str, int, int], Model] = {}
    for model in every:
        found.setdefault((model.setting, model.schedule, model.T, model.seed), model)
    return list(found.values())
