"""The stages that are out of date as jobs: sequences of stages with their dependencies."""

import re
import subprocess
from dataclasses import dataclass

from stages.support import settings
from stages.support.cells import Cell

# costs in calls of the network; they only guess how much time is left. The rate is one core's with AVX512-BF16: 3,157
# training images a second (benchmarks/results.md, "train"), of three calls each
CALLS_PER_SECOND = 9_500
START = 5e4  # processes and imports
FEATURE = 64.0  # Inception on one image
IDEAL = 20.0  # the optimal denoiser on one image, once
IDEAL_SAMPLERS = 2  # len(stages.ideal.SAMPLERS), whose import would cost two seconds, too
CORRUPTIONS = 8  # len(ddpm.diagnostics.corruptions.CORRUPTIONS), whose import would cost two seconds


@dataclass(frozen=True)
class Job:
    """Stages to run in sequence once the jobs in ``needs`` are done; ``cost`` estimates the time, in network calls."""

    name: str
    targets: tuple[str, ...]
    needs: frozenset[str] = frozenset()
    cost: float = START


def left_to_do(*options: str) -> set[str]:
    """The stages that `dvc repro` would run, as far as it can tell before their inputs exist.

    The dry run reports outputs that do not exist yet as errors, which are ignored here; the run reports all errors.
    """
    command = ["dvc", "--wait-for-lock", "repro", "--dry", "--keep-going", *options]
    dry = subprocess.run(command, capture_output=True, text=True)
    return set(re.findall(r"Running stage '([^']+)'", dry.stdout))


def cell_targets(cell: Cell, samplers: list[str], left: set[str]) -> list[str]:
    """The stages of one cell from the first that is out of date, in the order of dependence.

    A dry run cannot check stages whose inputs do not exist yet, so all stages after an outdated one are included.
    """
    trains = f"train@{cell}" in left
    targets = [f"train@{cell}"] if trains else []
    targets += [f"heldout@{cell}"] if trains or f"heldout@{cell}" in left else []
    for sampler in samplers:
        steps = [f"{stage}@{cell}-{sampler}" for stage in ("sample", "embed", "fid")]
        first = 0 if trains else next((i for i, s in enumerate(steps) if s in left), 3)
        targets += steps[first if "reference" not in left else min(first, 2) :]
    return targets


def plan(params: settings.Params, left: set[str]) -> list[Job]:
    """All jobs: the feature extractors, which others need, then the longest first, so that none is the last alone.

    Raises:
        StudyError: a sampler is unknown, or takes more steps than T.
    """
    from ddpm.sampling.samplers import get_sampler  # torch takes a second to import

    look, sets = params.reference, 1 + CORRUPTIONS * len(params.validation.levels)
    costs = {
        "reference": FEATURE * (look.images + look.floor_images + look.test_images),
        "classifier": 3.5 * params.classifier.epochs * 60_000,
        "validate": FEATURE * params.validation.images * sets,
    }
    extractors = [Job(name, (name,), cost=START + costs[name]) for name in ("reference", "classifier") if name in left]
    waits = frozenset(job.name for job in extractors)
    reference = waits & {"reference"}
    jobs = []
    for cell in params.grid.cells():
        targets = cell_targets(cell, params.grid.sampler, left)
        distances = tuple(name for name in targets if name.startswith("fid@")) if reference else ()
        computing = tuple(name for name in targets if name not in distances)
        calls: float = 3 * params.train.epochs * params.train.images * (f"train@{cell}" in targets)
        samplers = [s for s in params.grid.sampler if f"sample@{cell}-{s}" in targets]
        calls += params.sample.images * sum(get_sampler(sampler, cell.T)[1] for sampler in samplers)
        calls += FEATURE * params.sample.images * sum(name.startswith("embed@") for name in targets)
        if computing:
            jobs.append(Job(str(cell), computing, cost=START + calls))
        if distances:
            needs = reference | ({str(cell)} if computing else set())
            jobs.append(Job(f"{cell} distances", distances, frozenset(needs)))
    if waits or "validate" in left:
        jobs.append(Job("validate", ("validate",), waits, START + costs["validate"]))
    if reference or "baseline" in left:
        jobs.append(Job("baseline", ("baseline",), reference))
    for schedule in params.grid.schedule:
        for T in params.ideal.T:
            name = f"ideal@{schedule}-{T}"
            if reference or name in left:
                calls = IDEAL * IDEAL_SAMPLERS * params.ideal.images * T
                jobs.append(Job(name, (name,), reference, START + calls))
    return extractors + sorted(jobs, key=lambda job: -job.cost)
