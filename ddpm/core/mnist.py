"""MNIST's bytes and MNIST's pixels: the IDX format, and the one place that knows the pixel scale.

Three forms of an image, and no others: IDX bytes on disk, uint8 ``[N, 1, 28, 28]`` in memory and in samples,
float32 in [-1, 1] inside the model.
"""

import struct

import numpy as np
import torch
from torch import Tensor

from ddpm.errors import StudyError

SIDE = 28
PIXELS = SIDE * SIDE

# Mean and standard deviation over all pixels of the 60,000 training images, in the model's scale [-1, 1].
MEAN, STD = -0.738679, 0.616217

_UINT8 = 0x08  # IDX type code


def parse_idx(data: bytes, name: str, dimensions: int) -> Tensor:
    """Decode an uncompressed IDX file of unsigned bytes (LeCun, the MNIST database, "file formats").

    Args:
        data: the whole file.
        name: what to call the file in an error.
        dimensions: how many dimensions it must have: 3 for images, 1 for labels.

    Returns:
        uint8 tensor of the shape that the header states.

    Raises:
        StudyError: wrong magic number, truncated header, or a length that the header does not account for.
    """
    header = 4 + 4 * dimensions
    if len(data) < header:
        raise StudyError(f"IDX header needs {header} bytes, found {len(data)}", where=name, hint="fetch it again")
    if data[:4] != bytes([0, 0, _UINT8, dimensions]):
        raise StudyError(
            f"not an IDX file of unsigned bytes with {dimensions} dimensions (magic {data[:4].hex()})",
            where=name,
            hint="MNIST's files must be uncompressed",
        )
    shape = struct.unpack(f">{dimensions}I", data[4:header])
    expected = header + int(np.prod(shape, dtype=object))  # object: a lying header cannot overflow
    if len(data) != expected:
        raise StudyError(
            f"header states {expected} bytes, file has {len(data)}",
            where=name,
            hint="the file is damaged: fetch it again",
        )
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=header).reshape(shape).copy())


def parse_images(data: bytes, name: str) -> Tensor:
    """Decode an IDX file of 28 x 28 images to uint8 ``[N, 1, 28, 28]``; StudyError on anything else."""
    images = parse_idx(data, name, dimensions=3)
    if images.shape[1:] != (SIDE, SIDE):
        raise StudyError(f"images are {images.shape[1]} x {images.shape[2]}, not 28 x 28", where=name)
    return images.unsqueeze(1)


def to_model(images: Tensor) -> Tensor:
    """uint8 0..255 -> float32 in [-1, 1] (Ho et al. 2020, section 3.3)."""
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def to_uint8(x_0: Tensor) -> Tensor:
    """Float in [-1, 1] -> uint8 0..255: clamped, then rounded to the nearest; the inverse of ``to_model``.

    A diverged sample (NaN) would become an arbitrary digit-like byte silently, so it is refused.
    """
    if not bool(torch.isfinite(x_0).all()):
        raise StudyError("samples contain NaN or infinity", hint="the network diverged: lower the learning rate")
    return ((x_0.float() + 1.0) * 127.5).round_().clamp_(0, 255).to(torch.uint8)
