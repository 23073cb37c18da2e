"""The best possible network against a direct computation, and what it must do."""

import pytest
import torch

from ddpm.core import rng
from ddpm.core.mnist import to_model
from ddpm.diagnostics.ideal import ideal_denoiser, posterior_mean
from ddpm.sampling.samplers import SAMPLERS, reverse
from ddpm.schedules import make_schedule
from tests.conftest import strokes

IMAGES = to_model(torch.from_numpy(strokes(30, 0)).unsqueeze(1))
SCHEDULE = make_schedule("linear", 50)


def noise(k: int, n: int = 6) -> torch.Tensor:
    return torch.randn((n, 1, 28, 28), generator=rng.stream(0, "test", k))


@pytest.mark.parametrize("alpha_bar", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("block", [7, 30])
def test_posterior_mean_by_bayes(alpha_bar: float, block: int) -> None:
    flat = IMAGES.flatten(1)
    x_t = alpha_bar**0.5 * flat[:6] + (1 - alpha_bar) ** 0.5 * noise(0).flatten(1)
    found = posterior_mean(x_t, flat, flat.square().sum(1), alpha_bar, block)
    law = torch.distributions.Normal(alpha_bar**0.5 * flat.double(), (1 - alpha_bar) ** 0.5)
    weights = torch.stack([law.log_prob(x.double()).sum(1) for x in x_t]).softmax(1)
    assert torch.allclose(found.double(), weights @ flat.double(), atol=1e-3)


def test_little_noise_is_seen_exactly() -> None:
    eps = noise(1)
    t = torch.tensor([3])
    root = SCHEDULE.alpha_bar[3]
    x_t = root.sqrt().float() * IMAGES[:6] + (1 - root).sqrt().float() * eps
    assert torch.allclose(ideal_denoiser(IMAGES, SCHEDULE)(x_t, t), eps, atol=2e-3)


def test_its_samples_are_images_of_the_data() -> None:
    *_, (_, x_0) = reverse(ideal_denoiser(IMAGES, SCHEDULE, block=11), SCHEDULE, SAMPLERS["ancestral"], 50, noise)
    nearest = torch.cdist(x_0.flatten(1), IMAGES.flatten(1)).min(1).values / 28
    assert float(nearest.max()) < 0.02  # root mean square of a pixel, in [-1, 1]
