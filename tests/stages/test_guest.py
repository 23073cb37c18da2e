"""A network of another kind in every stage that uses one: train, resume, sample, chains and held-out losses."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from ddpm import artifacts
from ddpm.errors import StudyError
from ddpm.network import kinds
from ddpm.network.checkpoint import load_network
from stages import chains, heldout, sample, schedules, train
from stages.support import resume
from tests.conftest import ROOT, edit_params
from tests.stage_runs import AXES, CELL, SAMPLER, run

COURSE = yaml.safe_load((ROOT / "conf" / "network" / "course.yaml").read_text())
GUESTS = {
    "course": COURSE
    | {
        "layers_per_block": 1,
        "block_out_channels": [8, 8],
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
        "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
        "norm_num_groups": 4,
    },
    "own": {"kind": "two-layers", "width": 4},
}


class _KilledError(Exception):
    """The process ends here."""


class _TwoLayers(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(2, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.body(torch.cat([x_t, (t / 1000).view(-1, 1, 1, 1).expand_as(x_t)], 1))  # type: ignore[no-any-return]


@pytest.fixture(params=GUESTS)
def guest(request: pytest.FixtureRequest, tiny_study: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A tiny study whose network is a guest; its group."""
    monkeypatch.setitem(kinds.KINDS, "two-layers", _TwoLayers)
    params = yaml.safe_load((tiny_study / "params.yaml").read_text())
    params["network"] = GUESTS[request.param]
    (tiny_study / "params.yaml").write_text(yaml.safe_dump(params))
    edit_params(tiny_study, train={"muon_learning_rate": 0.0, "learning_rate": 1e-3}, chains={"images": 2, "frames": 3})
    run(schedules)
    return dict(params["network"])


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def killed(stage: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a stage that is interrupted right after its first checkpoint."""
    save = resume.Resume.save

    def save_and_stop(self: resume.Resume, *arguments: Any) -> None:
        save(self, *arguments)
        raise _KilledError

    with monkeypatch.context() as patch:
        patch.setattr(resume, "EVERY_SECONDS", 0.0)
        patch.setattr(resume.Resume, "save", save_and_stop)
        with pytest.raises(_KilledError):
            stage()


def test_a_guest_is_trained_resumed_sampled_and_measured(
    guest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = CELL.samples("ancestral")

    def everything() -> list[str]:
        run(train, *AXES)
        run(sample, *AXES, *SAMPLER)
        run(chains, *AXES)
        run(heldout, *AXES)
        return [digest(path) for path in (CELL.model, CELL.log, samples, CELL.chain, CELL.heldout)]

    whole = everything()
    assert [record["images"] for record in artifacts.read_json_lines(CELL.log)] == [32, 16, 32, 16]
    assert artifacts.read_npy(samples).shape == (8, 28, 28)
    assert artifacts.read_npy(CELL.chain).shape == (3, 2, 28, 28)
    assert np.isfinite(artifacts.read_json(CELL.heldout)["loss_simple"])
    assert type(load_network(CELL.model, "cpu")).__name__ in ("_Diffusers", "_TwoLayers")

    for stage in (lambda: run(train, *AXES), lambda: run(sample, *AXES, *SAMPLER)):
        killed(stage, monkeypatch)
    checkpoints = Path(".work/resume")
    assert {path.name[:5] for path in checkpoints.iterdir()} == {"train", "sampl"}
    assert everything() == whole
    assert not list(checkpoints.iterdir())  # both stages resumed, so both removed their checkpoint


def test_muon_does_not_train_a_guest(guest: dict[str, Any]) -> None:
    edit_params(Path(), train={"muon_learning_rate": 0.02})
    with pytest.raises(StudyError, match=r"train\.muon_learning_rate: Muon .*; set it to 0"):
        run(train, *AXES)
