"""Checkpoints of long stages: a kill loses less than a minute of work and does not change the results.

Checkpoints are in the git-ignored .work/resume/, outside DVC, which removes a stage's outputs before it runs. The name
is the hash of everything that determines the stage's output, so that only the same work finds its checkpoint.
"""

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.support.paths import root

# a save takes about 0.06 s; the torture saves more often, so that its kills find a state
EVERY_SECONDS = float(os.environ.get("RESUME_SECONDS", "20"))


def _code() -> Iterable[bytes]:
    """The source code that this process runs."""
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and Path(file).is_file() and (name == "__main__" or name.split(".")[0] in ("ddpm", "stages")):
            yield artifacts.read_bytes(Path(file))


def _digest(arrays: artifacts.Arrays) -> str:
    """Checksum of the content, since safetensors has none."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].tobytes())
    return digest.hexdigest()


class Resume:
    """The checkpoint of one piece of work.

    Args:
        label: names the work for a reader, for example ``train-cosine-200-0``.
        params: all numbers that decide its result.
        inputs: the files it reads.
    """

    def __init__(self, label: str, params: Mapping[str, Any], inputs: Iterable[Path]) -> None:
        digest = hashlib.sha256(json.dumps([label, params], sort_keys=True, default=str).encode())
        # rounding depends on threads and device: CUDA is initialised where this process has put anything on the GPU
        machine = (torch.__version__, torch.get_num_threads(), torch.cuda.is_initialized())
        digest.update(repr(machine).encode())
        for data in (*map(artifacts.read_bytes, inputs), *_code()):
            digest.update(hashlib.sha256(data).digest())
        self.path = root() / ".work" / "resume" / f"{label}-{digest.hexdigest()[:32]}" / "state.safetensors"
        self.saved = time.monotonic()

    def load(self) -> tuple[artifacts.Arrays, dict[str, str]]:
        """What ``save`` wrote, or nothing; a damaged checkpoint is ignored with a warning and the work starts again."""
        if not self.path.exists():
            return {}, {}
        try:
            arrays, metadata = artifacts.read_tensors(self.path)
            if metadata.pop("sha256", "") != _digest(arrays):
                raise StudyError("checksum mismatch")
        except StudyError as error:
            print(f"warning: the checkpoint is damaged, starting again: {error.what}", file=sys.stderr)
            return {}, {}
        print(f"resuming from {self.path.parent}", file=sys.stderr)
        return arrays, metadata

    def due(self) -> bool:
        """Whether it is time for the next checkpoint."""
        return time.monotonic() - self.saved >= EVERY_SECONDS

    def save(self, arrays: artifacts.Arrays, metadata: Mapping[str, str] | None = None) -> None:
        """Replace the checkpoint atomically."""
        artifacts.write_tensors(self.path, arrays, {**(metadata or {}), "sha256": _digest(arrays)})
        self.saved = time.monotonic()

    def done(self) -> None:
        """Delete the checkpoint; the result has been written."""
        shutil.rmtree(self.path.parent, ignore_errors=True)
