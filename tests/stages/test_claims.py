"""The claims command on planted metrics: all twelve verdicts, and a changed number turns the right one round."""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from ddpm import artifacts
from ddpm.errors import StudyError
from stages import claims
from stages import schedules as schedules_stage
from stages.analysis.rules import Rules
from stages.analysis.statistics import DECIDED
from stages.support.strict_yaml import parse_yaml
from tests.conftest import ROOT, edit_params
from tests.stage_runs import run
from tests.stages.analysis.planted import keep

ALL_T = [50, 100, 200, 400, 800]


@pytest.fixture
def planted(tiny_study: Path) -> Path:
    """Three confirmatory seeds: cosine somewhat worse than sigmoid at every T, its loss smaller, all else alike.

    32 samples of ancestral rank its cells almost in the reverse order.
    """
    for name in ("conf/claims.yaml", "conf/networks.yaml"):
        artifacts.write_bytes(tiny_study / name, (ROOT / name).read_bytes())
    schedules = ["linear", "cosine", "sigmoid"]
    edit_params(tiny_study, grid={"schedule": schedules, "T": ALL_T, "seed": [3, 4, 5]})
    run(schedules_stage)
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for schedule in schedules:
        for T in ALL_T:
            for seed in (3, 4, 5):
                level = 0.07 if schedule == "cosine" else 0.1
                losses = {"loss_simple": level * math.exp(0.001 * rng.normal()), "loss_common": 0.1}
                for sampler in ("ancestral", "clipped"):
                    axes = {"schedule": schedule, "T": T, "seed": seed, "sampler": sampler}
                    distance = (1.5 if schedule == "cosine" else 1.0) * math.exp(0.002 * rng.normal())
                    rows.append(axes | losses | {"fid": distance, "digits_distance": distance})
    artifacts.write_csv(Path("metrics/fid_of_T.csv"), rows)
    plant_rankings({"ancestral": -0.9, "clipped": 0.9})
    return tiny_study


def plant_rankings(taus: dict[str, float]) -> None:
    """Rankings by 32 samples as the stage ``ranking`` writes them: of every sampler the tau of each seed."""
    by_seed = {sampler: dict.fromkeys(("3", "4", "5"), tau) for sampler, tau in taus.items()}
    artifacts.write_json(Path("metrics/ranking.json"), {"by_seed": by_seed, "mean_tau": taus})


def verdicts() -> dict[str, Any]:
    run(claims)
    found: dict[str, Any] = artifacts.read_json(Path("metrics/claims.json"))
    return found


def plant(**factors: float) -> None:
    """Multiply the FIDs of schedules in the committed table."""
    path = Path("metrics/fid_of_T.csv")
    rows = artifacts.read_csv(path)
    for row in rows:
        row["fid"] *= factors.get(row["schedule"], 1.0)
    artifacts.write_csv(path, rows)


def test_all_claims_have_a_verdict_and_say_with_what(planted: Path) -> None:
    found = verdicts()
    assert len(found["claims"]) == 12
    assert {claim["verdict"] for claim in found["claims"].values()} <= {*DECIDED, "undecided", "not tested"}
    untested = {name for name, claim in found["claims"].items() if claim["verdict"] == "not tested"}
    assert untested == {"one-step"}, "which needs a sampler that is not planted"
    assert found["claims_yaml_sha256"] == hashlib.sha256((planted / "conf/claims.yaml").read_bytes()).hexdigest()
    assert (found["quality"], found["sampler"], found["seeds"]) == ("fid", "ancestral", [3, 4, 5])
    worse = found["claims"]["cosine-worse"]
    assert worse["verdict"] == worse["second_opinion"] == "supported"
    assert worse["low"] < math.log(1.5) < worse["high"]
    assert worse["n"] == 3
    few = found["claims"]["n32-enough"]
    assert few["verdict"] == "refuted"
    assert (few["n"], few["details"]["tau at n = 32"]) == (3, -0.9)
    assert found["claims"]["T-small-effect"]["verdict"] == "supported"
    assert found["claims"]["loss-flat-in-T"]["verdict"] == "supported"


def test_a_changed_number_turns_its_verdict_round_and_no_other(planted: Path) -> None:
    before = verdicts()["claims"]
    plant(cosine=0.5)
    after = verdicts()["claims"]
    assert (before["cosine-worse"]["verdict"], after["cosine-worse"]["verdict"]) == ("supported", "refuted")
    assert after["cosine-worse"]["second_opinion"] == "supported"  # the other metric's numbers were not changed
    changed = {name for name in before if before[name]["verdict"] != after[name]["verdict"]}
    assert changed == {"cosine-worse", "cosine-why"}  # the second presupposes the first


def test_same_metrics_same_bytes(planted: Path) -> None:
    run(claims)
    first = Path("metrics/claims.json").read_bytes()
    run(claims)
    assert Path("metrics/claims.json").read_bytes() == first


def test_the_table_says_verdict_and_numbers(planted: Path) -> None:
    printed = CliRunner().invoke(claims.app, []).stdout
    assert "cosine-worse" in printed
    assert "1.50 times" in printed


def test_one_column_leaves_what_needs_more_untested(planted: Path) -> None:
    edit_params(planted, grid={"schedule": ["cosine"]})
    path = Path("metrics/fid_of_T.csv")
    artifacts.write_csv(path, [row for row in artifacts.read_csv(path) if row["schedule"] == "cosine"])
    found = verdicts()["claims"]
    assert found["cosine-worse"]["verdict"] == found["gaussian-end"]["verdict"] == "not tested"
    assert found["cosine-worse"]["plain"] == "the grid has no sigmoid-50-3-ancestral"


