"""conf/networks.yaml: names of networks other than the default one, and the kept runs that have their cells."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, StrictStr

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
