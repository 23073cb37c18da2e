"""The forward process against its definition, and the posterior against Bayes' rule."""

import math

import pytest
import torch

from ddpm.diffusion import (
    Schedule,
    epsilon_from_v,
    l_simple,
    posterior_coefficients,
    prior_kl,
    q_sample,
    x_0_from_epsilon,
)
from ddpm.schedules import make_schedule


@pytest.fixture
def schedule() -> Schedule:
    return make_schedule("linear", 60)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("t", [1, 20, 60])
def test_q_sample_moments(schedule: Schedule, t: int) -> None:
    n = 200_000
    x_t = q_sample(torch.full((n, 1), 0.7), torch.full((n,), t), noise(n, 1), schedule)
    variance = float(1 - schedule.alpha_bar[t])
    standard_error = math.sqrt(variance / n)
    assert float(x_t.mean()) == pytest.approx(0.7 * float(schedule.alpha_bar[t].sqrt()), abs=5 * standard_error)
    assert float(x_t.var()) == pytest.approx(variance, rel=5 * math.sqrt(2 / n))


def test_q_sample_is_the_chain_of_single_steps(schedule: Schedule) -> None:
    # x_t = sqrt(alpha_t) x_{t-1} + sqrt(beta_t) eps, iterated: same mean factor, same variance
    factor, variance = 1.0, 0.0
    for t in range(1, 61):
        alpha, beta = float(schedule.alpha[t]), float(schedule.beta[t])
        factor, variance = factor * math.sqrt(alpha), alpha * variance + beta
        assert factor == pytest.approx(float(schedule.alpha_bar[t].sqrt()))
        assert variance == pytest.approx(float(1 - schedule.alpha_bar[t]))


def test_q_sample_takes_each_images_own_t(schedule: Schedule) -> None:
    x_0, eps, t = noise(4, 1, 28, 28), noise(4, 1, 28, 28, seed=1), torch.tensor([0, 1, 30, 60])
    together = q_sample(x_0, t, eps, schedule)
    assert torch.equal(together[0], x_0[0])
    for i in range(4):
        assert torch.equal(together[i : i + 1], q_sample(x_0[i : i + 1], t[i : i + 1], eps[i : i + 1], schedule))


def test_x_0_from_epsilon_inverts_q_sample(schedule: Schedule) -> None:
    x_0, eps, t = noise(8, 1, 4, 4).double(), noise(8, 1, 4, 4, seed=1).double(), torch.arange(1, 9)
    signal, spread = (v.sqrt().view(8, 1, 1, 1) for v in (schedule.alpha_bar[t], 1 - schedule.alpha_bar[t]))
    torch.testing.assert_close(x_0_from_epsilon(q_sample(x_0, t, eps, schedule), eps, signal, spread), x_0)


def test_noise_is_read_off_the_true_velocity(schedule: Schedule) -> None:
    # v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0 (Salimans & Ho 2022, appendix D)
    x_0, eps, t = noise(8, 1, 4, 4).double(), noise(8, 1, 4, 4, seed=1).double(), torch.arange(1, 61, 8)
    alpha_bar = schedule.alpha_bar[t].view(-1, 1, 1, 1)
    v = alpha_bar.sqrt() * eps - (1 - alpha_bar).sqrt() * x_0
    found = epsilon_from_v(lambda x_t, t: v, schedule)(q_sample(x_0, t, eps, schedule), t)
    torch.testing.assert_close(found, eps)


def test_error_of_velocity_fades_with_the_signal() -> None:
    # at cosine's last step alpha_bar is so small that whatever v is, x_T is taken for the noise
    end = make_schedule("cosine", 50)
    x, t = noise(2, 1, 4, 4), torch.tensor([50, 50])
    found = epsilon_from_v(lambda x_t, t: torch.ones_like(x_t), end)(x, t)
    assert float((found - x).abs().max()) < 2 * float(end.alpha_bar[-1].sqrt())


@pytest.mark.parametrize("t", [1, 2, 30, 60])
def test_posterior_is_bayes_rule(schedule: Schedule, t: int) -> None:
    # q(x_{t-1} | x_t, x_0) is proportional to q(x_t | x_{t-1}) q(x_{t-1} | x_0): precisions add up
    c_0, c_t, variance = posterior_coefficients(schedule.alpha_bar[t], schedule.alpha_bar[t - 1])
    mean = c_0 * 0.3 + c_t * -0.8
    alpha, beta, before = (float(v) for v in (schedule.alpha[t], schedule.beta[t], schedule.alpha_bar[t - 1]))
    if t == 1:
        assert float(variance) == 0
        assert float(mean) == pytest.approx(0.3)
        return
    precision = alpha / beta + 1 / (1 - before)
    assert float(variance) == pytest.approx(1 / precision)
    weighted = math.sqrt(alpha) / beta * -0.8 + math.sqrt(before) / (1 - before) * 0.3
    assert float(mean) == pytest.approx(weighted / precision)


def test_l_simple_of_a_perfect_and_of_a_silent_network(schedule: Schedule) -> None:
    x_0, eps, t = noise(16, 1, 28, 28), noise(16, 1, 28, 28, seed=1), torch.arange(1, 17)
    assert float(l_simple(lambda x, t: eps, x_0, t, eps, schedule)) == 0
    silent = l_simple(lambda x, t: torch.zeros_like(x), x_0, t, eps, schedule)
    assert float(silent) == pytest.approx(float((eps**2).mean()))


def test_prior_kl_against_torch_distributions(schedule: Schedule) -> None:
    from torch.distributions import Normal, kl_divergence

    x_0 = noise(3, 1, 28, 28).double()
    end = schedule.alpha_bar[-1]
    q, p = Normal(end.sqrt() * x_0, (1 - end).sqrt()), Normal(torch.zeros_like(x_0), torch.ones_like(x_0))
    torch.testing.assert_close(prior_kl(x_0, schedule), kl_divergence(q, p).flatten(1).sum(1))
