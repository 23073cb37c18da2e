"""Networks other than the default one: their names in conf/networks.yaml, their kept runs and the rows of those."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StrictStr

from ddpm.errors import StudyError
from stages.analysis.runs import OF_A_NETWORK, Run, differences
from stages.analysis.tables import AXES
from stages.support import settings
from stages.support.strict_yaml import Strict, read_yaml

NETWORKS_FILE = Path("conf/networks.yaml")


class Networks(Strict):
    """Name of a network -> the runs in metrics/runs that have its cells, together."""

    networks: dict[StrictStr, Annotated[tuple[StrictStr, ...], Field(min_length=1)]]


def runs_of_networks() -> dict[str, tuple[str, ...]]:
    """Name of a network -> names of its runs, of which some may not have been made yet."""
    return read_yaml(Networks, NETWORKS_FILE).networks


def networks_of_runs() -> dict[str, str]:
    """Name of a run -> name of its network."""
    return {run: network for network, runs in runs_of_networks().items() for run in runs}


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
        its = [kept[folder] for folder in dict.fromkeys(wanted) if folder in kept]
        if absent := [folder for folder in wanted if folder not in kept]:  # not made yet, or misspelt
            say(f"network {name!r}: not in metrics/runs: {', '.join(absent)}")
        for run in its[1:]:
            first, other = its[0].params, run.params
            if differ := sorted({*differences(first, other), *differences(other, first)}):
                raise StudyError(
                    f"{run.folder} and {its[0].folder} are not of one network: they differ in {', '.join(differ)}",
                    where="conf/networks.yaml",
                )
        if its and not differences(ours, its[0].params):
            say(f"network {name!r} is excluded: its runs are of this study's own network, such as {its[0].folder}")
            its = []
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


def rows_by_network(ours: settings.Params, runs: Sequence[Run]) -> dict[str, list[dict[str, Any]]]:
    """Name of every other network that has runs -> its rows."""
    found = find(runs_of_networks(), ours, runs, lambda _: None)
    return {name: rows for name, its in found.items() if (rows := rows_of(its))}
