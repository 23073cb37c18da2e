"""Whether files are what a stage in dvc.lock made, with the parameters that params.yaml has now."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ddpm import artifacts
from stages.support import settings

Entry = dict[str, Any]  # of a stage in dvc.lock


def values(folder: Path = Path()) -> dict[str, Any]:
    """The values of a folder's params.yaml, which is valid, as DVC reads them and writes them to dvc.lock.

    Raises:
        StudyError: it cannot be read.
    """
    return dict(YAML(typ="safe").load(artifacts.read_bytes(folder / settings.PATH)))


def _value(of: Any, name: str) -> Any:
    for part in name.split("."):
        of = of.get(part) if isinstance(of, dict) else None
    return of


def fault(entry: Entry | None, files: Iterable[Path], now: dict[str, Any], folder: Path = Path()) -> str:
    """Why files are not what a stage made with the parameters of today; empty if they are.

    Args:
        entry: of the stage in dvc.lock; None: it has none.
        files: outputs of the stage, relative to the folder.
        now: the values of params.yaml.
        folder: where the files are.

    Raises:
        StudyError: a file cannot be read.
    """
    if entry is None:
        return "dvc.lock does not have the stage that makes it"
    used = entry.get("params", {}).get(str(settings.PATH), {})
    if other := [name for name, value in used.items() if _value(now, name) != value]:
        return f"made with other {', '.join(other)} than params.yaml has"
    listed = {out["path"]: out["md5"] for out in entry.get("outs", [])}
    for file in files:
        data = artifacts.read_bytes(folder / file)
        if listed.get(file.as_posix()) != hashlib.md5(data, usedforsecurity=False).hexdigest():
            return "not the file that dvc.lock names"
    return ""


def dep(entry: Entry, path: Path) -> str:
    """The md5 of what a stage read at a path; empty if it did not."""
    return next((str(dep["md5"]) for dep in entry.get("deps", []) if dep["path"] == path.as_posix()), "")
