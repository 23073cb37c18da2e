"""The U-Net: shapes, what it starts as, what it must depend on, and that it draws nothing by itself."""

import dataclasses

import pytest
import torch

from ddpm import network, rng
from ddpm.errors import StudyError
from ddpm.network import Architecture, UNet, in_precision, time_features

SMALL = Architecture(patch=2, channels=(16, 32), blocks=1, middle_blocks=1, attention=False, downsample="strided")
FULL = Architecture(patch=1, channels=(8, 16, 32), blocks=2, middle_blocks=2, attention=True, downsample="maxpool")


def build(architecture: Architecture, seed: int = 0) -> UNet:
    net = network.build(architecture, "cpu")
    network.initialise(net, rng.stream(seed, "test"))
    return net


def awake(architecture: Architecture) -> UNet:
    """With the layers that start at zero filled, so that every path carries a signal."""
    net = build(architecture)
    generator = torch.Generator().manual_seed(1)
    for parameter in net.parameters():
        if not bool(parameter.any()):
            torch.nn.init.normal_(parameter, std=0.1, generator=generator)
    return net


def inputs(n: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 1, 28, 28, generator=torch.Generator().manual_seed(2)), torch.arange(1, n + 1)


@pytest.mark.parametrize("architecture", [SMALL, FULL])
def test_new_network_predicts_zero_noise(architecture: Architecture) -> None:
    x, t = inputs()
    out = build(architecture)(x, t)
    assert out.shape == x.shape
    assert not bool(out.any())


@pytest.mark.parametrize("architecture", [SMALL, FULL])
def test_every_parameter_matters(architecture: Architecture) -> None:
    net = awake(architecture)
    x, t = inputs()
    net(x, t).square().mean().backward()
    silent = [name for name, p in net.named_parameters() if p.grad is None or not bool(p.grad.any())]
    # a shift common to all keys cancels in the softmax, so only the key part of that bias can be silent
    assert silent == []


@pytest.mark.parametrize("architecture", [SMALL, FULL])
def test_images_do_not_mix(architecture: Architecture) -> None:
    net = awake(architecture)
    x, t = inputs()
    together = net(x, t)
    for i in range(len(x)):
        torch.testing.assert_close(together[i : i + 1], net(x[i : i + 1], t[i : i + 1]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", [SMALL, FULL])
def test_sees_the_whole_image_and_the_time(architecture: Architecture) -> None:
    net = awake(architecture)
    x, t = inputs(1)
    x.requires_grad_(True)
    net(x, t)[0, 0, 14, 14].backward()
    assert x.grad is not None
    assert bool((x.grad != 0).all())
    assert not torch.equal(net(x, t), net(x, t + 7))


def test_building_draws_no_random_number() -> None:
    before = torch.get_rng_state()
    build(SMALL)
    assert torch.equal(torch.get_rng_state(), before)


def test_initial_weights_follow_the_seed() -> None:
    one, same, other = (build(SMALL, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_time_features_are_sines_and_cosines() -> None:
    found = time_features(torch.tensor([0, 5]), 8)
    assert found[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    frequency = 10_000 ** -(torch.arange(4) / 3)
    torch.testing.assert_close(found[1], torch.cat([(5 * frequency).sin(), (5 * frequency).cos()]))


def test_in_precision() -> None:
    net = awake(SMALL)
    x, t = inputs()
    with torch.no_grad():
        exact = in_precision(net, "cpu", torch.float32)(x, t)
        coarse = in_precision(net, "cpu", torch.bfloat16)(x, t)
    assert exact.dtype == coarse.dtype == torch.float32  # the gate's copy of x_t is added in float32
    assert 0 < float((exact - coarse).abs().max()) < 0.05 * float(exact.abs().max())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"patch": 3}, "do not divide"),
        ({"channels": (8, 8, 8, 8)}, "do not divide"),
        ({"channels": ()}, "do not divide"),
        ({"channels": (12, 32)}, "multiples of 8"),
        ({"channels": (8, 24), "attention": True}, "multiple of 32"),
    ],
)
def test_refuses(change: dict[str, object], says: str) -> None:
    with pytest.raises(StudyError, match=says):
        dataclasses.replace(SMALL, **change)  # type: ignore[arg-type]
