"""A clone's dvc.lock.

Its entries travel between clones: what was made elsewhere is known here without being made again.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ddpm import artifacts
from ddpm.errors import StudyError

Entries = dict[str, dict[str, Any]]  # stage -> its entry in dvc.lock
LOCK = "dvc.lock"


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


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold DVC's lock of a clone: no DVC command of the clone writes dvc.lock meanwhile.

    Raises:
        StudyError: the folder is no DVC repository, or cannot be locked.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(folder), _wait_for_lock=True) as repo:
            repo.lock.lock()
            try:
                yield
            finally:
                repo.lock.unlock()
    except DvcException as error:
        raise StudyError(" ".join(str(error).split()), where=str(folder)) from error


def is_cut(folder: Path) -> bool:
    """Whether a dvc.lock is there that ends within a line or that DVC refuses, as after a kill while it was written."""
    path = folder / LOCK
    try:
        ends = artifacts.read_bytes(path).endswith(b"\n")
    except StudyError:  # none is there
        return False
    try:
        _load(path)
    except StudyError:
        return True
    return not ends


def _load(path: Path, *, to_change: bool = False) -> dict[str, Any]:
    """A dvc.lock as DVC reads it, if to change it in the slow way that keeps its layout; StudyError when it is none."""
    from dvc.exceptions import DvcException
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from dvc.utils import strictyaml

    try:
        data: dict[str, Any] = strictyaml.load(str(path), COMPILED_LOCKFILE_SCHEMA, round_trip=to_change)[0]
    except DvcException as error:
        raise StudyError("not a dvc.lock", where=str(path), hint="git checkout dvc.lock") from error
    return data


def merge(folder: Path, new: Entries) -> None:
    """Put entries into a clone's dvc.lock, in DVC's own format and while no DVC command of the clone writes it.

    Whoever is killed here leaves the old file or the new one.

    Raises:
        StudyError: the dvc.lock is none, or cannot be written.
    """
    from dvc.utils.serialize import dumps_yaml

    if not new:
        return
    path = folder / LOCK
    with held(folder):
        data: dict[str, Any] = _load(path, to_change=True) if path.exists() else {"schema": "2.0"}
        data["stages"] = (data.get("stages") or {}) | new
        artifacts.write_bytes(path, dumps_yaml(data).encode())


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
