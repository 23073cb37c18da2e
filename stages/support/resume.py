"""Where a long stage left off, so that a kill at any moment costs less than a minute and changes no byte.

A state lives in the git-ignored .work/resume/, outside DVC, which removes a stage's outputs before it runs. Its name is
the hash of everything that decides the stage's output: a state is found again only by the very same work.
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
    """The sources that this process runs."""
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and Path(file).is_file() and (name == "__main__" or name.split(".")[0] in ("ddpm", "stages")):
            yield artifacts.read_bytes(Path(file))


def _digest(arrays: artifacts.Arrays) -> str:
    """Of the content: safetensors has no check sum, and nobody else looks at this file."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].tobytes())
    return digest.hexdigest()


class Resume:
    """The saved state of one piece of work.

    Args:
        label: names the work for a reader, for example ``train-cosine-200-0``.
        params: all numbers that decide its result.
        inputs: the files it reads.
    """

    def __init__(self, label: str, params: Mapping[str, Any], inputs: Iterable[Path]) -> None:
        digest = hashlib.sha256(json.dumps([label, params], sort_keys=True, default=str).encode())
        machine = (torch.__version__, torch.get_num_threads(), torch.cuda.is_available())
        digest.update(repr(machine).encode())  # other threads or another device round otherwise
        for data in (*map(artifacts.read_bytes, inputs), *_code()):
            digest.update(hashlib.sha256(data).digest())
        self.path = root() / ".work" / "resume" / f"{label}-{digest.hexdigest()[:32]}" / "state.safetensors"
        self.saved = time.monotonic()

    def load(self) -> tuple[artifacts.Arrays, dict[str, str]]:
        """What ``save`` wrote, or nothing: also when the state is damaged, which costs time and no result."""
        if not self.path.exists():
            return {}, {}
        try:
            arrays, metadata = artifacts.read_tensors(self.path)
            if metadata.pop("sha256", "") != _digest(arrays):
                raise StudyError("its content is not what was saved")
        except StudyError as error:
            print(f"warning: starting over, the saved state is damaged: {error.what}", file=sys.stderr)
            return {}, {}
        print(f"going on from {self.path.parent}", file=sys.stderr)
        return arrays, metadata

    def due(self) -> bool:
        """Whether the last save is long enough ago."""
        return time.monotonic() - self.saved >= EVERY_SECONDS

    def save(self, arrays: artifacts.Arrays, metadata: Mapping[str, str] | None = None) -> None:
        """Replace the saved state, atomically."""
        artifacts.write_tensors(self.path, arrays, {**(metadata or {}), "sha256": _digest(arrays)})
        self.saved = time.monotonic()

    def done(self) -> None:
        """Forget the state: the result is on disk."""
        shutil.rmtree(self.path.parent, ignore_errors=True)
