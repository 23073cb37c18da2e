"""On what kind of machine each stage of the grid ran: kinds differ in rounding, so a mixture must not go unnoticed."""

from collections.abc import Iterable
from pathlib import Path

from ddpm import artifacts
from stages.support import settings
from stages.support.records import read_record
from stages.tools.jobs import cell_targets

FILE = Path(".work/grid/machines.json")  # of the latest runs here, by stage; no output of the pipeline


def read(folder: Path = Path()) -> dict[str, str]:
    """Stage -> kind of machine, as far as known."""
    path = folder / FILE
    return read_record(path, hint="delete it") if path.exists() else {}


def note(stages: Iterable[str], kind: str) -> None:
    """Stages ran on this kind of machine."""
    known = read() | dict.fromkeys(stages, kind)
    artifacts.write_json(FILE, known)


def kinds(params: settings.Params, folder: Path = Path()) -> dict[str, int]:
    """Kind of machine -> how many stages of a study's cells ran on it, as far as known."""
    known = read(folder)
    names = [
        name
        for cell in params.grid.cells()
        for name in cell_targets(cell, params.grid.sampler, {f"train@{cell}"})
        if name in known
    ]
    return {kind: sum(known[name] == kind for name in names) for kind in sorted({known[name] for name in names})}


def mixture(params: settings.Params, folder: Path = Path()) -> str:
    """A sentence if a study's cells are of several kinds of machines, else empty."""
    found = kinds(params, folder)
    told = ", ".join(f"{count} stages on {kind}" for kind, count in found.items())
    return f"cells of several kinds of machines, whose rounding differs: {told}" if len(found) > 1 else ""
