"""Parity of the samplers with diffusers, step by step: equal images and equal noise give equal images."""

import pytest
import torch

from ddpm.sampling.samplers import SAMPLERS, reverse, timesteps
from ddpm.schedules import make_schedule
from tests.ddpm.sampling.chains import noise, sine_network


@pytest.mark.parametrize("schedule", ["linear", "cosine", "sigmoid"])
@pytest.mark.parametrize("clip", [False, True])
def test_step_parity_with_diffusers_ddpm(schedule: str, clip: bool) -> None:
    from diffusers import DDPMScheduler

    T, shape = 50, (1, 28, 28)
    ours = make_schedule(schedule, T)
    theirs = DDPMScheduler(T, trained_betas=ours.beta[1:].numpy(), variance_type="fixed_small", clip_sample=clip)
    theirs.alphas, theirs.betas, theirs.alphas_cumprod = (v[1:] for v in (ours.alpha, ours.beta, ours.alpha_bar))
    sampler = SAMPLERS["clipped" if clip else "ancestral"]
    draw = noise(4, *shape)
    x = draw(0)
    for k, (t, (_, mine)) in enumerate(
        zip(range(T, 0, -1), reverse(sine_network, ours, sampler, T, draw), strict=True), 1
    ):
        eps = sine_network(x, torch.full((4,), t))
        mean = theirs.step(eps, t - 1, x, generator=torch.Generator().manual_seed(0)).prev_sample
        if t > 1:  # take their noise out and ours in
            sigma = theirs._get_variance(t - 1) ** 0.5
            theirs_noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
            mean = mean - sigma * theirs_noise + sigma * draw(k)
        scale = float(mean.abs().max())
        torch.testing.assert_close(mine, mean.float(), rtol=1e-4, atol=2e-5 * max(scale, 1))
        x = mine


@pytest.mark.parametrize("steps", [50, 10])
def test_step_parity_with_diffusers_ddim(steps: int) -> None:
    from diffusers import DDIMScheduler

    T = 50
    ours = make_schedule("linear", T)
    theirs = DDIMScheduler(T, trained_betas=ours.beta[1:].numpy(), clip_sample=True, timestep_spacing="trailing")
    theirs.alphas_cumprod = ours.alpha_bar[1:]
    theirs.set_timesteps(steps)
    draw = noise(4, 1, 28, 28)
    x = draw(0)
    visited = timesteps(T, steps)
    assert [t - 1 for t in visited] == theirs.timesteps.tolist()
    chain = reverse(sine_network, ours, SAMPLERS["ddim"], steps, draw)
    for t, (_, mine) in zip(visited, chain, strict=True):
        eps = sine_network(x, torch.full((4,), t))
        x = theirs.step(eps, t - 1, x, eta=0.0, use_clipped_model_output=True).prev_sample.float()
        torch.testing.assert_close(mine, x, rtol=1e-4, atol=1e-5)
