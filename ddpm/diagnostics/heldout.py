"""Losses and errors of a trained network on held-out images, comparable between schedules.

L_simple weighs the noise levels as the schedule does, so two schedules' values answer different questions. The loss at
a given log SNR does not depend on the schedule, and its mean over a common grid is one question for all.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ddpm.core import rng
from ddpm.diffusion import Denoiser, Schedule, draw_t, q_sample
from ddpm.errors import StudyError

Array = NDArray[np.float64]

LOW_FREQUENCY_BLOCK = 7  # pixels; a digit's stroke is 2 to 4 wide


def _square_errors(network: Denoiser, x_0: Tensor, t: Tensor, eps: Tensor, schedule: Schedule) -> Tensor:
    """Mean of (eps - eps_theta)^2 over each image's pixels, float64 ``[B]``."""
    with torch.no_grad():
        found = network(q_sample(x_0, t, eps, schedule), t)
    return (found.double() - eps).square().flatten(1).mean(1)


def simple_loss(
    network: Denoiser, x_0: Tensor, eps: Tensor, schedule: Schedule, generator: torch.Generator, batch_size: int
) -> Array:
    """L_simple image by image: one stratified t for each, uniform on 1..T (Ho et al. 2020, eq. 14).

    Args:
        network: eps_theta.
        x_0: held-out images in [-1, 1], float32 ``[N, 1, 28, 28]``.
        eps: noise, like x_0.
        schedule: the network's own, on x_0's device.
        generator: draws t, on x_0's device.
        batch_size: images a call.

    Returns:
        float64 ``[N]``; its mean is L_simple.
    """
    # the strata are spread over all images, so a batch of neighbours must not share a noise level
    t = draw_t(len(x_0), schedule.T, generator, x_0.device)
    t = t[torch.randperm(len(t), generator=generator, device=x_0.device)]
    parts = zip(x_0.split(batch_size), t.split(batch_size), eps.split(batch_size), strict=True)
    return torch.cat([_square_errors(network, *part, schedule) for part in parts]).cpu().numpy()


def covers(schedule: Schedule, levels: Array) -> bool:
    """Whether a schedule reaches all of these log SNRs, rising; one with few, steep steps may not."""
    own = schedule.log_snr.cpu().numpy()
    return bool(own[-1] <= levels[0] and levels[-1] <= own[0])


def loss_at(network: Denoiser, x_0: Tensor, schedule: Schedule, levels: Array, noise: Callable[[int], Tensor]) -> Array:
    """Mean squared error of eps at given log SNRs, between the two nearest t of the schedule by a line.

    Args:
        network: eps_theta.
        x_0: held-out images in [-1, 1], float32 ``[N, 1, 28, 28]``, one batch.
        schedule: the network's own, on x_0's device.
        levels: log SNRs, rising, float64 ``[L]``.
        noise: ``noise(i)`` is the noise for level i, like x_0: a pure function, so that networks are compared on equal
            noise.

    Returns:
        float64 ``[L]``; its mean is the loss on the common grid.

    Raises:
        StudyError: a level that the schedule never reaches.
    """
    own = schedule.log_snr.cpu().numpy()
    if not covers(schedule, levels):
        raise StudyError(
            f"log SNRs {levels[0]:g} .. {levels[-1]:g} asked for, the schedule covers {own[-1]:.2f} .. {own[0]:.2f}",
            hint="narrow the grid of log SNRs",
        )
    losses = []
    for i, level in enumerate(levels):
        eps = noise(i)
        after = int(np.searchsorted(-own, -level))  # own[after] <= level
        near = [max(after - 1, 0), after]
        errors = [
            float(_square_errors(network, x_0, torch.full((len(x_0),), k + 1, device=x_0.device), eps, schedule).mean())
            for k in dict.fromkeys(near)
        ]
        losses.append(np.interp(level, own[near][::-1], errors[::-1]) if len(errors) == 2 else errors[0])
    return np.array(losses)


