"""Wrong inputs, one by one, and what must be said of each; tests/stages/test_bad_input.py tries them.

Those of params.yaml that `train` refuses are in wrong_parameters.py; here are options, and files missing or damaged.
"""

import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ddpm import artifacts
from stages import (
    aggregate,
    chains,
    claims,
    classifier,
    comparisons,
    digits,
    embed,
    fid,
    heldout,
    ideal,
    mnist,
    ranking,
    reference,
    sample,
    schedules,
    train,
    validate,
    weights,
)
from stages.support.cells import REFERENCE, TRAIN_IMAGES, WEIGHTS
from stages.tools import audit
from tests.stage_runs import AXES, CELL, SAMPLER, run
from tests.stages.wrong_parameters import PARAMETERS, Case, table


def model() -> None:
    table()
    run(train, *AXES)


def write(path: Path, data: bytes) -> Callable[[], object]:
    return lambda: artifacts.write_bytes(path, data)


def raw(says: str, data: bytes) -> Case:
    """A damaged file of images."""
    return Case(says, reference, prepare=write(TRAIN_IMAGES, data))


def beta(says: str, values: Any) -> Case:
    return Case(says, train, tuple(AXES), prepare=lambda: artifacts.write_npy(CELL.table, np.asarray(values)))


def objects() -> None:
    CELL.table.parent.mkdir(parents=True)
    np.save(CELL.table, np.array([{}], dtype=object), allow_pickle=True)


def damaged_model(change: Callable[[artifacts.Arrays, dict[str, str]], tuple[artifacts.Arrays, dict[str, str]]]) -> Any:
    def prepare() -> None:
        model()
        artifacts.write_tensors(CELL.model, *change(*artifacts.read_tensors(CELL.model)))

    return prepare


def cut_model() -> None:
    model()
    CELL.model.write_bytes(CELL.model.read_bytes()[:-30])


def features_of(identity: dict[str, str]) -> Callable[[], object]:
    def prepare() -> None:
        rng = np.random.default_rng(0)
        sets = {name: rng.normal(size=(16, 4)).astype(np.float32) for name in ("reference", "floor", "test")}
        artifacts.write_tensors(REFERENCE, sets, {"name": "a", "weights_sha256": "b"})
        artifacts.write_tensors(CELL.features("ancestral"), {"samples": sets["test"]}, identity)

    return prepare


def header(*shape: int) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def changes(says: str, before: str, after: str) -> Case:
    """A conf/comparisons.yaml with one change."""
    text = f"confidence: 0.95\nquality: fid\nchanges:\n  x: {{before: {before}, after: {after}}}\n"
    return Case(says, comparisons, prepare=write(Path("conf/comparisons.yaml"), text.encode()))


