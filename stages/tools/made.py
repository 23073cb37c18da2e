"""Whether files are what a stage in dvc.lock made, with the parameters that params.yaml has now."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ddpm import artifacts
from stages.support import settings
from stages.support.cells import Cell

SHARED = ("mnist", "weights", "reference", "schedules")  # what cells are made of

Entry = dict[str, Any]  # of a stage in dvc.lock


def values(folder: Path = Path()) -> dict[str, Any]:
    """The values of a folder's params.yaml, which is valid, as DVC reads them and writes them to dvc.lock.

    Raises:
        StudyError: it cannot be read.
    """
    return dict(YAML(typ="safe").load(artifacts.read_bytes(folder / settings.PATH)))


def md5(path: Path) -> str:
    """The hash by which DVC knows a file."""
    return hashlib.md5(artifacts.read_bytes(path), usedforsecurity=False).hexdigest()


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
        if listed.get(file.as_posix()) != md5(folder / file):
            return "not the file that dvc.lock names"
    return ""


def dep(entry: Entry, path: Path) -> str:
    """The md5 of what a stage read at a path; empty if it did not."""
    return next((str(dep["md5"]) for dep in entry.get("deps", []) if dep["path"] == path.as_posix()), "")


def outputs(cell: Cell, samplers: Iterable[str]) -> dict[str, tuple[Path, ...]]:
    """Stages of a cell -> their files that MLflow gets."""
    found: dict[str, tuple[Path, ...]] = {f"train@{cell}": (cell.model, cell.log), f"heldout@{cell}": (cell.heldout,)}
    for sampler in samplers:
        name = f"{cell}-{sampler}"
        found |= {f"sample@{name}": (cell.samples(sampler),), f"embed@{name}": ()}
        found |= {f"fid@{name}": (cell.metrics(sampler),)}
    return found


def cell_fault(cell: Cell, samplers: Iterable[str], entries: dict[str, Entry], now: dict[str, Any]) -> str:
    """Why a cell's files are not of today's parameters, as far as dvc.lock knows; empty if they are.

    A stage that is not in dvc.lock was run without DVC: nothing is known of it.

    Raises:
        StudyError: a file cannot be read.
    """
    files = outputs(cell, samplers)
    known = {name: entries[name] for name in (*SHARED, *files) if name in entries}
    outs = {out["path"]: out["md5"] for entry in known.values() for out in entry.get("outs", [])}
    if cell.table.exists():
        outs[cell.table.as_posix()] = md5(cell.table)
    for name, entry in known.items():
        if name == "schedules":  # one stage for all: this cell's alone counts
            used = _value(entry.get("params", {}).get(str(settings.PATH)), f"schedules.{cell.schedule}")
            why = "" if used in (None, now["schedules"].get(cell.schedule)) else "made with other parameters"
        else:
            why = fault(entry, files.get(name, ()), now)
            older = [dep["path"] for dep in entry.get("deps", []) if outs.get(dep["path"], dep["md5"]) != dep["md5"]]
            why = why or (f"made of an earlier {older[0]}" if older else "")
        if why:
            return f"{name}: {why}"
    return ""
