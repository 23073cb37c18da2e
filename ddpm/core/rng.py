"""Random generators seeded by (seed, purpose, index); no global RNG state.

The same name gives the same numbers on the same kind of device, whatever ran before and whatever runs beside it.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_GLOBAL = torch.default_generator

NOISE_BLOCK = 64  # images drawn together; a constant of the format, so that the batch size is none


def stream(seed: int, *purpose: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for one purpose.

    Args:
        seed: the seed of the run, any integer.
        purpose: words and indices that name the use, for example ``("order", epoch)``.
        device: where the generator draws; CPU and CUDA give different numbers.
    """
    name = repr((seed, *purpose)).encode()
    state = int.from_bytes(hashlib.sha256(name).digest()[:8], "big") >> 1  # 63 bits: what manual_seed takes
    return torch.Generator(device).manual_seed(state)


@contextmanager
def global_generator(generator: torch.Generator) -> Iterator[None]:
    """Seed torch's global generator from this one for code that draws from it; it is restored afterwards."""
    before = _GLOBAL.get_state()
    _GLOBAL.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
    try:
        yield
    finally:
        _GLOBAL.set_state(before)


def image_noise(
    seed: int, *purpose: str | int, first: int, count: int, shape: tuple[int, ...], device: torch.device | str = "cpu"
) -> Tensor:
    """Standard normal noise for images ``first .. first + count - 1``; image i's numbers depend on i alone.

    Noise is drawn in fixed blocks of ``NOISE_BLOCK`` images and cut to size, so neither the batch size nor the number
    of images sampled changes what image i receives.

    Returns:
        float32 ``[count, *shape]``.
    """
    blocks = range(first // NOISE_BLOCK, -(-(first + count) // NOISE_BLOCK))
    drawn = [
        torch.randn(NOISE_BLOCK, *shape, generator=stream(seed, *purpose, block, device=device), device=device)
        for block in blocks
    ]
    offset = first - blocks[0] * NOISE_BLOCK if drawn else 0
    return torch.cat(drawn)[offset : offset + count] if drawn else torch.empty(0, *shape, device=device)


GPU_NOISE_BLOCK = 1024  # images that a generator of a GPU draws for together; a constant of the format as well


class GpuNoise:
    """Standard normal noise for images ``first .. first + count - 1``, one set for each k = 0, 1, 2, ... of a chain.

    On a GPU a generator for each step and block of images would cost more than the network, and none of them could be
    part of a CUDA graph. So a block of ``GPU_NOISE_BLOCK`` images has one generator, whose k-th draw belongs to k:
    here too image i's noise depends on i and k alone.

    Args:
        seed, purpose: name the streams, as in ``stream``.
        first, count: which images.
        shape: of an image.
        device: a GPU.
    """

    def __init__(
        self, seed: int, *purpose: str | int, first: int, count: int, shape: tuple[int, ...], device: torch.device | str
    ) -> None:
        blocks = range(first // GPU_NOISE_BLOCK, -(-(first + count) // GPU_NOISE_BLOCK))
        self.generators = [stream(seed, *purpose, block, device=device) for block in blocks]
        self.drawn = torch.empty(len(blocks), GPU_NOISE_BLOCK, *shape, device=device)
        start = first - blocks[0] * GPU_NOISE_BLOCK
        self.images = slice(start, start + count)
        self.draw()
        self.stride = self.generators[0].get_offset()  # of the numbers that a draw takes

    def draw(self) -> Tensor:
        """The next set, float32 ``[count, *shape]``, valid until the one after it is drawn."""
        for block, generator in zip(self.drawn, self.generators, strict=True):
            block.normal_(generator=generator)
        return self.drawn.flatten(0, 1)[self.images]

    def seek(self, k: int) -> None:
        """Make the set of k the next."""
        for generator in self.generators:
            generator.set_offset(k * self.stride)

    def __call__(self, k: int) -> Tensor:
        """The set of k."""
        self.seek(k)
        return self.draw().clone()
