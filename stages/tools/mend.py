"""What a killed command leaves half written in a clone, and its cure.

DVC empties a file and then writes it: dvc.lock, in half a second, and its list of who reads and writes what. After a
kill in between, DVC refuses every later command of the clone.
"""

import json
import time
from pathlib import Path

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.tools import lock
from stages.tools.workspace import git

SIGNS = (  # what DVC says of them
    "Unable to read RWLock-file",
    f"{lock.LOCK}' is invalid",
    f"{lock.LOCK}' validation failed",
    f"{lock.LOCK}', is not valid",
)
_WRITING_SECONDS = 1.0  # DVC rewrites the list in milliseconds


def mend(folder: Path) -> bool:
    """Cure a clone in which a command may have been killed.

    A partly written rwlock file, DVC's list of running commands, is removed: where none runs, it has no entries to
    lose. Half a dvc.lock is replaced by Git's, or removed where Git has none. What was newer is not lost: DVC finds the
    stages of cells in its cache of runs, without running them; stages whose results are in Git, which DVC keeps no runs
    of, run again. A dvc.lock that was cut at the end of a line, and that DVC takes, stays: the stages that it lacks
    come back in the same way. Outputs that were pulled and never made here have no run in the cache: with their entry
    lost, they are made here.

    Returns:
        Whether there was anything to cure.

    Raises:
        StudyError: Git cannot restore dvc.lock, as when a merge left it with conflicts.
    """
    list_was_half = _mend_list(folder / ".dvc" / "tmp" / "rwlock")
    return _mend_lock(folder) or list_was_half


def _mend_lock(folder: Path) -> bool:
    if not lock.is_cut(folder):
        return False
    with lock.held(folder):
        if not lock.is_cut(folder):  # it was being written at that moment
            return False
        if git("ls-files", "--", lock.LOCK, folder=folder):
            git("checkout", "--quiet", "--", lock.LOCK, folder=folder)
        else:
            artifacts.remove(folder / lock.LOCK)
    return True


def _mend_list(path: Path) -> bool:
    if not _half(path):
        return False
    time.sleep(_WRITING_SECONDS)  # it may be half written at this moment
    if not _half(path):
        return False
    artifacts.remove(path)
    return True


def _half(path: Path) -> bool:
    """Whether a file is there and is no JSON."""
    try:
        json.loads(artifacts.read_bytes(path))
    except StudyError:  # another thread has removed it, or it never was
        return False
    except ValueError:
        return True
    return False
