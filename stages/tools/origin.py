"""What a cell comes from and where its model is, for its run in MLflow: checksums and paths, no copies."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddpm import artifacts
from stages.support.cells import RAW, Cell

if TYPE_CHECKING:  # imported late: mlflow takes seconds
    from mlflow.entities import DatasetInput


def _sha256(path: Path) -> str:
    return hashlib.sha256(artifacts.read_bytes(path)).hexdigest()


def data_set(name: str) -> "list[DatasetInput]":
    """The data set as an input of a run; empty where its files are not, as after `dvc pull` of the results alone.

    The digest is that of the list that `sha256sum *` prints in data/raw, as far as MLflow has room for it; the files'
    own sha256 are in the profile.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    files = {path.name: _sha256(path) for path in sorted(RAW.glob("*-ubyte"))}
    if not files:
        return []
    listed = "".join(f"{checksum}  {file}\n" for file, checksum in files.items())
    digest = hashlib.sha256(listed.encode()).hexdigest()[:36]
    source, profile = json.dumps({"uri": str(RAW)}), json.dumps({"sha256": files})
    data = Dataset(name, digest, source_type="local", source=source, profile=profile)
    return [DatasetInput(data, [InputTag("mlflow.data.context", "training")])]


def link(cell: Cell) -> dict[str, Any]:
    """Where the model is: DVC has it already, and `dvc checkout` or `dvc pull` of the file brings it back."""
    data = artifacts.read_bytes(cell.model)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return {"file": str(cell.model), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "md5": md5}