SCHEDULE = ("--schedule", "linear", "--T")
SAMPLE = (*AXES, *SAMPLER)
COSIN = ("--schedule", "cosin", "--T", "20", "--seed", "0")
CASES = [
    *PARAMETERS,
    # schedules and T
    Case("T must be a whole number of steps", audit, (*SCHEDULE, "0")),
    Case("T must be a whole number of steps", audit, (*SCHEDULE, "1")),
    Case("T must be a whole number of steps; choose 2 .. 100000", audit, (*SCHEDULE, "-5")),
    Case("T must be a whole number of steps; choose 2 .. 100000", audit, (*SCHEDULE, "1000000000")),
    Case("beta at t = 10 is 1, outside [0, 1); raise T", schedules, params={"grid": {"T": [10]}}),
    Case("no group schedules.linar; did you mean linear?", schedules, params={"grid": {"schedule": ["linar"]}}),
    Case("no group schedules.cosin; did you mean cosine?", audit, ("--schedule", "cosin", "--T", "20")),
    *(
        Case("no group schedules.cosin; did you mean cosine? known are cosine, ", module, (*COSIN, *more))
        for module, more in (
            *((module, ()) for module in (train, heldout, chains)),
            *((module, SAMPLER) for module in (sample, embed, fid)),
        )
    ),
    Case("unknown parameter 'bta'", schedules, params={"schedules": {"linear": {"bta": 1.0}}}),
    Case("outside [0, 1)", schedules, params={"schedules": {"linear": {"beta_min": -1.0}}}),
    Case("did you mean cosine?", schedules, params={"schedules": {"linear": {"kind": "cosin"}}}),
    # samplers and extractors
    Case("unknown sampler 'euler'; choose one of", sample, (*AXES, "--sampler", "euler")),
    Case("did you mean clipped?", sample, (*AXES, "--sampler", "cliped")),
    Case("cannot take 21 sampling steps from T = 20", sample, (*AXES, "--sampler", "ancestral-21")),
    Case("cannot take 0 sampling steps from T = 20", sample, (*AXES, "--sampler", "ancestral-0")),
    Case("unknown extractor 'x'", reference, params={"extractor": "x"}),
    Case("unknown extractor 'x'", weights, params={"extractor": "x"}),
    # more images than there are
    Case("40 + 16 images asked for, there are 48", reference, params={"reference": {"images": 40}}),
    Case("16 + 40 images asked for, there are 48", classifier, params={"reference": {"floor_images": 40}}),
    # files that are missing
    Case("data/schedules/linear-20.npy: cannot read: no such file; run `dvc repro schedules`", train, tuple(AXES)),
    Case("data.directory nowhere: directory not found", mnist, params={"data": {"directory": "nowhere"}}),
    Case("data.directory nowhere: directory not found", weights, params={"data": {"directory": "nowhere"}}),
    Case("cannot read", heldout, tuple(AXES)),
    Case("cannot read", ideal, tuple(AXES[:4])),
    Case("cannot read", validate),
    Case("cannot read", digits),
    Case("cannot read", ranking),
    Case("cannot read", aggregate),
    Case("cannot read", claims),
    Case("conf/comparisons.yaml: cannot read", comparisons),
    changes("changes.x: seed cannot be compared", "{seed: 0}", "{seed: 1}"),
    changes("changes.x: network.depth cannot be compared", "{network.depth: 1}", "{network.depth: 2}"),
    changes("changes.x: unknown schedule 'cosin'", "{schedule: cosin}", "{schedule: cosine}"),
    changes("changes.x: before and after are the same", "{schedule: cosine}", "{schedule: cosine}"),
    changes("changes.x: T cannot be compared", "{sampler: ancestral}", "{sampler: ancestral-50, T: 800}"),
    changes("changes.x.after: Dictionary should have at least 1 item", "{T: 50}", "{}"),
    Case("cannot read", embed, SAMPLE),
    # files that are damaged
    raw("IDX header needs 16 bytes, found 0", b""),
    raw("IDX header needs 16 bytes, found 15", header(1, 28, 28)[:15]),
    raw("header states 800 bytes, file has 799", header(1, 28, 28) + bytes(783)),
    raw("header states 79228162458924105385300197391 bytes", header(2**32 - 1, 2**32 - 1, 2**32 - 1)),
    raw("not an IDX file of unsigned bytes with 3 dimensions", header(784) + bytes(784)),
    raw("images are 27 x 28, not 28 x 28", header(1, 27, 28) + bytes(27 * 28)),
    Case("not an npy array", train, tuple(AXES), prepare=write(CELL.table, b"junk")),
    Case("not an npy array", train, tuple(AXES), prepare=write(CELL.table, b"\x93NUMPY\x01\x00")),
    Case("not an npy array", train, tuple(AXES), prepare=objects),
    beta("beta at t = 2 is nan", [0.1, math.nan, 0.1]),
    beta("beta at t = 1 is 1.5, outside [0, 1)", [1.5, 0.1]),
    Case("not safetensors", sample, SAMPLE, prepare=cut_model),
    Case(
        "not a trained network",
        sample,
        SAMPLE,
        prepare=damaged_model(lambda t, m: (t | {"head.weight": np.zeros(3, np.float32)}, m)),
    ),
    Case("not a trained network", sample, SAMPLE, prepare=damaged_model(lambda t, m: (t, {}))),
    Case("not a trained network", sample, SAMPLE, prepare=damaged_model(lambda t, m: (t, m | {"network": "[1]"}))),
    Case("features differ from the reference's in name", fid, SAMPLE, prepare=features_of({"name": "c"})),
    Case("holds the weights 'fid2015'", reference, prepare=lambda: artifacts.write_tensors(
        WEIGHTS, {"x": np.zeros(1, np.float32)}, {"weights": "fid2015"})),
    Case("Conv2d_1a_3x3.conv.weight should be (32, 3, 3, 3), is missing", reference,
         prepare=lambda: artifacts.write_tensors(WEIGHTS, {"x": np.zeros(1, np.float32)}, {"weights": "nsfwjs"})),
]  # fmt: skip
