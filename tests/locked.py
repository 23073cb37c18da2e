"""The dvc.lock that DVC leaves when it has made the tables of a study, without running anything."""

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML

from stages.support.cells import Cell
from stages.tools.made import outputs
from tests.conftest import ROOT

OUTPUTS = {"aggregate": "metrics/fid_of_T.csv", "ranking": "metrics/ranking.json"}


def entry(stage: str, files: list[str], folder: Path) -> dict[str, Any]:
    """What dvc.lock has of a stage that has just made files with the parameters of the folder's params.yaml."""
    params = YAML(typ="safe").load((folder / "params.yaml").read_text())
    used = {}
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for name in declared[stage.partition("@")[0]]["params"]:
        used[name] = params
        for part in name.split("."):
            used[name] = used[name][part]
    outs = [{"path": file, "md5": hashlib.md5((folder / file).read_bytes()).hexdigest()} for file in files]
    return {"params": {"params.yaml": used}, "outs": outs, "deps": [{"path": "data/results/cells", "md5": "c"}]}


def lock_tables(folder: Path = Path()) -> None:
    """Write the dvc.lock of a study whose tables that are there have just been made."""
    made = {stage: entry(stage, [file], folder) for stage, file in OUTPUTS.items() if (folder / file).exists()}
    (folder / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": made}))


def lock_cells(folder: Path, cells: list[Cell], samplers: list[str]) -> None:
    """Write the dvc.lock of a study whose cells have just been made; only a training's inputs are in it."""
    found = {"mnist": entry("mnist", [], folder), "schedules": entry("schedules", [], folder)}
    found["mnist"]["outs"] = [{"path": "data/raw", "md5": "r.dir"}]
    for cell in cells:
        files = outputs(cell, samplers)
        found |= {stage: entry(stage, [str(path) for path in paths], folder) for stage, paths in files.items()}
        table = {"path": str(cell.table), "md5": hashlib.md5((folder / cell.table).read_bytes()).hexdigest()}
        found[f"train@{cell}"]["deps"] = [{"path": "data/raw", "md5": "r.dir"}, table]
        model = found[f"train@{cell}"]["outs"][0]
        for sampler in samplers:
            found[f"sample@{cell}-{sampler}"]["deps"] = [model]
    (folder / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": found}))
