"""Worker: what this machine multiplies at best, FLOP/s: a matrix product, and a convolution, whose kernels differ.

On a processor of another maker MKL multiplies matrices at half the rate that oneDNN convolves at.
"""

from collections.abc import Callable

import torch
from torch.nn import functional as F

from benchmarks.worker import serve

SIZE = 2048
CHANNELS, SIDE, IMAGES = 256, 32, 4


def _product(dtype: torch.dtype) -> Callable[[], int]:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(SIZE, SIZE, generator=generator).to(dtype) for _ in range(2))

    def step() -> int:
        a @ b
        return 2 * SIZE**3

    return step


def _convolution(dtype: torch.dtype) -> Callable[[], int]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(IMAGES, CHANNELS, SIDE, SIDE, generator=generator).to(dtype)
    weight = torch.randn(CHANNELS, CHANNELS, 3, 3, generator=generator).to(dtype)

    def step() -> int:
        F.conv2d(x, weight)
        return 2 * IMAGES * CHANNELS**2 * 9 * (SIDE - 2) ** 2

    return step


CASES = {
    "float32 product": lambda: _product(torch.float32),
    "float32 convolution": lambda: _convolution(torch.float32),
    "bfloat16 product": lambda: _product(torch.bfloat16),
    "bfloat16 convolution": lambda: _convolution(torch.bfloat16),
}

if __name__ == "__main__":
    serve(CASES)
