"""Paths of files that are not outputs of the pipeline."""

import os
from pathlib import Path


def root() -> Path:
    """The user's repository, also where DVC runs us in a copy that it throws away."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()
