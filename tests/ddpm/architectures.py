"""Networks that are small enough for tests: their architectures, their weights, and images for them."""

import dataclasses

import torch

from ddpm.core import rng
from ddpm.network import unet
from ddpm.network.architecture import Architecture
from ddpm.network.unet import UNet

SMALL = Architecture(
    patch=2,
    channels=(16, 32),
    blocks=1,
    middle_blocks=1,
    attention=False,
    stem_kernel=1,
    kernels=(3, 1),
    downsample="strided",
    prediction="v",
    norm="middle",
    octaves=(2, 4),
)
# with every kind of layer
MIXED = dataclasses.replace(SMALL, middle_blocks=2, attention=True)
TINY = dataclasses.replace(
    SMALL, patch=4, channels=(8,), stem_kernel=3, kernels=(3, 3), prediction="epsilon", octaves=()
)
FULL = Architecture(
    patch=1,
    channels=(8, 16, 32),
    blocks=2,
    middle_blocks=2,
    attention=True,
    stem_kernel=3,
    kernels=(3, 3),
    downsample="maxpool",
    prediction="epsilon",
    norm="all",
    octaves=(),
)


def build(architecture: Architecture, seed: int = 0) -> UNet:
    net = unet.build(architecture, "cpu")
    unet.initialise(net, rng.stream(seed, "test"))
    return net


def awake(architecture: Architecture) -> UNet:
    """With the layers that start at zero filled, so that every path carries a signal."""
    net = build(architecture)
    generator = torch.Generator().manual_seed(1)
    for parameter in net.parameters():
        if not bool(parameter.any()):
            torch.nn.init.normal_(parameter, std=0.1, generator=generator)
    return net


def inputs(n: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 1, 28, 28, generator=torch.Generator().manual_seed(2)), torch.arange(1, n + 1)
