"""The optimal denoiser: the exact posterior mean of x_0 over the training images instead of a network.

The minimiser of L_simple over all functions is eps* = (x_t - sqrt(alpha_bar_t) E[x_0 | x_t]) / sqrt(1 - alpha_bar_t)
(Karras et al. 2022, appendix B.3). It has no approximation error, so the error of its samples is due to schedule and
sampler alone: too few steps, or x_T that is not pure noise. It does not generalise: its samples are training images.
"""

import torch
from torch import Tensor

from ddpm.diffusion import Denoiser, Schedule


def posterior_mean(x_t: Tensor, images: Tensor, squares: Tensor, alpha_bar: float, block: int) -> Tensor:
    """E[x_0 | x_t] when x_0 is uniform over the images.

    Args:
        x_t: float32 ``[B, D]``.
        images: float32 ``[N, D]``.
        squares: squared norms of the images, ``[N]``.
        alpha_bar: of x_t's step, in 0..1, both excluded.
        block: images a matrix product, which bounds the memory.
    """
    root, variance = alpha_bar**0.5, 1 - alpha_bar
    # log of the weights up to a constant: -|x_t - sqrt(alpha_bar) x_0|^2 / 2 (1 - alpha_bar)
    scores = [
        (root * (x_t @ part.T) - 0.5 * alpha_bar * norm) / variance
        for part, norm in zip(images.split(block), squares.split(block), strict=True)
    ]
    weights = torch.cat(scores, 1).softmax(1)
    mean = torch.zeros_like(x_t)
    for weight, part in zip(weights.split(block, 1), images.split(block), strict=True):
        mean.addmm_(weight, part)
    return mean


def ideal_denoiser(images: Tensor, schedule: Schedule, block: int = 10_000) -> Denoiser:
    """eps* for a set of images; every image of a call must have the same t, as in sampling.

    Args:
        images: float32 ``[N, 1, 28, 28]`` in [-1, 1].
        schedule: its tables, on any device.
        block: images a matrix product.
    """
    flat = images.flatten(1)
    squares = flat.square().sum(1)

    def eps_star(x_t: Tensor, t: Tensor) -> Tensor:
        alpha_bar = float(schedule.alpha_bar[t[0]])
        x = x_t.flatten(1)
        mean = posterior_mean(x, flat, squares, alpha_bar, block)
        eps: Tensor = (x - alpha_bar**0.5 * mean) / (1 - alpha_bar) ** 0.5
        return eps.view_as(x_t)

    return eps_star
