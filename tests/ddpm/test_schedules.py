"""Schedules: the report's listing to the last digit, the literature's definitions, and the laws that all obey."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm.diffusion import Schedule, prior_kl
from ddpm.errors import StudyError
from ddpm.sampling.samplers import step_coefficients
from ddpm.schedules import SCHEDULES, audit, make_schedule, zero_terminal_snr

LISTED = ("linear", "cosine", "sigmoid")


def listing(name: str, T: int) -> np.ndarray:
    """The report's listing, line by line, in NumPy and float64."""
    s, beta_min, beta_max = 0.002, 1e-5, 0.01
    start, end = (beta_min * 1000) / T, (beta_max * 1000) / T
    if name == "linear":
        return np.asarray(np.linspace(start, end, T))
    if name == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-np.linspace(-10, 10, T))) * (end - start))
    x = np.linspace(0, T, T + 1)
    alphas_cumprod = np.cos(((x / T) + s) / (1 + s) * np.pi * 0.5) ** 2
    alphas_cumprod = alphas_cumprod / alphas_cumprod[0]
    return np.asarray(np.clip(1 - (alphas_cumprod[1:] / alphas_cumprod[:-1]), 0.00001, 0.9999))


@pytest.mark.parametrize("T", [37, 50, 100, 200, 400, 800, 4000])
@pytest.mark.parametrize("name", LISTED)
def test_equals_the_reports_listing(name: str, T: int) -> None:
    np.testing.assert_allclose(make_schedule(name, T).beta[1:].numpy(), listing(name, T), rtol=0, atol=1e-12)


# SCIENCE: T, schedule -> beta_1, beta_T, sqrt(alpha_bar_T), last-step gain, useful share
FACTS = {
    (50, "linear"): (2.0e-4, 0.2, 0.0679, 1.12, 0.48),
    (50, "sigmoid"): (9.1e-6, 0.2, 0.0636, 1.12, 0.26),
    (50, "cosine"): (1.2e-3, 0.9999, 0.00031, 100, 0.54),
    (800, "linear"): (1.25e-5, 0.0125, 0.0810, 1.01, 0.49),
    (800, "sigmoid"): (5.7e-7, 0.0125, 0.0811, 1.01, 0.27),
    (800, "cosine"): (1.6e-5, 0.9999, 0.00002, 100, 0.55),
}


@pytest.mark.parametrize(("cell", "expected"), FACTS.items(), ids=str)
def test_audit_gives_the_known_facts(cell: tuple[int, str], expected: tuple[float, ...]) -> None:
    T, name = cell
    found = audit(make_schedule(name, T))
    values = (found.beta_1, found.beta_T, found.sqrt_alpha_bar_T, found.last_step_gain, found.useful_share)
    # two digits, as tabulated
    assert values == pytest.approx(expected, rel=0.04, abs=0.006 if name != "cosine" else 1e-5)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
@pytest.mark.parametrize("T", [50, 800])
def test_gains_are_the_coefficients_of_the_first_reverse_step(name: str, T: int) -> None:
    schedule = make_schedule(name, T)
    found, step = audit(schedule), step_coefficients(schedule, T, T - 1, clip=False)  # Ho et al. 2020, eq. 11
    assert (found.last_step_gain, -found.error_gain) == pytest.approx((step.c_t, step.c_hat), rel=1e-9)


def test_ho_ends_where_the_paper_says() -> None:
    # Ho et al. 2020, section 4: L_T is about 1e-5 bits per dimension; SCIENCE: sqrt(alpha_bar_T) = 0.0064
    found = audit(make_schedule("linear-ho", 1000))
    assert found.sqrt_alpha_bar_T == pytest.approx(0.00635, abs=5e-5)
    assert found.prior_kl_nats / (784 * math.log(2)) < 5e-5


def test_audit_prior_kl_is_the_mean_over_images() -> None:
    generator = torch.Generator().manual_seed(0)
    x_0 = (torch.randn(4000, 1, 28, 28, generator=generator) * 0.3 - 0.5).double()
    schedule = make_schedule("linear", 50)
    exact = float(prior_kl(x_0, schedule).mean())
    assert audit(schedule, mean=-0.5, std=0.3).prior_kl_nats == pytest.approx(exact, rel=1e-2)


def test_jabri_is_chens_formula() -> None:
    # Chen 2023, algorithm 1, sigmoid schedule with start -3, end 3, tau 1
    t = np.linspace(0, 1, 11)

    def logistic(x: np.ndarray | float) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-x)))

    gamma = (logistic(3) - logistic(t * 6 - 3)) / (logistic(3) - logistic(-3))
    np.testing.assert_allclose(
        make_schedule("sigmoid-jabri", 10).alpha_bar.numpy(), np.clip(gamma, 1e-9, 1), atol=1e-12
    )


