"""A network's file: what it holds, and which files are none."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ddpm import artifacts
from ddpm.core import rng
from ddpm.errors import StudyError
from ddpm.network import kinds
from ddpm.network.checkpoint import load_network, save_network
from tests.ddpm.architectures import MIXED

VALUES = {"kind": "unet"} | MIXED.__dict__


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_network(path, network().state_dict(), VALUES, torch.bfloat16, "linear-20-0")
    return path


def network() -> torch.nn.Module:
    return kinds.create(VALUES, rng.stream(0, "test"))


def test_a_network_comes_back_with_its_parameters_and_precision(path: Path) -> None:
    read = load_network(path, "cpu")
    assert all(torch.equal(tensor, network().state_dict()[name]) for name, tensor in read.state_dict().items())
    assert not read.training
    assert not any(parameter.requires_grad for parameter in read.parameters())
    _, metadata = artifacts.read_tensors(path)
    assert metadata["precision"] == "torch.bfloat16"
    assert metadata["cell"] == "linear-20-0"


@pytest.mark.parametrize(
    "metadata",
    [
        {},  # a file of weights alone
        {"network": "{"},
        {"network": json.dumps(VALUES | {"channels": [16, 16]})},  # of other shapes
    ],
    ids=["none", "damaged", "shapes"],
)
def test_a_file_that_describes_no_network_is_refused(path: Path, metadata: dict[str, Any]) -> None:
    tensors, _ = artifacts.read_tensors(path)
    artifacts.write_tensors(path, tensors, metadata)
    with pytest.raises(StudyError, match=r"model\.safetensors: not a trained network: .*; train it again"):
        load_network(path, "cpu")
