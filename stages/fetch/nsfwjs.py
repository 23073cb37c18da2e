"""Decode Inception-v3 from the npm package nsfwjs: TensorFlow.js weights in JavaScript modules -> torchvision's names.

The package holds a layers model (Keras Inception-v3) as minified JavaScript: one module exports the topology and the
weights' manifest, six export base64 text. Weights are uint8-quantised: value = byte * scale + min.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddpm.errors import StudyError

Arrays = dict[str, NDArray[np.float32]]
_WHERE = "nsfwjs package"

_EXPORTED = re.compile(r'\.exports="([A-Za-z0-9+/]+=*)"')
# strings are matched first, so that nothing inside them is touched
_JAVASCRIPT = re.compile(
    r'"(?:[^"\\]|\\.)*"|(?P<flag>![01])|(?P<key>[A-Za-z_$][\w$]*)(?=\s*:)|(?<![\w.])(?P<fraction>\.\d)'
)


def _to_json(match: re.Match[str]) -> str:
    if match["flag"]:
        return "true" if match["flag"] == "!0" else "false"
    if match["key"]:
        return f'"{match["key"]}"'
    return f"0{match['fraction']}" if match["fraction"] else match[0]


def parse_object(javascript: str) -> Any:
    """The minified object literal at the start of a text: bare keys, ``!0`` and ``.5`` are what JSON lacks."""
    try:
        value, _ = json.JSONDecoder().raw_decode(_JAVASCRIPT.sub(_to_json, javascript))
    except (ValueError, RecursionError) as error:
        raise StudyError(f"unreadable object literal: {error}", where=_WHERE) from error
    return value


def decode(modules: Mapping[str, bytes]) -> Arrays:
    """All weights by their Keras names.

    Args:
        modules: ``model.min.js`` and the ``group1-shardNofM.min.js`` files it names.

    Raises:
        StudyError: a module is missing or is not what the manifest says.
    """
    try:
        text = {name: data.decode("ascii") for name, data in modules.items()}
        start = text["model.min.js"].index(".exports={modelTopology") + len(".exports=")
        arrays: Arrays = {}
        for group in parse_object(text["model.min.js"][start:])["weightsManifest"]:
            shards = (_EXPORTED.search(text[f"{path}.min.js"]) for path in group["paths"])
            data = b"".join(base64.b64decode(shard[1], validate=True) if shard else b"" for shard in shards)
            _dequantise(data, group["weights"], arrays)
    except (LookupError, TypeError, ValueError, ArithmeticError, RecursionError, binascii.Error) as error:
        raise StudyError(f"not the layers model expected ({type(error).__name__}: {error})", where=_WHERE) from error
    return arrays


def _dequantise(data: bytes, entries: list[dict[str, Any]], arrays: Arrays) -> None:
    offset = 0
    for entry in entries:
        quantised, count = entry["quantization"], math.prod(entry["shape"])
        if quantised["dtype"] != "uint8" or entry["dtype"] != "float32":
            raise StudyError(f"{entry['name']} is not uint8-quantised float32", where=_WHERE)
        values = np.frombuffer(data, np.uint8, count, offset).astype(np.float64)
        arrays[entry["name"]] = (
            (values * quantised["scale"] + quantised["min"]).astype(np.float32).reshape(entry["shape"])
        )
        offset += count
    if offset != len(data):
        raise StudyError(f"the manifest describes {offset} bytes of weights, found {len(data)}", where=_WHERE)


def _numbered(stem: str, *suffixes: str) -> list[str]:
    return [f"{stem}_{suffix}" for suffix in suffixes]


def keras_order() -> list[str]:
    """Torchvision's names of Inception-v3's 94 convolutions, in the order in which Keras numbers them from 1."""
    double_3 = _numbered("branch3x3dbl", "1", "2", "3")
    a = ["branch1x1", *_numbered("branch5x5", "1", "2"), *double_3, "branch_pool"]
    c = ["branch1x1", *_numbered("branch7x7", *"123"), *_numbered("branch7x7dbl", *"12345"), "branch_pool"]
    d = [*_numbered("branch3x3", *"12"), *_numbered("branch7x7x3", *"1234")]
    fork = [*_numbered("branch3x3", "1", "2a", "2b"), *_numbered("branch3x3dbl", "1", "2", "3a", "3b")]
    e = ["branch1x1", *fork, "branch_pool"]
    blocks = {f"Mixed_5{i}": a for i in "bcd"} | {"Mixed_6a": ["branch3x3", *double_3]}
    blocks |= {f"Mixed_6{i}": c for i in "bcde"} | {"Mixed_7a": d} | {f"Mixed_7{i}": e for i in "bc"}
    stem = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"]
    return stem + [f"{block}.{branch}" for block, branches in blocks.items() for branch in branches]


def to_torchvision(arrays: Arrays) -> Arrays:
    """Keras's weights -> a state dict by torchvision's names; the classifier on top is left out.

    Keras's batch normalisation here has no scale, so ``bn.weight`` is one.
    """
    state: Arrays = {}
    try:
        for number, name in enumerate(keras_order(), start=1):
            norm = f"batch_normalization_{number}"
            # Keras [kh, kw, in, out] -> torch [out, in, kh, kw]
            state[f"{name}.conv.weight"] = np.ascontiguousarray(arrays[f"conv2d_{number}/kernel"].transpose(3, 2, 0, 1))
            state[f"{name}.bn.weight"] = np.ones_like(arrays[f"{norm}/beta"])
            state[f"{name}.bn.bias"] = arrays[f"{norm}/beta"]
            state[f"{name}.bn.running_mean"] = arrays[f"{norm}/moving_mean"]
            state[f"{name}.bn.running_var"] = arrays[f"{norm}/moving_variance"]
    except KeyError as error:
        raise StudyError(f"weight {error} is missing", where=_WHERE) from error
    return state
