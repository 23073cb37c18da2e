"""params.yaml: composed from conf/, valid, and strict."""

from pathlib import Path

import pytest
import yaml

from ddpm.errors import StudyError
from ddpm.network.architecture import from_mapping
from ddpm.schedules import make_schedule
from stages.support import settings
from stages.support.network import OwnNetwork
from stages.tools import compose
from tests.conftest import ROOT


def composed(*overrides: str) -> str:
    return compose.composed(ROOT / "conf", list(overrides))


def test_committed_params_are_the_composed_conf() -> None:
    assert (ROOT / "params.yaml").read_text() == composed(), "run: make compose"


@pytest.mark.parametrize(
    ("override", "axis", "expected"),
    [
        ("schedule=cosine", "schedule", ["cosine"]),
        ('schedule="linear,cosine"', "schedule", ["linear", "cosine"]),
        ("T=200", "T", [200]),
        ('T="50,1600"', "T", [50, 1600]),
        ('seed="0,1,2"', "seed", [0, 1, 2]),
        ("sampler=ddim", "sampler", ["ddim"]),
    ],
)
def test_selectors(override: str, axis: str, expected: list[object]) -> None:
    grid = settings.parse(composed(override)).grid
    assert getattr(grid, axis) == expected


@pytest.mark.parametrize(
    "override",
    ["preset=study", "preset=smoke", "preset=report", "preset=large", "network=full", "network.attention=true"],
)
def test_presets_are_valid(override: str) -> None:
    params = settings.parse(composed(override))
    from_mapping(params.network.model_dump())
    for name in params.schedules:
        for T in params.grid.T:
            if T > 20:
                make_schedule(name, T, **params.schedule_parameters(name))


def test_defaults_are_the_reports() -> None:
    params = settings.parse(composed())
    assert (params.train.images, params.train.epochs, params.train.batch_size) == (60_000, 5, 128)
    assert params.grid.T == [50, 100, 200, 400, 800]
    assert params.schedules["cosine"]["s"] == 0.002


def test_the_reports_own_training_is_one_word_away() -> None:
    params = settings.parse(composed("preset=report"))
    assert (params.train.learning_rate, params.train.warmup_steps, params.train.cooldown) == (1e-3, 0, 0)
    assert params.train.ema_decay == 0
    assert isinstance(params.network, OwnNetwork)
    assert (params.network.patch, params.network.prediction, params.network.octaves) == (1, "epsilon", ())


def test_the_course_preset_trains_a_guest_with_adam_alone() -> None:
    params = settings.parse(composed("preset=course"))
    group = yaml.safe_load((ROOT / "conf" / "network" / "course.yaml").read_text())
    assert params.network.model_dump(mode="json") == group
    assert params.train.muon_learning_rate == 0


@pytest.mark.parametrize("path", sorted((ROOT / "metrics" / "runs").glob("*/params.yaml")), ids=lambda p: p.parent.name)
def test_params_of_kept_runs_are_read(path: Path) -> None:
    network, written = settings.read(path).network, yaml.safe_load(path.read_text())["network"]
    if not isinstance(network, OwnNetwork):  # a guest's parameters are its own
        assert network.model_dump(mode="json") == written
        return
    assert network.norm == written.get("norm", "middle")
    assert from_mapping(network.model_dump()).channels == tuple(written["channels"])


BASE = yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"trian": {}}, "trian: Extra inputs are not permitted"),
        ({"train": {**BASE["train"], "epoch": 3}}, "train.epoch: Extra inputs"),
        ({"train": {**BASE["train"], "epochs": "many"}}, "train.epochs: Input should be a valid integer"),
        ({"train": {**BASE["train"], "learning_rate": float("inf")}}, "train.learning_rate: Input should be a finite"),
        ({"train": {**BASE["train"], "images": 60_001}}, "less than or equal to 60000"),
        ({"train": {**BASE["train"], "ema_decay": 1.0}}, "less than 1"),
        ({"sample": {**BASE["sample"], "images": 0}}, "sample.images"),
        ({"grid": {**BASE["grid"], "T": []}}, "grid.T: List should have at least 1 item"),
        ({"grid": {**BASE["grid"], "T": [0]}}, "grid.T.0"),
        (
            {"compute": {"device": "tpu", "precision": "auto"}},
            "compute.device: Input should be 'auto', 'cpu' or 'cuda'",
        ),
        ({"network": {**BASE["network"], "channels": "wide"}}, "network.channels"),
    ],
)
def test_wrong_parameters_are_named(change: dict[str, object], says: str) -> None:
    with pytest.raises(StudyError) as caught:
        settings.parse(yaml.safe_dump(BASE | change))
    assert says in str(caught.value)
    assert str(caught.value).startswith("params.yaml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "", "- 1", "\t"])
def test_not_a_params_file(text: str) -> None:
    with pytest.raises(StudyError) as caught:
        settings.parse(text)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=r"params\.yaml: cannot read.*run from the repository's root"):
        settings.load()
