"""A trained network from its file."""

import json
from pathlib import Path

import torch

from ddpm import artifacts, network
from ddpm.errors import StudyError


def load_network(path: Path, device: str) -> network.UNet:
    """The network that ``train`` wrote, ready to predict; StudyError when the file does not describe one."""
    tensors, metadata = artifacts.read_tensors(path)
    try:
        shape = json.loads(metadata["network"])
        shape |= {key: tuple(shape[key]) for key in ("channels", "kernels", "octaves")}
        net = network.build(network.Architecture(**shape), device)
        net.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"not a trained network: {reason}", where=str(path), cure="train it again") from error
    return net.eval().requires_grad_(False)
