"""Other networks: the same claims on the kept runs of each, and what does not belong together."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddpm.errors import StudyError
from stages.analysis import networks
from stages.analysis.named_networks import NETWORKS_FILE, Networks, find, rows_of
from stages.analysis.runs import kept_runs
from stages.support import settings
from stages.support.strict_yaml import parse_yaml, read_yaml
from tests.conftest import ROOT, edit_params
from tests.stages.analysis.planted import ALL_RULES, keep

NAMES = {"norms": ("norm-all", "norm-all-first-step")}
SAMPLERS = ("ancestral", "clipped", "clipped-first")


def noise(schedule: str, T: int, seed: int, of: str) -> float:
    """A standard normal number, of one cell always the same, whatever other cells are asked for."""
    return float(np.random.default_rng([len(schedule), T, seed, len(of)]).normal())


def rows(seeds: tuple[int, ...], cosine: float, schedules: tuple[str, ...], samplers: tuple[str, ...]) -> list[Any]:
    """Cells at T = 50 and 800: on cosine the distance is ``cosine`` times that of the others, but for the clips."""
    found = []
    for schedule in schedules:
        for T in (50, 800):
            for seed in seeds:
                losses = {
                    "loss_simple": math.exp(0.001 * noise(schedule, T, seed, "loss"))
                    * (0.7 if schedule == "cosine" else 1)
                }
                for sampler in samplers:
                    harmed = schedule == "cosine" and sampler == "ancestral"
                    distance = (cosine if harmed else 1.0) * math.exp(0.002 * noise(schedule, T, seed, sampler))
                    axes: dict[str, Any] = {"schedule": schedule, "T": T, "seed": seed, "sampler": sampler}
                    values = {"fid": distance, "digits_distance": distance, "loss_common": losses["loss_simple"]}
                    found.append(axes | losses | values)
    return found


@pytest.fixture
def here(tiny_study: Path) -> Path:
    edit_params(tiny_study, grid={"schedule": ["linear", "cosine", "sigmoid"], "T": [50, 800], "seed": [3]})
    return tiny_study


NORM = {"norm": "all"}
EVERY = ("linear", "cosine", "sigmoid")


def test_a_network_has_verdicts_of_its_own(here: Path) -> None:
    keep("norm-all", rows((3, 4, 5), 12.0, EVERY, SAMPLERS[:2]), 0.4, network=NORM)
    keep("norm-all-first-step", rows((3, 4, 5), 12.0, ("cosine",), SAMPLERS), 0.9, network=NORM)
    said: list[str] = []
    found = networks.verdicts(find(NAMES, settings.load(), kept_runs(), said.append), ALL_RULES)["norms"]
    assert said == []
    assert (found["runs"], found["T"], found["seeds"]) == (list(NAMES["norms"]), [50, 800], [3, 4, 5])
    verdicts = {claim: entry["verdict"] for claim, entry in found["claims"].items()}
    assert {verdicts[claim] for claim in ("cosine-worse", "one-step", "T-small-effect")} == {"supported"}
    assert "gaussian-end" not in verdicts
    assert math.exp(found["claims"]["cosine-worse"]["estimate"]) == pytest.approx(12, rel=0.02)
    taus = found["claims"]["n32-enough"]["details"]["tau at n = 32"]
    assert taus == pytest.approx(0.4), "the ranking of a run of one schedule is not that of the network's cells"


def test_a_changed_number_turns_the_networks_verdict_round(here: Path) -> None:
    for cosine, verdict in ((12.0, "supported"), (0.5, "refuted")):
        keep("norm-all", rows((3, 4, 5), cosine, EVERY, SAMPLERS[:2]), network=NORM)
        found = networks.verdicts(find(NAMES, settings.load(), kept_runs(), print), ALL_RULES)["norms"]
        assert found["claims"]["cosine-worse"]["verdict"] == verdict
        assert found["runs"] == ["norm-all"]
        assert found["claims"]["one-step"]["verdict"] == "not tested"


def test_seeds_that_were_known_stay_exploratory(here: Path) -> None:
    keep("norm-all", rows((0, 1, 2), 12.0, EVERY, SAMPLERS[:2]), network=NORM)
    found = networks.verdicts(find(NAMES, settings.load(), kept_runs(), print), ALL_RULES)["norms"]
    assert found["seeds"] == []
    claim = found["claims"]["cosine-worse"]
    assert (claim["verdict"], claim["exploratory"]["verdict"]) == ("not tested", "supported")


def test_a_network_without_runs_is_no_network_yet(here: Path) -> None:
    assert networks.verdicts(find(NAMES, settings.load(), kept_runs(), print), ALL_RULES) == {}


def test_what_differs_in_more_than_the_network_is_left_out(here: Path) -> None:
    table = rows((3, 4, 5), 12.0, EVERY, SAMPLERS)
    keep("norm-all", table, network=NORM, sample={"images": 9})
    said: list[str] = []
    assert networks.verdicts(find(NAMES, settings.load(), kept_runs(), said.append), ALL_RULES) == {}
    assert said == [
        "network 'norms': not in metrics/runs: norm-all-first-step",
        "network 'norms' is excluded from the claims: it differs in sample",
    ]


def test_our_own_seeds_are_no_other_network(here: Path) -> None:
    keep("seed-3", rows((3, 4), 3.0, ("linear", "cosine"), SAMPLERS))
    said: list[str] = []
    found = find({"mine": ("seed-3", "seed-3")}, settings.load(), kept_runs(), said.append)
    assert found == {"mine": []}
    assert said == ["network 'mine' is excluded: its runs are of this study's own network, such as metrics/runs/seed-3"]


def test_two_networks_under_one_name_are_an_error(here: Path) -> None:
    table = rows((3, 4, 5), 12.0, EVERY, SAMPLERS)
    keep("norm-all", table, network=NORM)
    keep("norm-all-first-step", table, network={"norm": "none"})
    with pytest.raises(StudyError, match=r"conf/networks\.yaml: .*not of one network: they differ in network"):
        find(NAMES, settings.load(), kept_runs(), print)


@pytest.mark.parametrize("text", ["networks: {a: []}", "networks: {a: x}", "networks: [", "other: 1", "{}"])
def test_a_wrong_file_is_one_line(text: str) -> None:
    with pytest.raises(StudyError, match=r"^conf/networks\.yaml: ") as error:
        parse_yaml(Networks, text, "conf/networks.yaml")
    assert "\n" not in str(error.value)


def test_every_network_is_made_by_the_campaign_or_was_on_a_gpu() -> None:
    from stages.tools import experiments

    kept_of_a_gpu = {folder.name for folder in (ROOT / "metrics/runs").glob("gpu-*")}
    known = set(experiments.read(ROOT / experiments.FILE)) | kept_of_a_gpu
    for runs in read_yaml(Networks, ROOT / NETWORKS_FILE).networks.values():
        assert set(runs) <= known


def test_a_run_with_more_T_does_not_leave_the_others_out(here: Path) -> None:
    keep("norm-all", rows((3, 4, 5), 12.0, EVERY, SAMPLERS[:2]), 0.4, network=NORM)
    more = [
        row | {"T": T, "seed": 6} for row in rows((3,), 12.0, EVERY, SAMPLERS[:2]) for T in (row["T"], row["T"] + 1)
    ]
    keep("norm-all-first-step", more, network=NORM)
    found = networks.verdicts(find(NAMES, settings.load(), kept_runs(), print), ALL_RULES)["norms"]
    assert (found["T"], found["seeds"]) == ([50, 800], [3, 4, 5, 6])
    assert found["claims"]["cosine-worse"]["verdict"] == "supported"
    keep("norm-all-first-step", [row | {"T": row["T"] + 1} for row in more if row["T"] in (50, 800)], network=NORM)
    found = networks.verdicts(find(NAMES, settings.load(), kept_runs(), print), ALL_RULES)["norms"]
    assert (found["T"], found["seeds"]) == ([50, 800], [3, 4, 5])
    keep("norm-all", rows((3, 4, 5), 12.0, ("cosine",), SAMPLERS[:2]), network=NORM)
    keep("norm-all-first-step", rows((3, 4, 5), 12.0, EVERY, SAMPLERS[1:2]), network=NORM)
    with pytest.raises(StudyError, match=r"norm-all-first-step: no seed has all schedules at one T with .* ancestral"):
        networks.verdicts(find(NAMES, settings.load(), kept_runs(), print), ALL_RULES)


@pytest.mark.parametrize(("more_T_seeds", "expected"), [((3,), [50, 800]), ((3, 4, 5), [50, 51, 800, 801])])
def test_the_T_are_those_that_make_most_cells_with_several_seeds(
    here: Path, more_T_seeds: tuple[int, ...], expected: list[int]
) -> None:
    keep("norm-all", rows((3, 4, 5, 6), 12.0, EVERY, SAMPLERS[:2]), 0.4, network=NORM)
    more = [row | {"T": row["T"] + 1} for row in rows(more_T_seeds, 12.0, EVERY, SAMPLERS[:2])]
    keep("norm-all-first-step", more, network=NORM)
    found = networks.verdicts(find(NAMES, settings.load(), kept_runs(), print), ALL_RULES)["norms"]
    assert found["T"] == expected
    assert found["seeds"] == ([3, 4, 5, 6] if len(expected) == 2 else [3, 4, 5])
    assert found["claims"]["cosine-worse"]["verdict"] == "supported"


def test_schedules_may_come_from_several_runs(here: Path) -> None:
    table = rows((3, 4, 5), 12.0, EVERY, SAMPLERS[:2])
    keep("norm-all", [row for row in table if row["schedule"] == "linear"], network=NORM)
    others = [row for row in table if row["schedule"] != "linear" and row["T"] == 50]
    keep("norm-all-first-step", others, network=NORM)
    found = networks.verdicts(find(NAMES, settings.load(), kept_runs(), print), ALL_RULES)["norms"]
    assert (found["T"], found["seeds"]) == ([50], [3, 4, 5])
    assert found["claims"]["cosine-worse"]["verdict"] == "supported"


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_schedules_of_every_run_are_ours(names: tuple[str, str], here: Path) -> None:
    keep("a", rows((3, 4, 5), 12.0, EVERY, SAMPLERS[:1]), network=NORM, schedules={"linear": {"beta_max": 0.5}})
    keep("b", rows((3, 4, 5), 12.0, ("cosine",), SAMPLERS), network=NORM)
    with pytest.raises(StudyError, match=r"not of one network: they differ in schedules\.linear"):
        find({"norms": names}, settings.load(), kept_runs(), print)


def test_two_kinds_of_machine_do_not_mix_in_one_network(here: Path) -> None:
    table = rows((3, 4), 1.5, ("linear", "cosine", "sigmoid"), SAMPLERS)
    keep("norm-all", table, network=NORM)
    keep("norm-all-first-step", [row for row in table if row["schedule"] == "cosine"], network=NORM)
    found = find(NAMES, settings.load(), kept_runs(), print)
    assert len(rows_of(found["norms"])) == len(table)
    keep("norm-all-first-step", [row | {"fid": 2.0} for row in table if row["schedule"] == "cosine"], network=NORM)
    found = find(NAMES, settings.load(), kept_runs(), print)
    with pytest.raises(StudyError, match=r"norm-all and .*first-step have other results for cosine-50-3-ancestral"):
        rows_of(found["norms"])
