"""Corruptions of real digits by severity, to see whether a distance rises with them (Heusel et al. 2017, figure 3).

Each takes a pool of images uint8 ``[N, 1, 28, 28]`` with labels, how many to return, a severity in 0..1 and a
generator; severity 0 returns the first images of the pool unchanged. The same generator state at every severity
corrupts the same images in the same places.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2.functional import elastic as elastic_transform
from torchvision.transforms.v2.functional import gaussian_blur

from ddpm.core.mnist import SIDE
from ddpm.errors import StudyError
from ddpm.quality.rank_agreement import kendall_tau

Corruption = Callable[[Tensor, Tensor, int, float, torch.Generator], Tensor]
_CLASSES = 10


def _bytes(images: Tensor) -> Tensor:
    return images.round().clamp(0, 255).to(torch.uint8)


def gaussian_noise(pool: Tensor, _: Tensor, n: int, severity: float, generator: torch.Generator) -> Tensor:
    """Noise of standard deviation 128 x severity on each pixel."""
    noise = torch.randn(pool[:n].shape, generator=generator)
    return _bytes(pool[:n] + 128 * severity * noise)


def blur(pool: Tensor, _: Tensor, n: int, severity: float, _generator: torch.Generator) -> Tensor:
    """A Gaussian filter of 3 x severity pixels."""
    return gaussian_blur(pool[:n], [19, 19], [3 * severity]) if severity else pool[:n]


def salt_and_pepper(pool: Tensor, _: Tensor, n: int, severity: float, generator: torch.Generator) -> Tensor:
    """A share severity / 2 of the pixels becomes black or white."""
    u = torch.rand(pool[:n].shape, generator=generator)
    salt = 255 * (torch.rand(u.shape, generator=generator) < 0.5)
    return torch.where(u < severity / 2, salt.to(torch.uint8), pool[:n])


def rectangles(pool: Tensor, _: Tensor, n: int, severity: float, generator: torch.Generator) -> Tensor:
    """A grey square of severity x 20 pixels somewhere in the image."""
    side = round(20 * severity)
    corner = (torch.rand((n, 2), generator=generator) * (SIDE + 1 - side)).long()
    at = torch.arange(SIDE)
    inside = (at >= corner[:, :, None]) & (at < corner[:, :, None] + side)  # [n, 2, 28]: rows, columns
    mask = inside[:, 0, :, None] & inside[:, 1, None, :]
    return pool[:n].masked_fill(mask[:, None], 128)


def _warp(images: Tensor, displacement: Tensor) -> Tensor:
    """Sample at displaced positions; displacement in pixels, ``[n, 28, 28, 2]`` as (x, y)."""
    fields = displacement * (2 / SIDE)  # torchvision's unit: half a side
    return torch.cat(
        [elastic_transform(image, field[None]) for image, field in zip(images.split(1), fields, strict=True)]
    )


def elastic(pool: Tensor, _: Tensor, n: int, severity: float, generator: torch.Generator) -> Tensor:
    """A smooth random displacement of 4 x severity pixels root mean square (Simard et al. 2003)."""
    coarse = torch.randn((n, 2, 7, 7), generator=generator)
    field = F.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic", align_corners=False)
    field /= field.square().mean((1, 2, 3), keepdim=True).sqrt()
    return _warp(pool[:n], 4 * severity * field.permute(0, 2, 3, 1)) if severity else pool[:n]


def swirl(pool: Tensor, _: Tensor, n: int, severity: float, _generator: torch.Generator) -> Tensor:
    """A rotation about the centre by 3 x severity radians there, less farther out."""
    if severity == 0:
        return pool[:n]
    y, x = torch.meshgrid(*[torch.arange(SIDE) - (SIDE - 1) / 2] * 2, indexing="ij")
    angle = 3 * severity * torch.exp(-(x**2 + y**2).sqrt() / 8)
    turned = torch.stack([x * angle.cos() - y * angle.sin() - x, x * angle.sin() + y * angle.cos() - y], -1)
    return _warp(pool[:n], turned.expand(n, SIDE, SIDE, 2))


def _first(pool: Tensor, chosen: Tensor, n: int) -> Tensor:
    if int(chosen.sum()) < n:
        raise StudyError(f"the pool has {int(chosen.sum())} images for this corruption, {n} are needed", where="pool")
    return pool[chosen][:n]


def dropped_classes(pool: Tensor, labels: Tensor, n: int, severity: float, _generator: torch.Generator) -> Tensor:
    """The last 8 x severity of the ten classes are missing: mode collapse."""
    return _first(pool, labels < _CLASSES - round(8 * severity), n)


def duplicates(pool: Tensor, _: Tensor, n: int, severity: float, generator: torch.Generator) -> Tensor:
    """A share 0.9 x severity of the images are copies of the others."""
    distinct = n - round(0.9 * severity * n)
    copies = torch.randint(distinct, (n - distinct,), generator=generator)
    return pool[torch.cat([torch.arange(distinct), copies])]


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian-noise": gaussian_noise,
    "blur": blur,
    "salt-and-pepper": salt_and_pepper,
    "rectangles": rectangles,
    "elastic": elastic,
    "swirl": swirl,
    "dropped-classes": dropped_classes,
    "duplicates": duplicates,
}


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """For each distance, in which corruptions it rises with every severity; and how far the two rank alike.

    Args:
        rows: ``corruption``, ``severity``, rising within a corruption, ``fid`` and ``digits_distance``.

    Returns:
        Distance -> ``monotone``, corruption -> bool, and the other names in ``not_monotone_in``; and
        ``rank_agreement_tau``, Kendall's tau over the corrupted sets.
    """
    found: dict[str, Any] = {}
    for distance in ("fid", "digits_distance"):
        series = {name: [row[distance] for row in rows if row["corruption"] == name] for name in CORRUPTIONS}
        rises = {name: all(a < b for a, b in itertools.pairwise(values)) for name, values in series.items()}
        found[distance] = {"monotone": rises, "not_monotone_in": [name for name, ok in rises.items() if not ok]}
    pairs = [(row["fid"], row["digits_distance"]) for row in rows if row["severity"] > 0]
    found["rank_agreement_tau"] = kendall_tau(*zip(*pairs, strict=True))
    return found
