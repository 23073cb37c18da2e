"""Worker: training images a second at batch 128."""

from collections.abc import Callable

from benchmarks import peers
from benchmarks.worker import serve


def _ours() -> Callable[[], int]:
    steps = iter(peers.our_training())
    return lambda: next(steps).images


CASES = {
    "ours": _ours,
    "denoising-diffusion-pytorch, fp32": lambda: peers.trainer(*peers.denoising_diffusion_pytorch(), bfloat16=False),
    "denoising-diffusion-pytorch, bf16": lambda: peers.trainer(*peers.denoising_diffusion_pytorch(), bfloat16=True),
    "diffusers, fp32": lambda: peers.trainer(*peers.diffusers_training(), bfloat16=False),
    "diffusers, bf16": lambda: peers.trainer(*peers.diffusers_training(), bfloat16=True),
}

if __name__ == "__main__":
    serve(CASES)
