"""The error that the first reverse step leaves: its size by Ho et al.'s equation 11, and which models are there."""

import math
from pathlib import Path
from typing import Any

import pytest

from ddpm.schedules import make_schedule
from stages.analysis.amplified import OURS, models
from stages.analysis.runs import Run
from stages.support import settings
from tests.conftest import ROOT

PARAMS = settings.read(ROOT / "params.yaml")
ERROR = {"end_error_mean": 0.003, "end_error_low": 0.004, "end_error_rest": 0.012}  # 0.013 together


def row(schedule: str, sampler: str, fid: float, T: int = 50, seed: int = 3, **more: Any) -> dict[str, Any]:
    cell = {"schedule": schedule, "T": T, "seed": seed, "sampler": sampler, "fid": fid}
    return cell | ERROR | {"mean_pixel": 40.0} | more


OWN = [row("cosine", "ancestral", 3.0), row("cosine", "clipped", 0.75), row("linear", "ancestral", 0.9)]


def kept(name: str, rows: list[dict[str, Any]], **groups: dict[str, Any]) -> Run:
    """A kept run whose parameters differ from this study's in some values of some groups."""
    text = PARAMS.model_dump(mode="json")
    for group, values in groups.items():
        text[group] |= values
    return Run(Path("metrics/runs") / name, settings.Params.model_validate(text), rows)


def test_the_error_is_multiplied_as_the_step_multiplies_it() -> None:
    cosine, linear = models(PARAMS, OWN, [], {})
    table = make_schedule("cosine", 50, **PARAMS.schedule_parameters("cosine"))
    gain = float(table.beta[-1]) / math.sqrt(float(table.alpha[-1]) * (1 - float(table.alpha_bar[-1])))
    assert cosine.gain == pytest.approx(gain) == pytest.approx(100, rel=0.01)
    assert cosine.error == pytest.approx(0.013 * gain)
    assert (cosine.setting, cosine.fid, cosine.clipped_fid, cosine.mean_pixel) == (OURS, 3.0, 0.75, 40.0)
    assert linear.error < 0.013 * 0.23
    assert linear.clipped_fid is None


@pytest.mark.parametrize(
    ("groups", "setting"),
    [
        ({}, OURS),
        ({"train": {"epochs": 15}}, "train.epochs = 15"),
        ({"train": {"epochs": 15}, "network": {"norm": "all"}}, "network.norm = all, train.epochs = 15"),
        ({"train": {"epochs": 15, "batch_size": 64}, "network": {"norm": "all"}}, "mine"),
    ],
)
def test_a_setting_is_named_by_what_differs(groups: dict[str, dict[str, Any]], setting: str) -> None:
    *_, last = models(PARAMS, OWN, [kept("mine", [row("cosine", "ancestral", 2.0, seed=4)], **groups)], {})
    assert (last.setting, last.seed) == (setting, 4)


def test_runs_of_one_network_are_one_setting() -> None:
    """Named as in conf/networks.yaml; a model that two of them have is taken once."""
    large: dict[str, dict[str, Any]] = {"network": {"norm": "all"}, "train": {"epochs": 15, "batch_size": 64}}
    runs = [
        kept("a", [row("cosine", "ancestral", 2.0, seed=4)], **large),
        kept("b", [row("cosine", "ancestral", 2.0, seed=4), row("cosine", "ancestral", 5.0, seed=5)], **large),
    ]
    found = models(PARAMS, OWN, runs, {"a": "large", "b": "large"})[len(OWN) - 1 :]
    assert [(model.setting, model.seed, model.fid) for model in found] == [("large", 4, 2.0), ("large", 5, 5.0)]


def test_what_is_left_out() -> None:
    """Other samples of the same models, tables without the error, other samplers, and a model that is there already."""
    old = {name: value for name, value in row("cosine", "ancestral", 9.0, seed=5).items() if name not in ERROR}
    runs = [
        kept("noise", [row("cosine", "ancestral", 9.0, seed=6)], sample={"seed": 11}),
        kept("old", [old]),
        kept("ddim", [row("cosine", "ddim", 9.0, seed=7)]),
        kept("again", [row("cosine", "ancestral", 9.0)]),
    ]
    assert models(PARAMS, OWN, runs, {}) == models(PARAMS, OWN, [], {})


def test_a_step_without_a_finite_gain_is_left_out() -> None:
    zero = {"linear": {"kind": "linear", "beta_min": 1e-5, "beta_max": 0.01, "zero_terminal_snr": True}}
    ours = settings.Params.model_validate(PARAMS.model_dump(mode="json") | {"schedules": {**PARAMS.schedules, **zero}})
    assert [model.schedule for model in models(ours, OWN, [], {})] == ["cosine"]
