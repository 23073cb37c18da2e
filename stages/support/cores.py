"""How many cells to run at a time on this machine: `python -m stages.support.cores` prints it.

The standard library alone is imported: `make` asks before the environment is there.
"""

import math
import os
import re
import subprocess
from pathlib import Path

ON_A_GPU = 4  # cells at a time; benchmarks/gpu.md
ENVIRONMENT = Path(__file__).resolve().parents[2] / ".venv"
CGROUP = Path("/sys/fs/cgroup")
_PATIENCE_SECONDS = 20.0  # a driver that does not answer in this time counts as no GPU


def quota(cgroup: Path = CGROUP) -> float:
    """The CPUs that a container may use, infinity without a limit: version 2 of control groups, or version 1."""
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            words = [word for name in names for word in (cgroup / name).read_text(encoding="ascii").split()]
            allowed, period = float(words[0]), float(words[1])
        except (OSError, ValueError, IndexError):  # another version, no limit ("max"), or no control groups at all
            continue
        if allowed > 0 and period > 0:  # version 1 says -1 for no limit
            return allowed / period
    return math.inf


def cores() -> int:
    """The cores that this process may use: those of its affinity, or fewer where a container has a quota."""
    known = getattr(os, "sched_getaffinity", None)  # macOS has none
    count = len(known(0)) if known else os.cpu_count() or 1
    return max(1, math.floor(min(count, quota())))


def torch_has_cuda() -> bool:
    """Whether the environment's torch is built for GPUs; true as long as there is none."""
    try:
        found = [path.read_text("utf-8") for path in ENVIRONMENT.glob("lib/python*/site-packages/torch/version.py")]
    except (OSError, ValueError):  # another torch than is known here
        return True
    return not any(re.search(r"^cuda\b[^=]*=\s*None\b", version, re.MULTILINE) for version in found)


def gpu_answers() -> bool:
    """Whether the driver lists a GPU that this process, and the environment's torch, may use."""
    if not torch_has_cuda():
        return False
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=_PATIENCE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and "GPU" in listed.stdout


def jobs() -> int:
    """Cells at a time: one per core, or several that share a GPU."""
    return ON_A_GPU if gpu_answers() else cores()


if __name__ == "__main__":
    print(jobs())
