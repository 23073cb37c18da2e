"""Samplers with the ideal denoiser of Gaussian data: the mean and the variance of its samples are known."""

import math
from collections.abc import Callable

import pytest
from torch import Tensor

from ddpm.diffusion import Schedule
from ddpm.sampling.samplers import SAMPLERS, reverse, timesteps
from ddpm.schedules import make_schedule
from tests.ddpm.sampling.chains import last, noise

MEAN, STD = 0.4, 0.5


def ideal(schedule: Schedule) -> Callable[[Tensor, Tensor], Tensor]:
    """E[eps | x_t] for data N(MEAN, STD^2): the network that training aims at, in closed form."""

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        bar = schedule.alpha_bar[t].float().view(-1, 1)
        return (1 - bar).sqrt() * (x - bar.sqrt() * MEAN) / (bar * STD**2 + 1 - bar)

    return denoise


def predicted_moments(schedule: Schedule, steps: int) -> tuple[float, float]:
    """Mean and variance of x_0 of the ancestral chain: a Gaussian through q(x_s | x_t, E[x_0 | x_t]), in float64.

    Ho et al. 2020, eq. 7, with the betas between the visited t; nothing of the samplers' own code.
    """
    mean, variance = 0.0, 1.0
    sequence = timesteps(schedule.T, steps)
    for t, s in zip(sequence, [*sequence[1:], 0], strict=True):
        bar_t, bar_s = float(schedule.alpha_bar[t]), float(schedule.alpha_bar[s])
        alpha = bar_t / bar_s
        of_x_0 = math.sqrt(bar_s) * (1 - alpha) / (1 - bar_t)
        of_x_t = math.sqrt(alpha) * (1 - bar_s) / (1 - bar_t)
        regression = STD**2 * math.sqrt(bar_t) / (bar_t * STD**2 + 1 - bar_t)  # E[x_0 | x_t] - MEAN, a unit of x_t
        gain = of_x_t + of_x_0 * regression
        mean = gain * mean + of_x_0 * MEAN * (1 - regression * math.sqrt(bar_t))
        variance = gain**2 * variance + (1 - alpha) * (1 - bar_s) / (1 - bar_t)
    return mean, variance


@pytest.mark.parametrize("schedule_name", ["linear", "cosine", "sigmoid", "linear-ho"])
@pytest.mark.parametrize("steps", [200, 40])
def test_ideal_denoiser_gives_the_known_moments(schedule_name: str, steps: int) -> None:
    schedule = make_schedule(schedule_name, 200)
    n = 40_000
    draw = noise(n, 1)
    x_0 = last(reverse(ideal(schedule), schedule, SAMPLERS["ancestral"], steps, draw)).double()
    mean, variance = predicted_moments(schedule, steps)
    assert float(x_0.mean()) == pytest.approx(mean, abs=5 * math.sqrt(variance / n) + 1e-4)
    assert float(x_0.var()) == pytest.approx(variance, rel=5 * math.sqrt(2 / n) + 1e-3)


def test_many_steps_reach_the_data() -> None:
    # with Ho's schedule, which ends in noise, the chain's limit is the data's own law
    mean, variance = predicted_moments(make_schedule("linear-ho", 1000), 1000)
    assert mean == pytest.approx(MEAN, abs=0.01)
    assert variance == pytest.approx(STD**2, rel=0.02)
