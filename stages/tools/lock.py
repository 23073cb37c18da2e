"""A clone's dvc.lock and DVC's list of who reads and writes what in it.

Entries of dvc.lock travel between clones: what was made elsewhere is known here without being made again.
"""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ddpm import artifacts
from ddpm.errors import StudyError

Entries = dict[str, dict[str, Any]]  # stage -> its entry in dvc.lock
LOCK = "dvc.lock"
DAMAGED = "Unable to read RWLock-file"  # what DVC says of its list of who reads and writes what
_WRITING_SECONDS = 1.0  # DVC rewrites the list in milliseconds


def entries(folder: Path, names: Iterable[str]) -> Entries:
    """The entries of some stages, those that have one.

    Raises:
        StudyError: the dvc.lock cannot be read or is none.
    """
    from dvc.utils.serialize import ParseError, load_yaml

    path = folder / LOCK
    if not path.exists():
        return {}
    try:
        stages = load_yaml(str(path))["stages"]  # DVC's own reader: to others 1e-05 is text
        return {name: dict(stages[name]) for name in names if name in stages}
    except (ParseError, LookupError, TypeError, ValueError) as error:
        raise StudyError("not a dvc.lock", where=str(path), hint="git checkout dvc.lock") from error


def merge(folder: Path, new: Entries) -> None:
    """Put entries into a clone's dvc.lock, in DVC's own format and while no DVC command of the clone writes it."""
    from dvc.repo import Repo
    from dvc.utils.serialize import modify_yaml

    if not new:
        return
    with Repo(str(folder), _wait_for_lock=True) as repo:
        repo.lock.lock()
        try:
            with modify_yaml(str(folder / LOCK)) as data:
                data.setdefault("schema", "2.0")
                data["stages"] = (data.get("stages") or {}) | new
        finally:
            repo.lock.unlock()


def mend(folder: Path) -> bool:
    """Remove DVC's list of who reads and writes what in a clone, if a command that was killed left half of it.

    DVC refuses every command then. The list of a clone in which no command runs is empty.

    Returns:
        Whether there was such a list.
    """
    path = folder / ".dvc" / "tmp" / "rwlock"
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


def upstream(folder: Path, targets: Iterable[str]) -> dict[str, set[str]]:
    """All stages that each target depends on, directly or not."""
    import networkx
    from dvc.repo import Repo

    with Repo(str(folder)) as repo:
        graph = networkx.relabel_nodes(repo.index.graph, {stage: stage.name for stage in repo.index.stages})
    return {target: set(networkx.descendants(graph, target)) for target in targets}


def uncached(folder: Path, names: Iterable[str]) -> list[str]:
    """The outputs of some stages that are in Git and not in DVC's cache, so that no remote has them."""
    from dvc.repo import Repo

    wanted = set(names)
    with Repo(str(folder)) as repo:
        stages = [stage for stage in repo.index.stages if stage.name in wanted]
        return sorted(out.def_path for stage in stages for out in stage.outs if not out.use_cache)


def remote(folder: Path) -> str:
    """The name of a clone's default DVC remote; empty if it has none."""
    from dvc.repo import Repo

    with Repo(str(folder)) as repo:
        return str(repo.config["core"].get("remote") or "")


def share(folder: Path, source: Path) -> None:
    """Let a clone use the cache and the remotes of another, which may be in its untracked configuration."""
    from dvc.config import Config
    from dvc.repo import Repo

    with Repo(str(source)) as repo:
        core, remotes = dict(repo.config["core"]), dict(repo.config["remote"])
        cache = repo.cache.local_cache_dir
    private = folder / ".dvc" / "config.local"
    private.touch(mode=0o600)  # a remote's password may be in it
    with Config(str(folder / ".dvc")).edit("local") as ours:
        ours["cache"]["dir"] = cache
        ours["remote"] = remotes
        if core.get("remote"):
            ours["core"]["remote"] = core["remote"]
