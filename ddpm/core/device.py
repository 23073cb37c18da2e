"""Which device, precision, path and batch size to use: decided here, and nowhere else in the library."""

import torch
from torch import nn

from ddpm.errors import StudyError

GPU_SAMPLE_BATCH = 2500  # images; 10,000 at once are a tenth faster and take four times the memory


def choose(device: str, precision: str, threads: int) -> tuple[str, torch.dtype]:
    """Resolve ``auto``: CUDA where there is one; bfloat16 where the device multiplies matrices in it natively.

    Sets the threads of this process: DVC would take a result for another's when they were the environment's to set.
    And float32 is float32: by default convolutions on a GPU round their inputs to the 10 bits of TF32.

    Raises:
        StudyError: ``cuda`` was asked for and there is none.
    """
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise StudyError("no CUDA device here", where="compute.device", hint="use auto or cpu")
    device = "cuda" if has_cuda and device != "cpu" else "cpu"
    if precision != "auto":
        return device, getattr(torch, precision)
    if device == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        found = torch.cpu.get_capabilities()
        native = bool(found.get("avx512_bf16") or found.get("amx_bf16"))
    return device, torch.bfloat16 if native else torch.float32


def use_graph(network: nn.Module, device: str) -> bool:
    """Whether to train and sample by CUDA graphs: on a GPU, with a network that says it can be captured.

    A captured network must not wait for the GPU or branch on values; other kinds of networks may.
    """
    return device == "cuda" and bool(getattr(network, "capturable", False))


def sample_batch(batch_size: int, device: str) -> int:
    """How many images to sample at once: a GPU needs more than a CPU's cache can hold."""
    return max(batch_size, GPU_SAMPLE_BATCH) if device == "cuda" else batch_size


def feature_batch(device: str) -> int:
    """How many images the feature extractor takes at once: on a CPU their activations should stay near the cache."""
    return 1000 if device == "cuda" else 16
