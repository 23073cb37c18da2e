"""Wrong inputs, one by one, and what must be said of each; tests/stages/test_bad_input.py tries them."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ddpm import artifacts
from stages import (
    aggregate,
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
    schedule,
    train,
    validate,
    weights,
)
from stages.support.cells import REFERENCE, TRAIN_IMAGES, WEIGHTS
from stages.tools import audit
from tests.stage_runs import AXES, CELL, SAMPLER, run

NAN, INFINITY = float("nan"), float("inf")


@dataclass(frozen=True)
class Case:
    """One wrong input and what must be said of it."""

    says: str
    module: ModuleType
    arguments: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[], object] = lambda: None


def number(says: str, **params: Any) -> Case:
    """A parameter that `train` refuses before anything else."""
    return Case(says, train, tuple(AXES), params)


def table() -> None:
    run(schedule, "--schedule", "linear", "--T", "20")


def model() -> None:
    table()
    run(train, *AXES)


def with_table(says: str, **params: Any) -> Case:
    return Case(says, train, tuple(AXES), params, table)


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
CASES = [
    # training
    number("train.epochs: Input should be greater than or equal to 1", train={"epochs": 0}),
    number("train.epochs: Input should be greater than or equal to 1", train={"epochs": -1}),
    number("train.epochs: Input should be a valid integer", train={"epochs": "many"}),
    number("train.epochs: Input should be a valid integer", train={"epochs": 1.5}),
    number("train.lr: Extra inputs are not permitted", train={"lr": 0.1}),
    number("train.learning_rate: Input should be a finite number", train={"learning_rate": NAN}),
    number("train.learning_rate: Input should be a finite number", train={"learning_rate": INFINITY}),
    number("train.learning_rate: Input should be greater than 0", train={"learning_rate": 0}),
    number("train.learning_rate: Input should be greater than 0", train={"learning_rate": -0.1}),
    number("train.muon_learning_rate: Input should be greater than or equal to 0", train={"muon_learning_rate": -1}),
    number("train.images: Input should be greater than or equal to 1", train={"images": 0}),
    number("train.images: Input should be less than or equal to 60000", train={"images": 60_001}),
    number("train.batch_size: Input should be greater than or equal to 1", train={"batch_size": 0}),
    number("train.warmup_steps: Input should be greater than or equal to 0", train={"warmup_steps": -1}),
    number("train.cooldown: Input should be less than or equal to 1", train={"cooldown": 1.5}),
    number("train.ema_decay: Input should be less than 1", train={"ema_decay": 1}),
    number("train.adam_beta_2: Input should be less than 1", train={"adam_beta_2": 1}),
    # the network
    number("network.patch: Input should be greater than or equal to 1", network={"patch": 0}),
    number("network.channels: Input should be a valid tuple", network={"channels": "wide"}),
    number("network.blocks: Input should be greater than or equal to 1", network={"blocks": 0}),
    number("network.middle_blocks: Input should be greater than or equal to 0", network={"middle_blocks": -1}),
    number("network.kernels: Tuple should have at least 2 items", network={"kernels": [3]}),
    number("network.downsample: Input should be 'strided' or 'maxpool'", network={"downsample": "bilinear"}),
    number("network.prediction: Input should be 'epsilon' or 'v'", network={"prediction": "x_0"}),
    number("network.octaves.0: Input should be less than or equal to 8", network={"octaves": [9]}),
    with_table("network: patch 4 and 4 levels do not divide 28 x 28", network={"channels": [8, 8, 8, 8]}),
    with_table("kernels must be odd", network={"kernels": [2, 2]}),
    with_table("attention needs a last level of a multiple of 16", network={"attention": True}),
    # where it runs
    number("compute.device: Input should be 'auto', 'cpu' or 'cuda'", compute={"device": "gpu"}),
    number("compute.precision: Input should be 'auto', 'float32' or 'bfloat16'", compute={"precision": "float16"}),
    # sampling and measuring
    number("sample.images: Input should be greater than or equal to 8", sample={"images": 0}),
    number("sample.batch_size: Input should be greater than or equal to 1", sample={"batch_size": 0}),
    number("sample.steps: Extra inputs are not permitted", sample={"steps": 5}),
    number("reference.images: Input should be greater than or equal to 2", reference={"images": 1}),
    number("reference.test_images: Input should be less than or equal to 10000", reference={"test_images": 10_001}),
    number("fid.kid_images: Input should be greater than or equal to 4", fid={"kid_images": 2}),
    number("fid.kid_block: Input should be greater than or equal to 2", fid={"kid_block": 1}),
    number("classifier.epochs: Input should be greater than or equal to 1", classifier={"epochs": 0}),
    number("heldout.log_snr: Tuple should have at least 1 item", heldout={"log_snr": []}),
    number("heldout.images: Input should be greater than or equal to 2", heldout={"images": 1}),
    number("validation.levels: Tuple should have at least 2 items", validation={"levels": [0.5]}),
    number("validation.levels.1: Input should be less than or equal to 1", validation={"levels": [0.5, 2]}),
    number("ranking.draws: Input should be greater than or equal to 1", ranking={"draws": 0}),
    number("ideal.T: List should have at least 1 item", ideal={"T": []}),
    # the grid
    number("grid.T.0: Input should be greater than or equal to 1", grid={"T": [0]}),
    number("grid.seed.0: Input should be greater than or equal to 0", grid={"seed": [-1]}),
    number("grid.sampler: List should have at least 1 item", grid={"sampler": []}),
    number("grid.schedule: List should have at least 1 item", grid={"schedule": []}),
    number("trian: Extra inputs are not permitted", trian={"epochs": 1}),
    # schedules and T
    Case("T must be a whole number of steps", schedule, (*SCHEDULE, "0")),
    Case("T must be a whole number of steps", schedule, (*SCHEDULE, "1")),
    Case("T must be a whole number of steps; choose 2 .. 100000", schedule, (*SCHEDULE, "-5")),
    Case("T must be a whole number of steps; choose 2 .. 100000", schedule, (*SCHEDULE, "1000000000")),
    Case("beta at t = 10 is 1, outside [0, 1); raise T", schedule, (*SCHEDULE, "10")),
    Case("no group schedules.linar; did you mean linear?", schedule, ("--schedule", "linar", "--T", "20")),
    Case("no group schedules.cosin; did you mean cosine?", audit, ("--schedule", "cosin", "--T", "20")),
    Case("unknown parameter 'bta'", schedule, (*SCHEDULE, "20"), {"schedules": {"linear": {"bta": 1.0}}}),
    Case("outside [0, 1)", schedule, (*SCHEDULE, "20"), {"schedules": {"linear": {"beta_min": -1.0}}}),
    Case("did you mean cosine?", schedule, (*SCHEDULE, "20"), {"schedules": {"linear": {"kind": "cosin"}}}),
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
    Case("data/schedules/linear-20.npy: cannot read", train, tuple(AXES)),
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
    beta("beta at t = 2 is nan", [0.1, NAN, 0.1]),
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
