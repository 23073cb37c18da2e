"""Cells whose truth is planted: their distances and losses follow laws that a test chooses."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ddpm import artifacts
from ddpm.schedules import make_schedule
from stages.analysis.rules import Rules
from stages.analysis.runs import FOLDER, RANKING, TABLE
from stages.analysis.tables import Tables, results
from stages.analysis.verdicts import verdicts_on
from stages.support import settings
from stages.support.strict_yaml import parse_yaml
from tests.conftest import ROOT, edit_params

ALL_RULES = parse_yaml(Rules, (ROOT / "conf/claims.yaml").read_text(), "conf/claims.yaml")
RULES = ALL_RULES.claims
ALL_T = (50, 100, 200, 400, 800)
Law = Callable[[str, int, str], float]  # schedule, T, sampler -> mean of a logarithm


def flat(*_: object) -> float:
    return 0.0


def planted(fid: Law = flat, loss: Law = flat, common: Law = flat, seeds: int = 5, noise: float = 0.005) -> Tables:
    """Cells whose log FID and losses follow given laws, with a little noise from the seed."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for seed in range(seeds):
        for schedule in ("linear", "cosine", "sigmoid"):
            for T in ALL_T:
                loss_noise = noise * rng.normal(size=2)
                for sampler in ("ancestral", "clipped", "clipped-first"):
                    axes = {"schedule": schedule, "T": T, "seed": seed, "sampler": sampler}
                    values = {
                        "fid": math.exp(fid(schedule, T, sampler) + noise * rng.normal()),
                        "digits_distance": math.exp(fid(schedule, T, sampler) + noise * rng.normal()),
                        "loss_simple": math.exp(loss(schedule, T, sampler) + loss_noise[0]),
                        "loss_common": math.exp(common(schedule, T, sampler) + loss_noise[1]),
                    }
                    rows.append(axes | values)
    bars = {
        name: {T: make_schedule(name, T).alpha_bar.numpy() for T in ALL_T} for name in ("linear", "cosine", "sigmoid")
    }
    return Tables(results(rows), bars, {}, "fid", "ancestral", 0.95)


def only(schedule: str, size: float) -> Law:
    return lambda name, *_: size if name == schedule else 0.0


def octave(T: int) -> float:
    return math.log2(T / ALL_T[0])


def smaller(name: str, *_: object) -> float:
    return -0.4 * (name == "cosine")


def clip_is_all(name: str, _: int, sampler: str) -> float:
    return 1.0 * (name == "cosine" and sampler == "ancestral")


def verdicts(tables: Tables) -> dict[str, str]:
    return {result.claim: result.verdict for result in verdicts_on(tables, RULES)}


def keep(name: str, table: list[Any], tau: float | None = None, **change: dict[str, Any]) -> None:
    """A run in metrics/runs, with the parameters of this folder but for a change."""
    before = Path("params.yaml").read_bytes()
    grid: dict[str, object] = {
        axis: list(dict.fromkeys(row[axis] for row in table)) for axis in ("schedule", "T", "seed", "sampler")
    }
    edit_params(Path.cwd(), grid=grid, **change)
    folder = FOLDER / name
    artifacts.write_bytes(folder / settings.PATH, Path("params.yaml").read_bytes())
    artifacts.write_csv(folder / TABLE, table)
    if tau is not None:
        by_seed = {str(row["seed"]): tau for row in table}
        artifacts.write_json(folder / RANKING, {"mean_tau": {}, "by_seed": {"ancestral": by_seed}})
    artifacts.write_bytes(Path("params.yaml"), before)
