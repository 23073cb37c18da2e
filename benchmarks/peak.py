"""Worker: matrix-multiply peak, FLOP/s."""

from collections.abc import Callable

import torch

from benchmarks.worker import serve

SIZE = 2048


def _product(dtype: torch.dtype) -> Callable[[], int]:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(SIZE, SIZE, generator=generator).to(dtype) for _ in range(2))

    def step() -> int:
        a @ b
        return 2 * SIZE**3

    return step


CASES = {"float32": lambda: _product(torch.float32), "bfloat16": lambda: _product(torch.bfloat16)}

if __name__ == "__main__":
    serve(CASES)
