"""Graded disturbances of real digits, to see whether a distance rises with them (Heusel et al. 2017, figure 3).

Each takes a pool of images with labels, how many to give back, a level in 0..1 and a generator; level 0 gives the first
images of the pool untouched. The same generator state at every level disturbs the same images in the same places.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ddpm.core.mnist import SIDE
from ddpm.errors import StudyError

Disturbance = Callable[[Tensor, Tensor, int, float, torch.Generator], Tensor]
_CLASSES = 10


def _bytes(images: Tensor) -> Tensor:
    return images.round().clamp(0, 255).to(torch.uint8)


def gaussian_noise(pool: Tensor, _: Tensor, n: int, level: float, generator: torch.Generator) -> Tensor:
    """Noise of standard deviation 128 x level on each pixel."""
    noise = torch.randn(pool[:n].shape, generator=generator)
    return _bytes(pool[:n] + 128 * level * noise)


def blur(pool: Tensor, _: Tensor, n: int, level: float, _generator: torch.Generator) -> Tensor:
    """A Gaussian filter of 3 x level pixels."""
    if level == 0:
        return pool[:n]
    x = torch.arange(-9, 10, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (x / (3 * level)) ** 2)
    kernel /= kernel.sum()
    rows = F.conv2d(pool[:n].float(), kernel.view(1, 1, 1, -1), padding=(0, 9))
    return _bytes(F.conv2d(rows, kernel.view(1, 1, -1, 1), padding=(9, 0)))


def salt_and_pepper(pool: Tensor, _: Tensor, n: int, level: float, generator: torch.Generator) -> Tensor:
    """A share level / 2 of the pixels becomes black or white."""
    u = torch.rand(pool[:n].shape, generator=generator)
    salt = 255 * (torch.rand(u.shape, generator=generator) < 0.5)
    return torch.where(u < level / 2, salt.to(torch.uint8), pool[:n])


def rectangles(pool: Tensor, _: Tensor, n: int, level: float, generator: torch.Generator) -> Tensor:
    """A grey square of level x 20 pixels somewhere in the image."""
    side = round(20 * level)
    corner = (torch.rand((n, 2), generator=generator) * (SIDE + 1 - side)).long()
    at = torch.arange(SIDE)
    inside = (at >= corner[:, :, None]) & (at < corner[:, :, None] + side)  # [n, 2, 28]: rows, columns
    mask = inside[:, 0, :, None] & inside[:, 1, None, :]
    return pool[:n].masked_fill(mask[:, None], 128)


def _warp(images: Tensor, displacement: Tensor) -> Tensor:
    """Sample at displaced positions; displacement in pixels, ``[n, 28, 28, 2]`` as (x, y)."""
    identity = F.affine_grid(torch.eye(2, 3).expand(len(images), 2, 3), list(images.shape), align_corners=False)
    return _bytes(F.grid_sample(images.float(), identity + displacement * (2 / SIDE), align_corners=False))


def elastic(pool: Tensor, _: Tensor, n: int, level: float, generator: torch.Generator) -> Tensor:
    """A smooth random displacement of 4 x level pixels root mean square (Simard et al. 2003)."""
    coarse = torch.randn((n, 2, 7, 7), generator=generator)
    field = F.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic", align_corners=False)
    field /= field.square().mean((1, 2, 3), keepdim=True).sqrt()
    return _warp(pool[:n], 4 * level * field.permute(0, 2, 3, 1)) if level else pool[:n]


def swirl(pool: Tensor, _: Tensor, n: int, level: float, _generator: torch.Generator) -> Tensor:
    """A turn about the centre by 3 x level radians there, less farther out."""
    if level == 0:
        return pool[:n]
    y, x = torch.meshgrid(*[torch.arange(SIDE) - (SIDE - 1) / 2] * 2, indexing="ij")
    angle = 3 * level * torch.exp(-(x**2 + y**2).sqrt() / 8)
    turned = torch.stack([x * angle.cos() - y * angle.sin() - x, x * angle.sin() + y * angle.cos() - y], -1)
    return _warp(pool[:n], turned.expand(n, SIDE, SIDE, 2))


def _first(pool: Tensor, chosen: Tensor, n: int) -> Tensor:
    if int(chosen.sum()) < n:
        raise StudyError(f"the pool has {int(chosen.sum())} images for this disturbance, {n} are needed", where="pool")
    return pool[chosen][:n]


def dropped_classes(pool: Tensor, labels: Tensor, n: int, level: float, _generator: torch.Generator) -> Tensor:
    """The last 8 x level of the ten classes are missing: mode collapse."""
    return _first(pool, labels < _CLASSES - round(8 * level), n)


def duplicates(pool: Tensor, _: Tensor, n: int, level: float, generator: torch.Generator) -> Tensor:
    """A share 0.9 x level of the images are copies of the others."""
    distinct = n - round(0.9 * level * n)
    copies = torch.randint(distinct, (n - distinct,), generator=generator)
    return pool[torch.cat([torch.arange(distinct), copies])]


DISTURBANCES: dict[str, Disturbance] = {
    "gaussian-noise": gaussian_noise,
    "blur": blur,
    "salt-and-pepper": salt_and_pepper,
    "rectangles": rectangles,
    "elastic": elastic,
    "swirl": swirl,
    "dropped-classes": dropped_classes,
    "duplicates": duplicates,
}
