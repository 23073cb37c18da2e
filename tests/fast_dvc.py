"""The `dvc` of these tests: DVC, with a dvc.lock in JSON, which is YAML as well, and each YAML text parsed once.

DVC reads and writes all of dvc.lock after each stage, in a way that keeps comments, and reads params.yaml several times
a stage. With stages that take no time this is nearly all of a run. tests/test_pipeline.py compares such a lock with
DVC's own.
"""

import copy
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc import dvcfile
from dvc.cli import main
from dvc.utils.serialize import _yaml, modify_yaml, parse_yaml

parsed: dict[str, Any] = {}


def parse(text: str, path: str, typ: str = "safe") -> Any:
    """DVC's `parse_yaml`, which takes milliseconds the first time only."""
    if typ != "safe":  # it keeps comments
        return parse_yaml(text, path, typ)
    if text not in parsed:
        try:
            parsed[text] = json.loads(text)
        except json.JSONDecodeError:
            parsed[text] = parse_yaml(text, path)
    return copy.deepcopy(parsed[text])


@contextmanager
def modify(path: str, fs: Any = None) -> Iterator[dict[str, Any]]:
    """DVC's `modify_yaml`, fast where the file is a lock."""
    file = Path(path)
    if file.name != "dvc.lock":
        with modify_yaml(path, fs=fs) as slow:
            yield slow
        return
    data = parse(file.read_text(), path) if file.exists() else {}
    yield data
    file.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    _yaml.parse_yaml = parse
    dvcfile.modify_yaml = modify
    sys.exit(main(sys.argv[1:]))
