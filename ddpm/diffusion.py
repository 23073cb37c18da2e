"""The forward process and what is exact about the reverse one (Ho et al. 2020, sections 2 and 3).

Images are ``[B, 1, 28, 28]`` but every function takes any ``[B, ...]``; t is an integer tensor ``[B]`` in 1..T.
Tables are float64 of length T + 1 and indexed by t itself: t = 0 is the clean image (beta_0 = 0, alpha_bar_0 = 1) and
t = T the noisiest: alpha_t = 1 - beta_t, alpha_bar_t = prod_{s <= t} alpha_s. They are cast to the images' dtype last.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ddpm.errors import StudyError

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""eps_theta: (x_t ``[B, ...]`` float32, t int64 ``[B]``, or ``[1]`` for all) -> the predicted noise, as x_t."""


@dataclass(frozen=True)
class Schedule:
    """A variance schedule: float64 tables of shape ``[T + 1]``, 0 <= beta <= 1, alpha_bar falling from 1."""

    beta: Tensor
    alpha: Tensor
    alpha_bar: Tensor

    @property
    def T(self) -> int:
        """Number of diffusion steps."""
        return len(self.beta) - 1

    @classmethod
    def from_beta(cls, beta: Tensor) -> "Schedule":
        """Build the tables from beta_1 .. beta_T, any float dtype, shape ``[T]``.

        Raises:
            StudyError: a beta that is not a finite number in [0, 1), except that beta_T = 1 is allowed: it makes the
                last image pure noise (Lin et al. 2023).
        """
        beta = torch.cat([torch.zeros(1, dtype=torch.float64), beta.to(torch.float64)])
        good = (beta >= 0) & (beta < 1)
        good[-1] = good[-1] or beta[-1] == 1
        if not bool(good.all()):
            t = int((~good).nonzero()[0])
            raise StudyError(
                f"beta at t = {t} is {float(beta[t]):.6g}, outside [0, 1)", hint="raise T or lower beta_max"
            )
        alpha = 1.0 - beta
        return cls(beta, alpha, torch.cumprod(alpha, 0))

    @property
    def log_snr(self) -> Tensor:
        """log(alpha_bar / (1 - alpha_bar)) at t = 1..T, natural logarithm, falling, float64 ``[T]``."""
        alpha_bar = self.alpha_bar[1:]
        return torch.log(alpha_bar) - torch.log1p(-alpha_bar)

    def to(self, device: torch.device | str) -> "Schedule":
        """The same tables on another device."""
        return Schedule(self.beta.to(device), self.alpha.to(device), self.alpha_bar.to(device))


def _at(values: Tensor, like: Tensor) -> Tensor:
    """Per-image float64 values ``[B]`` -> ``[B, 1, ...]`` in the images' dtype."""
    return values.to(like.dtype).view(-1, *[1] * (like.dim() - 1))


def q_sample(x_0: Tensor, t: Tensor, eps: Tensor, schedule: Schedule) -> Tensor:
    """Draw x_t given x_0 (Ho et al. 2020, eq. 4).

    Args:
        x_0: clean images in [-1, 1], float ``[B, ...]``.
        t: int64 ``[B]`` in 0..T; 0 returns x_0.
        eps: standard normal noise, like x_0.
        schedule: its tables on x_0's device.
    """
    alpha_bar = schedule.alpha_bar[t]
    # eq. (4): x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps
    return _at(alpha_bar.sqrt(), x_0) * x_0 + _at((1 - alpha_bar).sqrt(), x_0) * eps


def x_0_from_epsilon(x_t: Tensor, eps: Tensor, signal: float | Tensor, noise: float | Tensor) -> Tensor:
    """Eq. (4) solved for x_0.

    Args:
        x_t: noisy images, float ``[B, ...]``.
        eps: the noise in them, or its prediction, like x_t.
        signal, noise: sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t), numbers or tensors that broadcast to x_t. Where
            alpha_bar_t is 0 the result is not finite.
    """
    return (x_t - noise * eps) / signal


def epsilon_from_v(v_theta: Denoiser, schedule: Schedule) -> Denoiser:
    """Wrap a v-prediction network, v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0, as an epsilon-predictor.

    eps = sqrt(1 - alpha_bar_t) x_t + sqrt(alpha_bar_t) v (Salimans & Ho 2022, appendix D), so an error of v counts
    little where x_t is almost all noise. The loss stays on eps.
    """
    signal, noise = schedule.alpha_bar.sqrt(), (1 - schedule.alpha_bar).sqrt()

    def eps_theta(x_t: Tensor, t: Tensor) -> Tensor:
        return _at(noise[t], x_t) * x_t + _at(signal[t], x_t) * v_theta(x_t, t)

    return eps_theta


def posterior_coefficients(bar_t: Tensor, bar_s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Coefficients of x_0 and x_t in the mean of q(x_s | x_t, x_0), and its variance (Ho et al. 2020, eqs. 6 and 7).

    For any s < t, with alpha = alpha_bar_t / alpha_bar_s, which is alpha_t itself when s = t - 1.

    Args:
        bar_t, bar_s: alpha_bar at t and at s, float64, any shape.
    """
    alpha = bar_t / bar_s
    beta = 1.0 - alpha
    c_0 = bar_s.sqrt() * beta / (1 - bar_t)
    c_t = alpha.sqrt() * (1 - bar_s) / (1 - bar_t)
    return c_0, c_t, beta * (1 - bar_s) / (1 - bar_t)


def epsilon_coefficient(bar_t: Tensor, bar_s: Tensor) -> Tensor:
    """Coefficient of eps in the mean of q(x_s | x_t, x_0) written in x_t and eps (Ho et al. 2020, eq. 11), <= 0.

    That mean is x_t / sqrt(alpha) plus it times eps. Arguments as for ``posterior_coefficients``.
    """
    alpha = bar_t / bar_s
    return -(1.0 - alpha) / ((1 - bar_t) * alpha).sqrt()


def draw_t(count: int, T: int, generator: torch.Generator, device: torch.device | str) -> Tensor:
    """T uniform on 1..T, int64 ``[count]``: floor(u T) + 1, so that seeds pair cells of different T.

    u is stratified, u_i in [i, i + 1) / count, which keeps its law over a shuffled batch and lowers the variance of the
    batch's loss (Kingma et al. 2021, appendix I.1).
    """
    u = (torch.arange(count, device=device) + torch.rand(count, generator=generator, device=device)) / count
    return (u * T).long().clamp_(max=T - 1).add_(1)


def l_simple(network: Denoiser, x_0: Tensor, t: Tensor, eps: Tensor, schedule: Schedule) -> Tensor:
    """The report's loss (Ho et al. 2020, eq. 14): mean over all values of (eps - eps_theta(x_t, t))^2, a scalar."""
    return F.mse_loss(network(q_sample(x_0, t, eps, schedule), t).float(), eps)


def prior_kl(x_0: Tensor, schedule: Schedule) -> Tensor:
    """KL(q(x_T | x_0) || N(0, I)) of each image, nats, float64 ``[B]`` (Ho et al. 2020, L_T in eq. 5)."""
    end = schedule.alpha_bar[-1]
    mean_square = end * x_0.double().flatten(1) ** 2
    return 0.5 * (mean_square - end - torch.log1p(-end)).sum(1)
