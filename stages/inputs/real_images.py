"""Which real images stand for what: the reference of all distances, the pool of their floor, and test images."""

import torch
from torch import Tensor

from ddpm.core import rng
from ddpm.errors import StudyError
from stages.support.data import test_images, train_images
from stages.support.settings import Reference


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