@dataclass(frozen=True)
class ErrorParts:
    """Orthogonal parts of the error eps_theta(x_t, t) - eps of N images: their squares add up to the mean square.

    Attributes:
        mean: over all images and pixels, with its sign.
        low: root mean square of the low frequencies: the means of blocks of 7 x 7 pixels, without ``mean``.
        rest: root mean square of what is left.
    """

    mean: float
    low: float
    rest: float


def error_parts(network: Denoiser, x_0: Tensor, eps: Tensor, t: int, schedule: Schedule, batch_size: int) -> ErrorParts:
    """The error of eps at one t, by its parts.

    At t = T it is what the first reverse step multiplies, by 1 / sqrt(alpha_T) (Ho et al. 2020, eq. 11).

    Args:
        network: eps_theta, in float32 where the parts are to be free of rounding.
        x_0: held-out images in [-1, 1], float32 ``[N, 1, 28, 28]``.
        eps: noise, like x_0.
        t: in 1..T.
        schedule: the network's own, on x_0's device.
        batch_size: images a call.
    """
    found = []
    with torch.no_grad():
        for images, noise in zip(x_0.split(batch_size), eps.split(batch_size), strict=True):
            times = torch.full((len(images),), t, device=images.device)
            found.append(network(q_sample(images, times, noise, schedule), times).double() - noise)
    error = torch.cat(found)
    mean = error.mean()
    low = F.avg_pool2d(error, LOW_FREQUENCY_BLOCK) - mean
    rest = error - mean - F.interpolate(low, scale_factor=LOW_FREQUENCY_BLOCK, mode="nearest")
    return ErrorParts(float(mean), float(low.square().mean().sqrt()), float(rest.square().mean().sqrt()))


@dataclass(frozen=True)
class Losses:
    """Losses and errors of one network on held-out images.

    Attributes:
        simple: L_simple image by image, float64 ``[N]``.
        at_levels: loss at each log SNR, float64 ``[L]``; None where the schedule does not cover them.
        at_end: the error of eps at t = T.
    """

    simple: Array
    at_levels: Array | None
    at_end: ErrorParts

    @property
    def simple_error(self) -> float:
        """Standard error of the mean of ``simple`` over images."""
        return float(self.simple.std(ddof=1) / np.sqrt(len(self.simple)))


def measure(
    network: Denoiser,
    exact: Denoiser,
    x_0: Tensor,
    schedule: Schedule,
    levels: Array,
    images_per_level: int,
    batch_size: int = 500,
) -> Losses:
    """Losses and errors, with t and noise that depend on nothing else, so that networks are compared on equal noise.

    Args:
        network: eps_theta.
        exact: the same in float32, for the error at t = T, which sampling takes in float32 where it is amplified.
        x_0: held-out images in [-1, 1], float32 ``[N, 1, 28, 28]``.
        schedule: the network's own, on x_0's device.
        levels: log SNRs, rising, float64 ``[L]``.
        images_per_level: how many of the images are used at each level.
        batch_size: images a call.
    """

    def noise(purpose: str, index: int, images: Tensor) -> Tensor:
        # seed 0 whatever the network's training seed
        shape = tuple(images.shape[1:])
        return rng.image_noise(0, purpose, index, first=0, count=len(images), shape=shape, device=images.device)

    few = x_0[:images_per_level]
    generator = rng.stream(0, "held-out t", device=x_0.device)
    simple = simple_loss(network, x_0, noise("held-out", 0, x_0), schedule, generator, batch_size)
    at_end = error_parts(exact, x_0, noise("held-out end", 0, x_0), schedule.T, schedule, batch_size)
    at_levels = None
    if covers(schedule, levels):
        at_levels = loss_at(network, few, schedule, levels, lambda i: noise("held-out level", i, few))
    return Losses(simple, at_levels, at_end)
