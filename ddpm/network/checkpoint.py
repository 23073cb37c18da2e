"""A trained network, to its file and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch

from ddpm import artifacts
from ddpm.errors import StudyError
from ddpm.network import unet


def save_network(
    path: Path, weights: Mapping[str, torch.Tensor], architecture: unet.Architecture, precision: torch.dtype, cell: str
) -> None:
    """Write a network's state and what is needed to build it again; ``precision`` and ``cell`` are noted beside it."""
    tensors = {name: tensor.cpu().numpy() for name, tensor in weights.items()}
    metadata = {"network": json.dumps(asdict(architecture)), "precision": str(precision), "cell": cell}
    artifacts.write_tensors(path, tensors, metadata)


def load_network(path: Path, device: str) -> unet.UNet:
    """The network that ``save_network`` wrote, ready to predict; StudyError when the file does not describe one."""
    tensors, metadata = artifacts.read_tensors(path)
    try:
        shape = json.loads(metadata["network"])
        shape |= {key: tuple(shape[key]) for key in ("channels", "kernels", "octaves")}
        net = unet.build(unet.Architecture(**shape), device)
        net.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"not a trained network: {reason}", where=str(path), cure="train it again") from error
    return net.eval().requires_grad_(False)
