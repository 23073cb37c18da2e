"""The reverse process: from noise x_T to images x_0, by any sampler on any sub-sequence of the steps.

A jump from t to an earlier s uses alpha_{t|s} = alpha_bar_t / alpha_bar_s, which is alpha_t itself when s = t - 1, so
one formula serves the full chain and every sub-sequence (Nichol & Dhariwal 2021, section 4; Song et al. 2020, app. C).
"""

import difflib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from ddpm.diffusion import Denoiser, Schedule, epsilon_coefficient, posterior_coefficients, x_0_from_epsilon
from ddpm.errors import StudyError

AMPLIFIES = 1.9  # a step that multiplies x_t by so much, and eps_theta's rounding with it, takes eps_theta in float32


@dataclass(frozen=True)
class Sampler:
    """How steps are taken.

    Attributes:
        clip: in which reverse steps the predicted x_0 is clipped to [-1, 1].
        stochastic: with fresh noise or without.
        left_out: how many of the first reverse steps are left out: the chain begins that much later, from pure noise.
    """

    clip: Literal["all", "none", "first", "rest"]
    stochastic: bool = True
    left_out: int = 0

    def clips(self, position: int) -> bool:
        """Whether the reverse step at this position, counted from 0, clips."""
        return self.clip in ("all", "first" if position == 0 else "rest")


SAMPLERS: dict[str, Sampler] = {
    # the report's: Ho et al. 2020, algorithm 2, with the posterior variance and no clip
    "ancestral": Sampler("none"),
    # the same with the predicted x_0 clipped, as in Ho et al.'s code
    "clipped": Sampler("all"),
    # Song et al. 2020, eq. 12 with eta = 0; eps is taken anew from the clipped x_0, as in Dhariwal & Nichol's code
    "ddim": Sampler("all", stochastic=False),
    # three that tell what the first reverse step does: clipped there alone, everywhere else, or left out
    "clipped-first": Sampler("first"),
    "clipped-rest": Sampler("rest"),
    "late-start": Sampler("none", left_out=1),
}


def get_sampler(name: str, T: int) -> tuple[Sampler, int]:
    """Look a sampler up by name: ``clipped`` takes all T steps, ``clipped-50`` takes 50 of them.

    Returns:
        The sampler, and how many steps it takes.

    Raises:
        StudyError: the sampler is unknown, takes more steps than T, or leaves none to take.
    """
    word, _, steps = name.rpartition("-")
    if not (word and steps.isdecimal()):
        word, steps = name, ""
    if word not in SAMPLERS:
        close = difflib.get_close_matches(word, SAMPLERS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(SAMPLERS)}"
        raise StudyError(f"unknown sampler {name!r}", hint=f"{hint}; ancestral-50 takes 50 of the T steps")
    sampler, taken = SAMPLERS[word], int(steps or T)
    if len(timesteps(T, taken)) <= sampler.left_out:
        raise StudyError(f"{name} leaves none of {taken} steps", hint=f"choose more than {sampler.left_out}")
    return sampler, taken


