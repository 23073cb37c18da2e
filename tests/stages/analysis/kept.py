"""A small table of a study, and how it is kept as a run."""

from pathlib import Path
from typing import Any

from ddpm import artifacts
from stages.tools import keep_run
from tests.conftest import edit_params
from tests.locked import lock_tables
from tests.stage_runs import run


def table(seed: int) -> None:
    """metrics/fid_of_T.csv of the grid with one seed."""
    grid = {"schedule": ["linear", "cosine"], "T": [20, 30], "seed": [seed], "sampler": ["ancestral"]}
    edit_params(Path.cwd(), grid=grid)
    rows: list[dict[str, Any]] = [
        {"schedule": s, "T": T, "seed": seed, "sampler": "ancestral", "fid": 1.0 + seed}
        for s in grid["schedule"]  # type: ignore[attr-defined]
        for T in grid["T"]  # type: ignore[attr-defined]
    ]
    artifacts.write_csv(Path("metrics/fid_of_T.csv"), rows)


def keep(name: str) -> None:
    lock_tables()  # as if they had just been made
    run(keep_run, name)