def test_nichol_ceiling_and_offset() -> None:
    schedule = make_schedule("cosine-nichol", 1000)
    f = [math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in (0, 500)]
    assert float(schedule.beta.max()) == pytest.approx(0.999)
    assert float(schedule.alpha_bar[500]) == pytest.approx(f[1] / f[0], rel=1e-10)


@given(name=st.sampled_from(sorted(SCHEDULES)), T=st.integers(21, 3000))
def test_laws(name: str, T: int) -> None:
    schedule = make_schedule(name, T)
    assert schedule.T == T
    for table in (schedule.beta, schedule.alpha, schedule.alpha_bar):
        assert table.dtype == torch.float64
        assert table.shape == (T + 1,)
    assert schedule.beta[0] == 0
    assert schedule.alpha_bar[0] == 1
    assert bool((schedule.beta[1:] > 0).all())
    assert bool((schedule.beta < 1).all())
    assert bool((schedule.alpha_bar.diff() < 0).all())
    torch.testing.assert_close(schedule.alpha_bar, torch.cumprod(1 - schedule.beta, 0))


@given(T=st.integers(21, 1000))
def test_scaling_keeps_the_shape(T: int) -> None:
    # the report's claim same-shape: alpha_bar(t/T) hardly depends on T
    fine, coarse = make_schedule("linear", 4000).alpha_bar, make_schedule("linear", T).alpha_bar
    at = torch.linspace(0, 4000, T + 1).round().long()
    assert float((fine[at] - coarse).abs().max()) < 3 / T + 0.01


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_zero_terminal_snr(name: str) -> None:
    plain, rescaled = make_schedule(name, 100), make_schedule(name, 100, zero_terminal_snr=True)
    assert rescaled.alpha_bar[-1] == 0
    assert rescaled.beta[-1] == 1
    torch.testing.assert_close(rescaled.alpha_bar[1], plain.alpha_bar[1])
    assert math.isinf(audit(rescaled).log_snr_T)
    assert math.isinf(audit(rescaled).last_step_gain)
    assert math.isinf(audit(rescaled).error_gain)
    # Lin et al. 2023, algorithm 1: sqrt(alpha_bar) is moved and stretched, nothing else
    a, b = plain.alpha_bar[1:].sqrt(), rescaled.alpha_bar[1:].sqrt()
    torch.testing.assert_close(b, (a - a[-1]) * a[0] / (a[0] - a[-1]), rtol=1e-9, atol=1e-9)


def test_rescaling_is_idempotent() -> None:
    once = zero_terminal_snr(make_schedule("linear", 100).beta[1:])
    torch.testing.assert_close(zero_terminal_snr(once), once, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "T", "parameters", "says"),
    [
        ("linar", 50, {}, "did you mean linear"),
        ("x", 50, {}, "choose one of"),
        ("linear", 0, {}, "whole number"),
        ("linear", -5, {}, "whole number"),
        ("linear", 10**9, {}, "whole number"),
        ("linear", True, {}, "whole number"),
        ("linear", 10, {}, "beta at t = 10 is 1"),
        ("linear-ho", 20, {}, "beta at t = 20 is 1"),
        ("linear", 50, {"s": 1.0}, "unknown parameter 's'"),
        ("linear", 50, {"beta_max": math.nan}, "finite"),
        ("linear", 50, {"beta_max": "0.1"}, "finite"),
        ("linear", 50, {"beta_min": -1.0}, "outside [0, 1)"),
        (
            "linear",
            50,
            {"zero_terminal_snr": "no"},
            "linear, T = 50: zero_terminal_snr must be true or false, not 'no'",
        ),
        ("mine", 50, {"kind": 3.0}, "schedule mine, T = 50: unknown schedule 3.0; choose one of"),
        ("mine", 50, {"kind": "linaer"}, "schedule mine, T = 50: unknown schedule 'linaer'; did you mean linear"),
        ("cosine", 1, {}, "T must be a whole number of steps; choose 2 .. 100000"),
    ],
)
def test_refuses(name: str, T: int, parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(StudyError) as caught:
        make_schedule(name, T, **parameters)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_from_beta_allows_one_only_at_the_end() -> None:
    assert Schedule.from_beta(torch.tensor([0.1, 1.0])).alpha_bar[-1] == 0
    with pytest.raises(StudyError, match="t = 1 is 1"):
        Schedule.from_beta(torch.tensor([1.0, 0.1]))
