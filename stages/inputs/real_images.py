"""Which real images stand for what: the reference of all distances, the pool of their floor, and test images."""

import torch
from torch import Tensor

from ddpm import artifacts
from ddpm.core import rng
from ddpm.core.mnist import parse_idx, parse_images
from ddpm.errors import StudyError
from stages.support.cells import RAW, TEST_IMAGES, TRAIN_IMAGES
from stages.support.settings import Reference

TRAIN_LABELS = RAW / "train-labels-idx1-ubyte"
TEST_LABELS = RAW / "t10k-labels-idx1-ubyte"


def train_images() -> Tensor:
    """MNIST's 60,000 training images, uint8 ``[N, 1, 28, 28]``."""
    return parse_images(artifacts.read_bytes(TRAIN_IMAGES), str(TRAIN_IMAGES))


def test_images() -> Tensor:
    """MNIST's 10,000 test images, uint8 ``[N, 1, 28, 28]``."""
    return parse_images(artifacts.read_bytes(TEST_IMAGES), str(TEST_IMAGES))


def train_labels() -> Tensor:
    """Their digits, uint8 ``[N]``."""
    return parse_idx(artifacts.read_bytes(TRAIN_LABELS), str(TRAIN_LABELS), dimensions=1)


def test_labels() -> Tensor:
    """Their digits, uint8 ``[N]``."""
    return parse_idx(artifacts.read_bytes(TEST_LABELS), str(TEST_LABELS), dimensions=1)


def order(wanted: Reference, available: int) -> tuple[Tensor, Tensor]:
    """Indices of the reference and of the floor among the training images, disjoint, int64.

    One fixed order whatever the seed of a cell: all cells are measured against the same real images.
    """
    if wanted.images + wanted.floor_images > available:
        raise StudyError(
            f"{wanted.images} + {wanted.floor_images} images asked for, there are {available}",
            where="reference.images + reference.floor_images",
            hint="ask for fewer",
        )
    shuffled = torch.randperm(available, generator=rng.stream(0, "reference order"))
    return shuffled[: wanted.images], shuffled[wanted.images : wanted.images + wanted.floor_images]


def real_sets(wanted: Reference) -> dict[str, Tensor]:
    """``reference``, ``floor`` and ``test`` images, uint8 ``[n, 1, 28, 28]``."""
    train = train_images()
    reference, floor = order(wanted, len(train))
    return {"reference": train[reference], "floor": train[floor], "test": test_images()[: wanted.test_images]}
