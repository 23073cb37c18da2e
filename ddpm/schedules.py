"""Variance schedules: a name, T and a few numbers become beta, alpha and alpha_bar.

The tables themselves, and what they do to an image, are in ``diffusion``: training reads tables, not this module, so a
new schedule here changes no trained cell.
"""

import difflib
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ddpm.core.mnist import MEAN, PIXELS, STD
from ddpm.diffusion import Schedule
from ddpm.errors import StudyError

MAX_T = 100_000


def _scaled_line(T: int, beta_min: float, beta_max: float) -> tuple[float, float]:
    # 1000 / T keeps the shape of alpha_bar over t / T for any T (the report's listing, lines 4-5)
    return beta_min * 1000 / T, beta_max * 1000 / T


def linear(T: int, beta_min: float = 1e-5, beta_max: float = 0.01) -> Tensor:
    """The report's linear schedule: beta rises in a line from 1000/T beta_min to 1000/T beta_max."""
    start, end = _scaled_line(T, beta_min, beta_max)
    return torch.linspace(start, end, T, dtype=torch.float64)


def linear_ho(T: int, beta_min: float = 1e-4, beta_max: float = 0.02) -> Tensor:
    """Ho et al. 2020, section 4 (1e-4 to 0.02 at T = 1000), scaled by 1000/T for other T."""
    return linear(T, beta_min, beta_max)


def sigmoid(T: int, beta_min: float = 1e-5, beta_max: float = 0.01) -> Tensor:
    """The report's sigmoid schedule: beta = sigmoid(-10 .. 10) (end - start), without ``+ start``, as listed."""
    start, end = _scaled_line(T, beta_min, beta_max)
    return torch.sigmoid(torch.linspace(-10, 10, T, dtype=torch.float64)) * (end - start)


def _beta_from(alpha_bar: Tensor) -> Tensor:
    return 1.0 - alpha_bar[1:] / alpha_bar[:-1]


def cosine(T: int, s: float = 0.002, beta_floor: float = 1e-5, beta_ceiling: float = 0.9999) -> Tensor:
    """The report's cosine schedule: Nichol & Dhariwal 2021, eq. 17, with s = 0.002, beta clipped to [1e-5, 0.9999]."""
    x = torch.linspace(0, T, T + 1, dtype=torch.float64)
    alpha_bar = torch.cos((x / T + s) / (1 + s) * math.pi * 0.5) ** 2
    return _beta_from(alpha_bar / alpha_bar[0]).clamp(beta_floor, beta_ceiling)


def cosine_nichol(T: int, s: float = 0.008, beta_ceiling: float = 0.999) -> Tensor:
    """Nichol & Dhariwal 2021, eq. 17 and the paragraph after it: s = 0.008, beta at most 0.999, no floor."""
    return cosine(T, s, 0.0, beta_ceiling)


def sigmoid_jabri(T: int, start: float = -3.0, end: float = 3.0, tau: float = 1.0, floor: float = 1e-9) -> Tensor:
    """Sigmoid on alpha_bar: Jabri et al. 2022, as parameterised by Chen 2023, algorithm 1; alpha_bar at least 1e-9."""
    u = torch.linspace(0, 1, T + 1, dtype=torch.float64)
    v_start, v_end = (torch.sigmoid(torch.tensor(v / tau, dtype=torch.float64)) for v in (start, end))
    alpha_bar = (v_end - torch.sigmoid((u * (end - start) + start) / tau)) / (v_end - v_start)
    return _beta_from(alpha_bar.clamp(floor, 1.0))


def zero_terminal_snr(beta: Tensor) -> Tensor:
    """Rescale any schedule so that alpha_bar_T = 0 while alpha_bar_1 stays (Lin et al. 2023, algorithm 1).

    Args:
        beta: float64 ``[T]``, T >= 2.

    Returns:
        float64 ``[T]`` with beta_T = 1: at t = T nothing of x_0 is left, so predicting x_0 from eps needs t < T.
    """
    root = torch.cumprod(1.0 - beta, 0).sqrt()
    root = (root - root[-1]) * (root[0] / (root[0] - root[-1]))
    return _beta_from(torch.cat([torch.ones(1, dtype=torch.float64), root**2]))


SCHEDULES: dict[str, Callable[..., Tensor]] = {
    "linear": linear,
    "cosine": cosine,
    "sigmoid": sigmoid,
    "linear-ho": linear_ho,
    "cosine-nichol": cosine_nichol,
    "sigmoid-jabri": sigmoid_jabri,
}


