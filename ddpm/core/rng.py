"""Where all randomness is born: generators named by (seed, purpose, index), never a global state.

The same name gives the same numbers on the same kind of device, whatever ran before and whatever runs beside it.
"""

import hashlib

import torch
from torch import Tensor

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
