"""Wrong parameters that `train` refuses, one by one, and what must be said of each."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from stages import schedules, train
from tests.stage_runs import AXES, run


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
    run(schedules)


def with_table(says: str, **params: Any) -> Case:
    return Case(says, train, tuple(AXES), params, table)


PARAMETERS = [
    # training
    number("train.epochs: Input should be greater than or equal to 1", train={"epochs": 0}),
    number("train.epochs: Input should be greater than or equal to 1", train={"epochs": -1}),
    number("train.epochs: Input should be a valid integer", train={"epochs": "many"}),
    number("train.epochs: Input should be a valid integer", train={"epochs": 1.5}),
    number("train.lr: Extra inputs are not permitted", train={"lr": 0.1}),
    number("train.learning_rate: Input should be a finite number", train={"learning_rate": math.nan}),
    number("train.learning_rate: Input should be a finite number", train={"learning_rate": math.inf}),
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
]
