"""Every decoder of foreign bytes, on bytes that are wrong in all ways: a result or a StudyError, nothing else, and no
more memory than the input accounts for. Over 10,000 cases in all, the same in every run.
"""

import base64
import gzip
import io
import json
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ddpm import artifacts
from ddpm.core import mnist
from ddpm.errors import StudyError
from stages.analysis.rules import Rules
from stages.fetch import nsfwjs, sources
from stages.support import settings
from stages.support.strict_yaml import parse_yaml
from stages.weights import load_checkpoint
from tests.conftest import ROOT, idx_images, idx_labels, strokes

MEMORY = 64 << 20  # bytes that a decoder may take for inputs of some kilobytes


def mutations(valid: bytes) -> st.SearchStrategy[bytes]:
    """Random bytes, or a valid file with a few bytes changed, put in, taken out, or its end cut off."""

    def change(edits: list[tuple[int, int, int]], end: int) -> bytes:
        data = bytearray(valid[: len(valid) - end])
        for place, kind, byte in edits:
            at = place % (len(data) + 1)
            if kind == 0 and at < len(data):
                data[at] = byte
            elif kind == 1:
                data.insert(at, byte)
            else:
                del data[at : at + byte]
        return bytes(data)

    # most places near the beginning, where the headers are
    place = st.one_of(st.integers(0, 200), st.integers(0, max(len(valid), 1)))
    edit = st.tuples(place, st.integers(0, 2), st.integers(0, 255))
    end = st.one_of(st.just(0), st.integers(0, len(valid)))
    return st.one_of(st.binary(max_size=300), st.builds(change, st.lists(edit, max_size=6), end))


def saved(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def archive() -> bytes:
    def write(buffer: io.BytesIO) -> None:
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            entry = tarfile.TarInfo("package/a")
            entry.size = 5
            tar.addfile(entry, io.BytesIO(b"hello"))

    return saved(write)


def javascript() -> bytes:
    quantised = {"dtype": "uint8", "scale": 0.5, "min": -1.0}
    entry = {"name": "a/kernel", "shape": [2, 2], "dtype": "float32", "quantization": quantised}
    manifest = json.dumps([{"paths": ["group1"], "weights": [entry]}])
    return f"x.exports={{modelTopology:{{}},weightsManifest:{manifest}}}".encode()


def from_file(read: Callable[[Path], object], path: Path, data: bytes) -> object:
    path.write_bytes(data)
    return read(path)


def package(model: bytes, shard: bytes) -> dict[str, bytes]:
    return {"model.min.js": model, "group1.min.js": shard}


SHARD = b'x.exports="' + base64.b64encode(bytes(4)) + b'"'
NPY = saved(lambda buffer: np.save(buffer, np.arange(12.0).reshape(3, 4)))
PIN = sources.Pin("file", "", 1000)
PARAMS = (ROOT / "params.yaml").read_bytes()
RULES = (ROOT / "conf/claims.yaml").read_bytes()


def tensors(folder: Path) -> bytes:
    path = folder / "valid"
    artifacts.write_tensors(path, {"a": np.zeros((2, 3), np.float32), "b": np.arange(3)}, {"k": "v"})
    return path.read_bytes()


def text(parse: Callable[[str], object]) -> Callable[[bytes, Path], object]:
    return lambda data, _: parse(data.decode("utf-8", "replace"))


DECODERS: dict[str, tuple[int, Callable[[Path], bytes], Callable[[bytes, Path], object]]] = {
    "idx of images": (1500, lambda _: idx_images(strokes(2, 0)), lambda data, _: mnist.parse_images(data, "x")),
    "idx of labels": (1500, lambda _: idx_labels(30), lambda data, _: mnist.parse_idx(data, "x", 1)),
    "npy": (1500, lambda _: NPY, lambda data, path: from_file(artifacts.read_npy, path, data)),
    "safetensors": (1500, tensors, lambda data, path: from_file(artifacts.read_tensors, path, data)),
    "json": (1000, lambda _: b'{"a": [1, 2.5, "x"]}', lambda data, path: from_file(artifacts.read_json, path, data)),
    "csv": (1000, lambda _: b'a,b\n1,"x"\n2,\n', lambda data, path: from_file(artifacts.read_csv, path, data)),
    "tfjs model": (800, lambda _: javascript(), lambda data, _: nsfwjs.decode(package(data, SHARD))),
    "tfjs shard": (500, lambda _: SHARD, lambda data, _: nsfwjs.decode(package(javascript(), data))),
    "gzip": (800, lambda _: gzip.compress(bytes(900)), lambda data, _: sources.gunzip(data, PIN)),
    "tar": (500, lambda _: archive(), lambda data, _: sources.members(data, ["package/a"], 100)),
    "checkpoint": (
        400,
        lambda _: saved(lambda buffer: torch.save({"a": torch.zeros(2)}, buffer)),
        lambda data, _: load_checkpoint(data, "x"),
    ),
    "params.yaml": (60, lambda _: PARAMS, text(settings.parse)),
    "conf/claims.yaml": (150, lambda _: RULES, text(lambda words: parse_yaml(Rules, words, "x"))),
}  # fmt: skip


def test_enough_cases() -> None:
    assert sum(count for count, _, _ in DECODERS.values()) >= 10_000


@pytest.mark.parametrize("name", list(DECODERS))
@pytest.mark.filterwarnings("ignore")  # numpy and torch warn of some of these files before they refuse them
def test_a_result_or_one_line(name: str, tmp_path: Path) -> None:
    count, make, decode = DECODERS[name]

    @hypothesis_settings(max_examples=count, suppress_health_check=list(HealthCheck))
    @given(mutations(make(tmp_path)))
    def attack(data: bytes) -> None:
        tracemalloc.start()  # of the decoder alone: tracing hypothesis as well takes several times as long
        try:
            decode(data, tmp_path / "x")
        except StudyError as error:
            assert "\n" not in str(error)  # noqa: PT017  # most inputs raise nothing
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < MEMORY

    decode(make(tmp_path), tmp_path / "x")
    attack()
