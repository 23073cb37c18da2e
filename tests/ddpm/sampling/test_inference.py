"""The network as sampling runs it gives what the network gives, at every t, whatever its architecture."""

import dataclasses
import math

import pytest
import torch

from ddpm.network import unet
from ddpm.network.architecture import Architecture
from ddpm.network.layers import fourier_features, fourier_features_by_recursion
from ddpm.sampling import inference
from ddpm.schedules import make_schedule
from tests.ddpm.architectures import FULL, SMALL, awake, inputs

SCHEDULE = make_schedule("linear", 50)
ARCHITECTURES = [
    SMALL,
    dataclasses.replace(SMALL, prediction="epsilon", blocks=2, middle_blocks=3, attention=True),
    dataclasses.replace(SMALL, octaves=()),
    dataclasses.replace(SMALL, norm="all"),
    dataclasses.replace(SMALL, norm="none"),
    FULL,
]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("t", [1, 7, SCHEDULE.T])
def test_parity_with_the_network(architecture: Architecture, t: int) -> None:
    net = awake(architecture)
    x, _ = inputs()
    one = torch.tensor([t])
    with torch.no_grad():
        found = inference.sampling_denoiser(net, SCHEDULE, torch.float32)(x, one)
        expected = unet.denoiser(net, SCHEDULE, torch.float32)(x, one)
    assert found.shape == x.shape
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_bfloat16_is_as_near_to_float32_as_the_networks_own(architecture: Architecture) -> None:
    net = awake(architecture)
    x, t = inputs(64)[0], torch.tensor([20])
    with torch.no_grad():
        exact = unet.denoiser(net, SCHEDULE, torch.float32)(x, t)
        own, found = (
            make(net, SCHEDULE, torch.bfloat16)(x, t) for make in (unet.denoiser, inference.sampling_denoiser)
        )
    assert found.dtype == torch.float32
    assert 0 < float((found - exact).square().mean()) < 1.5 * float((own - exact).square().mean())


def test_it_is_a_copy_and_needs_no_gradient() -> None:
    net = awake(SMALL)
    x, t = inputs()[0], torch.tensor([3])
    denoiser = inference.sampling_denoiser(net, SCHEDULE, torch.float32)
    before = denoiser(x, t)
    assert not before.requires_grad
    assert all(parameter.requires_grad and parameter.dtype == torch.float32 for parameter in net.parameters())
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    assert torch.equal(denoiser(x, t), before)


def test_one_t_for_all_images() -> None:
    x, t = inputs()
    with pytest.raises(ValueError, match="one t for all images"):
        inference.sampling_denoiser(awake(SMALL), SCHEDULE, torch.float32)(x, t)


def test_doubled_angles_are_as_exact_as_direct_ones() -> None:
    x = torch.randn(64, 4, 14, 14, generator=torch.Generator().manual_seed(0))
    octaves = (2, 4, 6, 8)

    def direct(x: torch.Tensor) -> torch.Tensor:
        return fourier_features(x.permute(0, 2, 3, 1), octaves).permute(0, 3, 1, 2)

    exact = direct(x.double())
    torch.testing.assert_close(fourier_features_by_recursion(x.double(), octaves), exact, rtol=0, atol=1e-10)
    error, own = (float((f - exact).square().mean()) for f in (fourier_features_by_recursion(x, octaves), direct(x)))
    assert math.sqrt(error) < 2 * math.sqrt(own)
