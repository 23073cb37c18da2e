"""A trained network, to its file and back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ddpm import artifacts
from ddpm.errors import StudyError
from ddpm.network import kinds


def save_network(
    path: Path, weights: Mapping[str, torch.Tensor], network: Mapping[str, Any], precision: torch.dtype, cell: str
) -> None:
    """Write a network's state and its parameters; with ``precision`` and ``cell`` as metadata."""
    tensors = {name: tensor.cpu().numpy() for name, tensor in weights.items()}
    metadata = {"network": json.dumps(network), "precision": str(precision), "cell": cell}
    artifacts.write_tensors(path, tensors, metadata)


def load_network(path: Path, device: str) -> nn.Module:
    """The network that ``save_network`` wrote, ready to predict; StudyError when the file does not describe one."""
    tensors, metadata = artifacts.read_tensors(path)
    try:
        network = kinds.empty(json.loads(metadata["network"]), device)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"not a trained network: {reason}", where=str(path), hint="train it again") from error
    return network.eval().requires_grad_(False)
