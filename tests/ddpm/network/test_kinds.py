"""Networks by kind: what a guest must do, and files of earlier versions."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from ddpm.core import rng
from ddpm.core.device import use_graph
from ddpm.errors import StudyError
from ddpm.network import kinds, today, unet
from ddpm.network.checkpoint import load_network, save_network
from ddpm.sampling import inference
from ddpm.schedules import make_schedule
from ddpm.training.loop import Recipe, Training
from tests.committed import only_as_committed
from tests.conftest import ROOT

OWN: dict[str, Any] = yaml.safe_load((ROOT / "conf/network/small.yaml").read_text())
COURSE: dict[str, Any] = yaml.safe_load((ROOT / "conf/network/course.yaml").read_text())
TINY = COURSE | {"layers_per_block": 1, "block_out_channels": [32, 32, 32]}
SCHEDULE = make_schedule("linear", 20)


def create(values: dict[str, Any], seed: int = 0) -> nn.Module:
    return kinds.create(values, rng.stream(seed, "test"))


def test_the_course_network_has_the_size_of_the_course() -> None:
    assert sum(p.numel() for p in create(COURSE).parameters()) == 1_707_009


@pytest.mark.parametrize("values", [OWN, TINY], ids=["own", "guest"])
def test_the_generator_decides_the_weights_and_the_global_one_stays(values: dict[str, Any]) -> None:
    before = torch.random.get_rng_state()
    one, same, other = (list(create(values, seed).parameters()) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("values", [OWN, TINY], ids=["own", "guest"])
def test_a_checkpoint_gives_the_network_back(values: dict[str, Any], tmp_path: Path) -> None:
    net, path = create(values), tmp_path / "model.safetensors"
    save_network(path, net.state_dict(), values, torch.float32, "linear-20-0")
    before = torch.random.get_rng_state()
    loaded = load_network(path, "cpu")
    assert torch.equal(torch.random.get_rng_state(), before)
    x, t = torch.randn(3, 1, 28, 28, generator=rng.stream(0, "x")), torch.tensor([1, 5, 20])
    with torch.no_grad():
        torch.testing.assert_close(loaded(x, t), net(x, t))
    assert not any(p.requires_grad for p in loaded.parameters())


def test_a_guest_is_called_with_t_from_0_and_falls_back_to_plain_calls() -> None:
    net = create(TINY)
    x, t = torch.randn(3, 1, 28, 28, generator=rng.stream(0, "x")), torch.tensor([7])
    with torch.no_grad():
        expected = net.get_submodule("net")(x, torch.tensor([6])).sample
        assert torch.equal(inference.sampling_denoiser(net, SCHEDULE, torch.float32)(x, t), expected)
    assert not use_graph(net, "cuda")
    assert use_graph(create(OWN), "cuda")
    assert not use_graph(create(OWN), "cpu")


def test_a_guest_trains_and_resumes_to_the_byte() -> None:
    images = torch.randint(0, 256, (24, 1, 28, 28), dtype=torch.uint8, generator=rng.stream(0, "images"))
    recipe = Recipe(2, 16, 1e-3, 0.0, warmup_steps=0, cooldown=0.0, adam_beta_2=0.999, ema_decay=0.0)

    def start() -> Training:
        net = create(TINY)
        return Training(net, unet.denoiser(net, SCHEDULE, torch.float32), images, SCHEDULE, recipe, 0)

    whole, cut, resumed = start(), start(), start()
    losses = [float(step.loss) for step in whole]
    assert len(losses) == 4
    next(iter(cut))
    resumed.load_state({name: value.clone() for name, value in cut.state().items()})
    assert [float(step.loss) for step in resumed] == losses[1:]
    for a, b in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_muon_is_for_our_own_network() -> None:
    net = create(TINY)
    images = torch.zeros(4, 1, 28, 28, dtype=torch.uint8)
    recipe = Recipe(1, 4, 1e-3, 0.02, warmup_steps=0, cooldown=0.0, adam_beta_2=0.999, ema_decay=0.0)
    with pytest.raises(StudyError, match=r"train\.muon_learning_rate"):
        Training(net, net, images, SCHEDULE, recipe, 0)


class _Half(nn.Module):
    """A network of one number."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.scale * x_t


def test_a_kind_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(kinds.KINDS, "half", _Half)
    scale = create({"kind": "half", "scale": 0.5}).get_parameter("scale")
    assert scale.item() == 0.5


def test_running_statistics_are_refused() -> None:
    kinds.refuse_hidden_state(nn.Sequential(nn.GroupNorm(1, 4), nn.BatchNorm2d(4, track_running_stats=False)))
    with pytest.raises(StudyError, match=r"1 \(BatchNorm2d\) keeps running statistics; use group norm"):
        kinds.refuse_hidden_state(nn.Sequential(nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4)))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": "resnet"}, "unknown kind 'resnet'.*choose one of unet, diffusers-unet2d"),
        (TINY | {"colour": "red"}, "parameters do not fit diffusers-unet2d: .*colour"),
        (TINY | {"down_block_types": ["DownBlock2D"]}, "parameters do not fit"),
        (TINY | {"dropout": 0.1}, r"\(Dropout\) draws from torch's global generator; set its dropout to 0"),
    ],
)
def test_wrong_parameters_are_one_line(values: dict[str, Any], says: str) -> None:
    with pytest.raises(StudyError, match=says):
        create(values)


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(StudyError, match=r"network\.kind: diffusers is not installed; pip install -e '\.\[guests\]'"):
        create(COURSE)


@only_as_committed
def test_every_committed_checkpoint_is_read() -> None:
    stages = yaml.load((ROOT / "dvc.lock").read_text(), Loader=yaml.CSafeLoader)["stages"]
    outs = [out for stage, entry in stages.items() if stage.startswith("train@") for out in entry["outs"]]
    models = [out["md5"] for out in outs if out["path"].endswith(".safetensors")]
    assert models
    for md5 in models:
        net = load_network(ROOT / "data" / "trained" / "files" / "md5" / md5[:2] / md5[2:], "cpu")
        assert all(bool(p.isfinite().all()) for p in net.parameters())


def test_files_of_earlier_versions() -> None:
    earlier = {name: value for name, value in OWN.items() if name not in ("kind", "prediction", "norm")}
    assert today(earlier | {"output": "noise"}) == OWN
    assert today(earlier | {"output": "velocity"}) == OWN | {"prediction": "v"}
    assert today(OWN) == OWN
    assert today(COURSE) == COURSE