@pytest.mark.parametrize(
    "part",
    [{"T": [200]}, {"schedule": ["cosine"]}, {"schedule": ["linear"], "T": [50]}, {"sampler": ["ddim"]}],
    ids=str,
)
def test_a_part_of_the_grid_leaves_claims_untested_and_breaks_nothing(planted: Path, part: dict[str, Any]) -> None:
    edit_params(planted, grid=part)
    rows = artifacts.read_csv(Path("metrics/fid_of_T.csv"))
    if "sampler" in part:
        rows = [row | {"sampler": "ddim"} for row in rows if row["sampler"] == "ancestral"]
        plant_rankings({"ddim": 0.5})
    rows = [row for row in rows if all(row[axis] in values for axis, values in part.items())]
    artifacts.write_csv(Path("metrics/fid_of_T.csv"), rows)
    found = {name: claim["verdict"] for name, claim in verdicts()["claims"].items()}
    depends_on_T = {"loss-flat-in-T", "cosine-why", "T-small-effect", "good-schedule-fewer-steps", "same-shape"}
    if "T" in part:
        assert {found[name] for name in depends_on_T} == {"not tested"}
    if "sampler" in part:
        assert {found[name] for name in ("cosine-worse", "n32-enough", "T-small-effect")} == {"not tested"}
    if part == {"T": [200]}:
        assert found["cosine-worse"] == "supported"


def test_a_loss_that_was_not_measured_leaves_its_claim_untested(planted: Path) -> None:
    rows = artifacts.read_csv(Path("metrics/fid_of_T.csv"))
    artifacts.write_csv(Path("metrics/fid_of_T.csv"), [row | {"loss_common": None} for row in rows])
    found = verdicts()["claims"]
    assert found["sigmoid-loss"]["verdict"] == "supported"  # by each schedule's own weighting
    assert found["loss-not-quality"]["plain"] == "linear-50-3-ancestral has no loss_common"
    artifacts.write_csv(Path("metrics/fid_of_T.csv"), [row | {"loss_simple": None} for row in rows])
    claim = verdicts()["claims"]["sigmoid-loss"]
    assert (claim["verdict"], claim["plain"]) == ("not tested", "sigmoid-50-3-ancestral has no loss_simple")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("confidence: 0.95", "confidence: 2", "confidence"),
        ("confidence: 0.95", "confdence: 0.95", "confidence: Field required"),
        ("sampler: ancestral", "sampler: euler", "unknown sampler 'euler'"),
        ("margin: 0.05", "margin: wide", "claims.loss-flat-in-T.margin: Input should be a valid number"),
        ("gaussian-end:", "gaussian-start:", "unknown claim 'gaussian-start'"),
        ("margin: 0.05", "margins: 0.05", "claim loss-flat-in-T takes one threshold, 'margin', not margins"),
        ("margin: 0.05", "margin: true", "claims.loss-flat-in-T.margin: Input should be a valid number"),
        ("says: the final loss barely", "sais: the final loss barely", "claims.loss-flat-in-T.says: Field required"),
        ("quality: fid", "quality: extractor", "'extractor' is no distance of this study; set `quality` to one of fid"),
        ("quality: fid", "quality: fud", "'fud' is no distance of this study"),
        ("quality: fid", "quality: loss_simple", "'loss_simple' is no distance of this study"),
        ("second_opinion: digits", "second_opinion: faces", "'faces_distance' is no distance of this study"),
        ("claims:", "claims: [", "not YAML"),
    ],
)
def test_a_wrong_rule_is_one_line_and_writes_nothing(planted: Path, old: str, new: str, says: str) -> None:
    path = planted / "conf/claims.yaml"
    text = path.read_text()
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(StudyError) as caught:
        run(claims)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("metrics/claims.json").exists()


def test_the_committed_rules_are_valid() -> None:
    text = (ROOT / "conf/claims.yaml").read_text()
    found = parse_yaml(Rules, text, "conf/claims.yaml").claims
    assert {name: rule.model_dump(exclude_none=True) for name, rule in found.items()} == yaml.safe_load(text)["claims"]


def test_a_network_with_too_few_cells_leaves_the_others_their_verdicts(planted: Path) -> None:
    whole = artifacts.read_csv(Path("metrics/fid_of_T.csv"))
    names = {"with the clip alone": ["part"], "of all schedules": ["whole"]}
    artifacts.write_bytes(planted / "conf/networks.yaml", yaml.safe_dump({"networks": names}).encode())
    keep("part", [row for row in whole if row["sampler"] == "clipped"], network={"norm": "all"})
    keep("whole", whole, network={"norm": "none"})
    said = CliRunner().invoke(claims.app, []).stderr
    assert "network 'with the clip alone' is excluded from the claims: metrics/runs/part: no seed has all" in said
    assert list(artifacts.read_json(Path("metrics/claims.json"))["networks"]) == ["of all schedules"]
    (Path("metrics/runs/whole/ranking.json")).write_text("{")
    damaged = CliRunner().invoke(claims.app, [])  # which is no network that is not made yet
    assert isinstance(damaged.exception, StudyError)
    assert "metrics/runs/whole/ranking.json: not JSON" in str(damaged.exception)
