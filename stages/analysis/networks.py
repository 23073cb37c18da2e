"""Other networks: the same claims, thresholds and seeds on the kept runs of each network of conf/networks.yaml."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ddpm.errors import StudyError
from stages.analysis.rules import Rules
from stages.analysis.runs import OF_A_NETWORK, Run, differences, taus_of
from stages.analysis.tables import AXES, SCHEDULES, Tables, largest_complete, results
from stages.analysis.verdicts import CLAIMS, confirmatory
from stages.support import settings


def find(
    names: Mapping[str, Sequence[str]], ours: settings.Params, runs: Sequence[Run], say: Callable[[str], object]
) -> dict[str, list[Run]]:
    """The kept runs of each network; those that differ from this study in more than the network are excluded.

    Runs that are not there are named and left out: they may not have been made yet.

    Raises:
        StudyError: two runs that are of one network by name differ in a parameter.
    """
    kept = {run.folder.name: run for run in runs}
    found = {}
    for name, wanted in names.items():
        its = [kept[folder] for folder in wanted if folder in kept]
        if absent := [folder for folder in wanted if folder not in kept]:  # not made yet, or misspelt
            say(f"network {name!r}: not in metrics/runs: {', '.join(absent)}")
        for run in its[1:]:
            first, other = its[0].params, run.params
            if differ := sorted({*differences(first, other), *differences(other, first)}):
                raise StudyError(
                    f"{run.folder} and {its[0].folder} are not of one network: they differ in {', '.join(differ)}",
                    where="conf/networks.yaml",
                )
        more = sorted({group for run in its for group in differences(ours, run.params)} - OF_A_NETWORK)
        if more:
            say(f"network {name!r} is excluded from the claims: it differs in {', '.join(more)}")
            its = []
        found[name] = its
    return found


def rows_of(runs: list[Run]) -> list[dict[str, Any]]:
    """The rows of one network's runs; a cell and sampler that two runs have is taken once.

    Raises:
        StudyError: two runs have other results for one cell, as of two kinds of machine, whose noise differs.
    """
    found: dict[tuple[Any, ...], tuple[Run, dict[str, Any]]] = {}
    for run in runs:
        for row in run.rows:
            key = tuple(row[axis] for axis in AXES)
            first, known = found.setdefault(key, (run, row))
            if known["fid"] != row["fid"]:
                raise StudyError(
                    f"{first.folder} and {run.folder} have other results for {'-'.join(map(str, key))}",
                    where="conf/networks.yaml",
                    hint="list runs of one kind of machine, or of other seeds",
                )
    return [row for _, row in found.values()]


def tables_of(runs: list[Run], rules: Rules) -> Tables:
    """The cells of one network in the form that the claims use, without alpha_bar, which no network changes.

    Its runs may differ in T and in seeds: the T and seeds are those that make most cells without a gap.
    """
    schedules = [name for name in SCHEDULES if any(name in run.params.grid.schedule for run in runs)]
    rows, T_of = rows_of(runs), dict[tuple[str, int, str], set[int]]()
    for row in rows:
        T_of.setdefault((row["schedule"], row["seed"], row["sampler"]), set()).add(row["T"])
    of_seeds = {
        seed: frozenset.intersection(*(frozenset(T_of.get((name, seed, rules.sampler), ())) for name in schedules))
        for seed in sorted({row["seed"] for row in rows})
    }
    _, all_T = largest_complete(of_seeds)
    if not all_T:
        where = ", ".join(str(run.folder) for run in runs)
        raise StudyError(f"no seed has all schedules at one T with the sampler {rules.sampler}", where=where)
    whole = {key for key, found in T_of.items() if found >= all_T}
    rows = [row for row in rows if row["T"] in all_T and (row["schedule"], row["seed"], row["sampler"]) in whole]
    taus = taus_of(((run.folder, run.params) for run in runs), rules.sampler, schedules, all_T)
    return Tables(results(rows), {}, taus, rules.quality, rules.sampler, rules.confidence)


def verdicts(networks: dict[str, list[Run]], rules: Rules) -> dict[str, Any]:
    """Name -> runs, T, seeds and claims of every network that has runs; without the claims of arithmetic.

    The p-values are adjusted within a network.
    """
    found = {}
    for name, runs in networks.items():
        if not runs:
            continue
        tables = tables_of(runs, rules)
        results_of = confirmatory(tables, rules)
        found[name] = {
            "runs": [run.folder.name for run in runs],
            "T": tables.all_T,
            "seeds": [seed for seed in tables.seeds if seed >= rules.first_confirmatory_seed],
            "claims": {result.claim: result.as_json() for result in results_of if not CLAIMS[result.claim].exact},
        }
    return found