def timesteps(T: int, steps: int) -> list[int]:
    """Which t to visit: ``steps`` of T..1, descending, evenly spaced and always beginning at T.

    Beginning at T matters: only there is x_t the noise that sampling starts from (Lin et al. 2023, "trailing").

    Raises:
        StudyError: ``steps`` outside 1..T.
    """
    if not 1 <= steps <= T:
        raise StudyError(f"cannot take {steps} sampling steps from T = {T}", hint=f"choose 1 .. {T}")
    return [T - i * T // steps for i in range(steps)]


@dataclass(frozen=True)
class Step:
    """The numbers of one reverse step t -> s: x_s = c_t x_t + c_hat (x_0 or eps) + sigma z.

    With ``clip``, x_0 = (x_t - noise eps) / signal is clipped to [-1, 1] and takes the place of eps. ``gain`` is
    1 / sqrt(alpha_{t|s}).
    """

    t: int
    s: int
    c_t: float
    c_hat: float
    sigma: float
    signal: float
    noise: float
    gain: float
    clip: bool

    @property
    def amplifies(self) -> bool:
        """Whether eq. (11) multiplies x_t, and any error of eps with it, by ``AMPLIFIES`` or more."""
        return self.gain >= AMPLIFIES


def step_coefficients(schedule: Schedule, t: int, s: int, *, clip: bool, stochastic: bool = True) -> Step:
    """Coefficients of the step from t to s < t, computed in float64.

    Without a clip ``c_hat`` multiplies the network's eps (Ho et al. 2020, eq. 11), since going through x_0 would divide
    by sqrt(alpha_bar_t) and multiply by it again; with a clip it multiplies the clipped x_0 (eq. 7).

    Args:
        schedule: its tables.
        t, s: from and to.
        clip: whether the step clips x_0. A DDIM step goes through x_0 either way.
        stochastic: with fresh noise (ancestral), or without (DDIM with eta = 0).

    Raises:
        StudyError: alpha_bar_t = 0 or alpha_t = 0, where eps says nothing about x_0.
    """
    bar_t, bar_s = float(schedule.alpha_bar[t]), float(schedule.alpha_bar[s])
    if bar_t <= 0:
        raise StudyError(
            f"alpha_bar is 0 at t = {t}: eps-prediction cannot start from pure noise",
            hint="sample a sub-sequence that begins earlier, or a schedule without zero terminal SNR",
        )
    signal, noise, gain = math.sqrt(bar_t), math.sqrt(1 - bar_t), math.sqrt(bar_s / bar_t)
    if not stochastic:
        # DDIM, eq. (12), eta = 0: x_s = sqrt(bar_s) x_0 + sqrt(1 - bar_s) (x_t - sqrt(bar_t) x_0) / sqrt(1 - bar_t)
        ratio = math.sqrt((1 - bar_s) / (1 - bar_t))
        return Step(t, s, ratio, math.sqrt(bar_s) - ratio * signal, 0.0, signal, noise, gain, clip)
    c_0, c_t, variance = map(float, posterior_coefficients(schedule.alpha_bar[t], schedule.alpha_bar[s]))
    sigma = math.sqrt(variance)  # eq. (7): beta-tilde
    if clip:
        return Step(t, s, c_t, c_0, sigma, signal, noise, gain, clip)  # eq. (7)
    c_eps = float(epsilon_coefficient(schedule.alpha_bar[t], schedule.alpha_bar[s]))  # eq. (11)
    return Step(t, s, gain, c_eps, sigma, signal, noise, gain, clip)


def plan(schedule: Schedule, sampler: Sampler, steps: int) -> list[Step]:
    """All steps of a chain, in order.

    Steps with alpha_bar_t = 0 are skipped: x_0 cannot be recovered from epsilon there. The chain then begins at the
    next t, where almost nothing of x_0 is left.
    """
    sequence = [t for t in timesteps(schedule.T, steps) if schedule.alpha_bar[t] > 0][sampler.left_out :]
    return [
        step_coefficients(schedule, t, s, clip=sampler.clips(position), stochastic=sampler.stochastic)
        for position, (t, s) in enumerate(pairwise([*sequence, 0]))
    ]


def reverse(
    network: Denoiser,
    schedule: Schedule,
    sampler: Sampler,
    steps: int,
    noise: Callable[[int], Tensor],
    taken: tuple[int, Tensor] | None = None,
    exact: Denoiser | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """Run the reverse process and yield ``(s, x_s)`` after every step, the last being ``(0, x_0)``.

    Args:
        network: eps_theta.
        schedule: the schedule that the network was trained with.
        sampler: one of ``SAMPLERS``.
        steps: how many of the T steps to take.
        noise: ``noise(k)`` gives standard normal float32 ``[B, 1, 28, 28]``: x_T for k = 0, the noise of the k-th step
            after that. A pure function of k, so the chain is reproducible.
        taken: how many steps were taken before, and the images after them, to go on from there.
        exact: eps_theta in float32, for the steps that amplify its rounding (``Step.amplifies``); ``network`` if None.

    Yields:
        float32 images; x_0 is not clipped to [-1, 1] beyond what the sampler does.
    """
    done, x = taken or (0, noise(0))
    steps_left = plan(schedule, sampler, steps)[done:]
    for k, step in enumerate(steps_left, start=done + 1):
        with torch.no_grad():
            eps_theta = exact if exact is not None and step.amplifies else network
            hat = eps_theta(x, torch.tensor([step.t], device=x.device)).float()
        if step.clip:
            hat = x_0_from_epsilon(x, hat, step.signal, step.noise).clamp_(-1, 1)
        x = (step.c_t * x).add_(hat, alpha=step.c_hat)
        if step.sigma > 0:
            x.add_(noise(k), alpha=step.sigma)
        yield step.s, x
