"""Other networks: the same claims, thresholds and seeds on the kept runs of each network of conf/networks.yaml."""

from typing import Any

from ddpm.errors import StudyError
from stages.analysis.named_networks import rows_of
from stages.analysis.rules import Rules
from stages.analysis.runs import Run, taus_of
from stages.analysis.tables import SCHEDULES, Tables, largest_complete, results
from stages.analysis.verdicts import CLAIMS, confirmatory


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
