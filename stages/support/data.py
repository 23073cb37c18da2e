"""What several stages read, each from its one place: real images and labels, and the schedule of a cell."""

import torch
from torch import Tensor

from ddpm import artifacts
from ddpm.core.mnist import parse_idx, parse_images
from ddpm.diffusion import Schedule
from ddpm.errors import StudyError
from stages.support.cells import RAW, TEST_IMAGES, TRAIN_IMAGES, Cell

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


def read_schedule(cell: Cell, device: str = "cpu") -> Schedule:
    """The schedule of a cell's table of beta; StudyError when the file is missing, damaged or no such table."""
    if not cell.table.exists():
        hint = f"run `dvc repro schedules` with this cell in the grid, as by `dvc exp run -S T={cell.T}`"
        raise StudyError("cannot read: no such file", where=str(cell.table), hint=hint)
    return Schedule.from_beta(torch.from_numpy(artifacts.read_npy(cell.table))).to(device)
