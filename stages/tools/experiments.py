"""The experiments of conf/campaign.yaml: what each asks for, whether its result is kept, and what it would cost."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, StrictInt, StrictStr

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.analysis.runs import FOLDER, RANKING, TABLE, differences
from stages.support import pairs, settings
from stages.support.strict_yaml import Strict, read_yaml
from stages.tools import jobs
from stages.tools.compose import WRONG_OVERRIDES, composed
from stages.tools.keep_run import NAME

FILE = Path("conf/campaign.yaml")
Sources = set[tuple[str, str, str]]  # stage, code dep, md5
OF_CELLS = ("train", "heldout", "sample", "embed", "fid")
RESTORE = "git checkout dvc.lock"


class Experiment(Strict):
    """One experiment, or one a seed: the question, Hydra overrides, what it needs, and what its network costs."""

    question: StrictStr
    overrides: tuple[StrictStr, ...]
    seeds: tuple[Annotated[StrictInt, Field(ge=0)], ...] = ()
    needs: StrictStr = ""
    cost: Annotated[float, Field(gt=0)] = 1.0


class Campaign(Strict):
    """All experiments, by name."""

    experiments: Annotated[dict[str, Experiment], Field(min_length=1)]


@dataclass(frozen=True)
class State:
    """What is known of an experiment: ``kept``, ``stale`` or ``missing``, why, its parameters and its core hours."""

    state: str
    why: str
    params: settings.Params
    text: str
    hours: float


def read(path: Path = FILE) -> dict[str, Experiment]:
    """The experiments of a conf/campaign.yaml; StudyError that names the first wrong key or name.

    One with ``seeds`` is as many, with the number of the seed in place of {seed} in the name.
    """
    found: dict[str, Experiment] = {}
    for name, entry in read_yaml(Campaign, path).experiments.items():
        if ("{seed}" in name) != bool(entry.seeds):
            raise StudyError(
                f"{name}: `seeds` and {{seed}} in the name go together", where=str(path), hint="correct it"
            )
        made = {
            name.replace("{seed}", str(seed)): entry.model_copy(
                update={"overrides": (*entry.overrides, f'seed="{seed}"'), "seeds": ()}
            )
            for seed in entry.seeds
        } or {name: entry}
        if twice := sorted(found.keys() & made.keys()):
            raise StudyError(f"{twice[0]} is there twice", where=str(path), hint="rename one")
        found |= made
    for name in found:
        if not re.fullmatch(NAME, name):
            raise StudyError(f"invalid name {name!r}", where=str(path), hint="use a-z, 0-9, - and .")
    return found


def params_text(name: str, experiment: Experiment) -> str:
    """The text of the params.yaml of an experiment; StudyError when Hydra does not take its overrides."""
    try:
        return composed(Path("conf"), list(experiment.overrides))
    except StudyError as error:
        if error.hint != WRONG_OVERRIDES:  # the files of conf/, not this experiment
            raise
        raise StudyError(f"{name}: {error.what}", where=str(FILE), hint="correct its overrides") from error


def sources(lock: Path, params: settings.Params) -> Sources:
    """What the stages of a study's cells were made by, as far as they are in a dvc.lock.

    Not by all that is in it: DVC leaves the entries of cells that are in the grid no longer.

    Raises:
        StudyError: the dvc.lock cannot be read, is none, or lacks a stage of all cells.
    """
    names = {
        name for cell in params.grid.cells() for name in jobs.cell_targets(cell, params.grid.sampler, {f"train@{cell}"})
    }
    found: Sources = set()
    try:
        for name, entry in yaml.load(artifacts.read_bytes(lock, RESTORE), Loader=yaml.CSafeLoader)["stages"].items():
            if name in names:
                deps = (dep for dep in entry["deps"] if dep["path"].startswith(("ddpm", "stages")))
                found |= {(name.split("@")[0], dep["path"], dep["md5"]) for dep in deps}
    except (yaml.YAMLError, LookupError, TypeError, AttributeError) as error:
        raise StudyError("not a dvc.lock", where=str(lock), hint=RESTORE) from error
    if absent := [stage for stage in OF_CELLS if stage not in {stage for stage, _, _ in found}]:
        raise StudyError(f"no {absent[0]} of a cell in params.yaml", where=str(lock), hint="run `make study` first")
    return found


def difference(folder: Path, wanted: settings.Params, current: Sources) -> str:
    """Why a kept run is not what the experiment asks for today; empty if it is.

    One that cannot be read, or was killed while it was kept, is not: the experiment is to run again.
    """
    for path in (folder / settings.PATH, folder / "dvc.lock"):
        if not path.exists():
            return f"no {path.name}"
    try:
        kept = settings.read(folder / settings.PATH)
        made_by = sources(folder / "dvc.lock", kept)
    except StudyError as error:
        return f"{Path(error.where).name}: {error.what}"
    of_tables = [name for name in ("grid", "ranking") if getattr(kept, name) != getattr(wanted, name)]
    if changed := [*differences(wanted, kept), *of_tables]:
        return f"other parameters: {', '.join(changed)}"
    if older := sorted({stage for stage, _, _ in made_by - current}):
        return f"made by earlier sources of {', '.join(older)}"
    return next((f"no {name}" for name in (TABLE, RANKING) if not (folder / name).exists()), "")


def core_hours(params: settings.Params, cost: float) -> float:
    """What all cells of a study cost from an empty cache on one core, in hours, by the measured rates."""
    every = {f"train@{cell}" for cell in params.grid.cells()}
    planned = jobs.plan(params, every)
    fixed = jobs.START * len(planned) + jobs.FEATURE * params.sample.images * len(every) * len(params.grid.sampler)
    calls = sum(job.cost for job in planned) - fixed  # of the network
    return (cost * calls + fixed) / jobs.CALLS_PER_SECOND / 3600


def state_of(name: str, experiment: Experiment, current: Sources) -> State:
    """Compare what is kept of an experiment with what it asks for."""
    text = params_text(name, experiment)
    params = settings.parse(text, str(FILE), hint=f"correct the overrides of {name}")
    pairs.check(params, f"{FILE}, {name}")
    hours = core_hours(params, experiment.cost)
    folder = FOLDER / name
    if not folder.exists():
        return State("missing", "", params, text, hours)
    why = difference(folder, params, current)
    return State("stale" if why else "kept", why, params, text, hours)
