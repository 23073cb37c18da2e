"""The kind of machine: those of one kind compute the same bytes, others round differently."""

import platform
import subprocess
from functools import cache
from pathlib import Path

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.support.cores import gpu_answers

CPUINFO = Path("/proc/cpuinfo")
DECIDING = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "bf16")  # instructions by which kernels are chosen


@cache
def kind() -> str:
    """The processor's instructions as far as they decide which kernels run, and the GPU's name where there is one."""
    try:
        words = artifacts.read_bytes(CPUINFO).decode(errors="replace").split()
    except StudyError:  # macOS has none
        words = [platform.processor()]
    found = [platform.machine(), *(name for name in DECIDING if name in words)]
    if gpu_answers():
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        names = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
        found += names[:1]
    return " ".join(found)