def make_schedule(name: str, T: int, *, kind: str = "", **parameters: float) -> Schedule:
    """Build a schedule by name.

    Args:
        name: a key of ``SCHEDULES``, or any name when ``kind`` is given.
        kind: a key of ``SCHEDULES``; the name itself when empty.
        T: number of diffusion steps, 2 .. ``MAX_T``.
        parameters: the schedule's own numbers (see its function), and ``zero_terminal_snr=True`` for the rescaling of
            Lin et al. 2023 on top of any of them.

    Raises:
        StudyError: an unknown name or parameter, T out of range, a number that is not finite, or a beta outside [0, 1).
    """
    where = f"schedule {name}, T = {T}"
    kind = kind or name
    if kind not in SCHEDULES:
        close = difflib.get_close_matches(str(kind), SCHEDULES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(SCHEDULES)}"
        raise StudyError(f"unknown schedule {kind!r}", where=where if kind != name else "", hint=hint)
    if isinstance(T, bool) or not isinstance(T, int) or not 2 <= T <= MAX_T:
        raise StudyError("T must be a whole number of steps", where=where, hint=f"choose 2 .. {MAX_T}")
    rescale = parameters.pop("zero_terminal_snr", False)
    if not isinstance(rescale, bool):  # Hydra reads `no` as text, which counts as true
        raise StudyError(f"zero_terminal_snr must be true or false, not {rescale!r}", where=where)
    known = list(inspect.signature(SCHEDULES[kind]).parameters)[1:]
    for key, value in parameters.items():
        if key not in known:
            raise StudyError(f"unknown parameter {key!r}", where=where, hint=f"it takes {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise StudyError(f"{key} must be a finite number, not {value!r}", where=where)
    try:
        beta = SCHEDULES[kind](T, **parameters)
        plain = Schedule.from_beta(beta)
        if plain.beta[-1] == 1:  # only the rescaling may end in pure noise
            raise StudyError(f"beta at t = {T} is 1, outside [0, 1)", hint="raise T or lower beta_max")
        return Schedule.from_beta(zero_terminal_snr(beta)) if rescale else plain
    except StudyError as error:
        raise StudyError(error.what, where=where, hint=error.hint) from None


@dataclass(frozen=True)
class Audit:
    """Properties of a schedule that need no training; see ``audit``."""

    sqrt_alpha_bar_T: float
    log_snr_T: float
    prior_kl_nats: float
    last_step_gain: float
    error_gain: float
    beta_1: float
    beta_T: float
    steps_below_1e_5: int
    useful_share: float


def audit(schedule: Schedule, mean: float = MEAN, std: float = STD, dimensions: int = PIXELS) -> Audit:
    """Audit a schedule by its betas alone.

    Args:
        schedule: the schedule.
        mean, std, dimensions: of the data, per value; MNIST's by default.

    Returns:
        - ``sqrt_alpha_bar_T``: share of the image's amplitude left at t = T; 0 is pure noise.
        - ``log_snr_T``: log(alpha_bar_T / (1 - alpha_bar_T)), natural logarithm.
        - ``prior_kl_nats``: E KL(q(x_T | x_0) || N(0, I)) per image, nats (Ho et al. 2020, L_T in eq. 5).
        - ``last_step_gain``: 1 / sqrt(alpha_T), what the first reverse step multiplies x_T by.
        - ``error_gain``: beta_T / sqrt(alpha_T (1 - alpha_bar_T)), what it multiplies the error of epsilon by (Ho et
          al. 2020, eq. 11).
        - ``steps_below_1e_5``: steps that change nothing visible.
        - ``useful_share``: share of steps with abs(log SNR) < 2, where there is something to learn.
    """
    log_snr, end = schedule.log_snr, float(schedule.alpha_bar[-1])
    # closed form for Gaussians: sum over pixels of (mu^2 + sigma^2 - 1 - log sigma^2) / 2
    kl = 0.5 * dimensions * (end * (mean**2 + std**2) - end - math.log1p(-end))
    alpha_T, beta_T = float(schedule.alpha[-1]), float(schedule.beta[-1])
    return Audit(
        sqrt_alpha_bar_T=math.sqrt(end),
        log_snr_T=float(log_snr[-1]),
        prior_kl_nats=kl,
        last_step_gain=1.0 / math.sqrt(alpha_T) if alpha_T > 0 else math.inf,
        error_gain=beta_T / math.sqrt(alpha_T * (1.0 - end)) if alpha_T > 0 else math.inf,
        beta_1=float(schedule.beta[1]),
        beta_T=beta_T,
        steps_below_1e_5=int((schedule.beta[1:] < 1e-5).sum()),
        useful_share=float((log_snr.abs() < 2).double().mean()),
    )
