"""Which device and which precision to use; the library itself never chooses."""

import torch

from ddpm.errors import StudyError


def choose(device: str, precision: str, threads: int) -> tuple[str, torch.dtype]:
    """Resolve ``auto``: CUDA where there is one; bfloat16 where the device multiplies matrices in it natively.

    Sets the threads of this process: DVC would take a result for another's when they were the environment's to set.

    Raises:
        StudyError: ``cuda`` was asked for and there is none.
    """
    torch.set_num_threads(threads)
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise StudyError("no CUDA device here", where="compute.device", cure="use auto or cpu")
    device = "cuda" if has_cuda and device != "cpu" else "cpu"
    if precision != "auto":
        return device, getattr(torch, precision)
    if device == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        found = torch.cpu.get_capabilities()
        native = bool(found.get("avx512_bf16") or found.get("amx_bf16"))
    return device, torch.bfloat16 if native else torch.float32
