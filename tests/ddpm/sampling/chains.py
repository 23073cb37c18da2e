"""What a chain is made of in tests: noise, a stand-in for a network, and the images that it ends with."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ddpm.core import rng


def noise(count: int, *shape: int) -> Callable[[int], Tensor]:
    return lambda k: rng.image_noise(0, "test", k, first=0, count=count, shape=shape)


def last(steps: Iterator[tuple[int, Tensor]]) -> Tensor:
    *_, (t, x) = list(steps)
    assert t == 0
    return x


def sine_network(x: Tensor, t: Tensor) -> Tensor:
    """A deterministic stand-in for a network: bounded, and different at every t."""
    return torch.sin(3 * x + t.view(-1, 1, 1, 1))
