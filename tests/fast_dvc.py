"""The `dvc` of these tests: DVC, with dvc.lock read and written by the C half of ruamel.yaml.

DVC reads and writes all of dvc.lock after each stage, in a way that keeps comments. There are none in it, and with
stages that take no time this is three quarters of a run. tests/test_pipeline.py compares such a lock with DVC's own.
"""

import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc import dvcfile
from dvc.cli import main
from dvc.utils.serialize import modify_yaml
from ruamel.yaml import YAML


@contextmanager
def modify(path: str, fs: Any = None) -> Iterator[dict[str, Any]]:
    """DVC's `modify_yaml`, fast where the file is a lock."""
    file = Path(path)
    if file.name != "dvc.lock":
        with modify_yaml(path, fs=fs) as slow:
            yield slow
        return
    yaml: Any = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.Representer.add_representer(OrderedDict, yaml.Representer.represent_dict)  # as DVC does
    data = (yaml.load(file) if file.exists() else None) or {}
    yield data
    yaml.dump(data, file)


if __name__ == "__main__":
    dvcfile.modify_yaml = modify
    sys.exit(main(sys.argv[1:]))
