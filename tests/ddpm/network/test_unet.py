"""The U-Net: shapes, what it starts as, what it must depend on, and that it draws nothing by itself."""

import dataclasses
import math
from typing import Any, Literal

import pytest
import torch
from torch.nn import functional as F

from ddpm.diffusion import epsilon_from_v
from ddpm.errors import StudyError
from ddpm.network.architecture import Architecture
from ddpm.network.unet import denoiser, time_features
from ddpm.schedules import make_schedule
from tests.ddpm.architectures import FULL, SMALL, awake, build, inputs

SCHEDULE = make_schedule("linear", 50)


@pytest.mark.parametrize("architecture", [SMALL, FULL])
def test_an_untrained_network_outputs_zero(architecture: Architecture) -> None:
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


@pytest.mark.parametrize("architecture", [SMALL, FULL])
def test_one_t_for_all_images(architecture: Architecture) -> None:
    net = awake(architecture)
    x, _ = inputs()
    torch.testing.assert_close(net(x, torch.tensor([7])), net(x, torch.full((len(x),), 7)), rtol=1e-4, atol=1e-5)


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


@pytest.mark.parametrize("architecture", [SMALL, FULL])
def test_denoiser_in_bfloat16_is_close_to_float32(architecture: Architecture) -> None:
    net = awake(architecture)
    x, t = inputs()
    with torch.no_grad():
        exact = denoiser(net, SCHEDULE, torch.float32)(x, t)
        coarse = denoiser(net, SCHEDULE, torch.bfloat16)(x, t)
    assert exact.dtype == coarse.dtype == torch.float32
    assert 0 < float((exact - coarse).abs().max()) < 0.05 * float(exact.abs().max())


def test_denoiser_reads_the_noise_off_the_output() -> None:
    x, t = inputs()
    noise, velocity = awake(FULL), awake(SMALL)
    assert torch.equal(denoiser(noise, SCHEDULE, torch.float32)(x, t), noise(x, t))
    found = denoiser(velocity, SCHEDULE, torch.float32)(x, t)
    assert torch.equal(found, epsilon_from_v(velocity, SCHEDULE)(x, t))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"patch": 3}, "do not divide"),
        ({"channels": (8, 8, 8, 8)}, "do not divide"),
        ({"channels": ()}, "do not divide"),
        ({"channels": (8, 24), "attention": True}, "multiple of 16"),
        ({"stem_kernel": 2}, "must be odd"),
        ({"kernels": (3, 4)}, "must be odd"),
        ({"kernels": (3,)}, "two per block"),
    ],
)
def test_refuses(change: dict[str, object], says: str) -> None:
    with pytest.raises(StudyError, match=says):
        dataclasses.replace(SMALL, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("architecture", [SMALL, FULL])
def test_every_convolution_finds_channels_last(architecture: Architecture) -> None:
    """Where one does not, torch converts, and the network is half as fast without a word."""
    net = awake(architecture)
    found: dict[str, bool] = {}

    def last(x: torch.Tensor) -> bool:
        return x.is_contiguous(memory_format=torch.channels_last)

    def watch(name: str, module: torch.nn.Module) -> None:
        module.register_forward_hook(lambda _, x, y: found.update({name: last(x[0]) and last(y)}))

    for name, module in net.named_modules():
        if isinstance(module, torch.nn.Conv2d) and name != "stem":  # one channel is last and first
            watch(name, module)
    net(*inputs())
    assert [name for name, ok in found.items() if not ok] == []
    assert len(found) >= 10


def test_forward_is_the_body_with_the_projected_time() -> None:
    net = awake(SMALL)
    x, t = inputs()
    assert torch.equal(net(x, t), net.body(x, net.time_projections(t)))
    assert [block.place for block in net.residual_blocks()] == list(range(len(net.time_layers()) - 1))


@pytest.mark.parametrize(("norm", "normalised"), [("all", [1, 1, 1]), ("middle", [0, 1, 0]), ("none", [0, 0, 0])])
def test_norm_says_which_blocks_normalise(norm: Literal["all", "middle", "none"], normalised: list[int]) -> None:
    """An image times 10 leaves a block that normalises as it was, but for what its skip connection adds."""
    net = awake(dataclasses.replace(SMALL, norm=norm))
    found = []
    for block in net.residual_blocks():
        x = torch.randn(2, block.conv_1.in_channels, 6, 6, generator=torch.Generator().manual_seed(0))
        time = block.time(torch.zeros(2, block.time.in_features))
        branch, scaled = (block(k * x, time) - k * x for k in (1, 10))
        found.append(int(torch.allclose(branch, scaled, rtol=1e-3, atol=1e-3)))
    assert found == normalised


def test_reference_forward() -> None:
    """The network again, written without its layers, in the order of Ho et al.'s figure: down, middle, up, head."""
    net = awake(dataclasses.replace(SMALL, middle_blocks=2))
    x, t = inputs()
    p = dict(net.named_parameters())

    def conv(name: str, x: torch.Tensor, **how: Any) -> torch.Tensor:
        return F.conv2d(x, p[f"{name}.weight"], p.get(f"{name}.bias"), **how)

    def linear(name: str, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])[:, :, None, None]

    def block(name: str, x: torch.Tensor, *, norm: bool, dilation: int = 1) -> torch.Tensor:
        time = linear(f"{name}.time", embedding)
        if norm:
            h = time + F.group_norm(conv(f"{name}.conv_1", x, padding=dilation, dilation=dilation), 1)
        else:
            t_1, t_2 = time.chunk(2, 1)
            h = t_2 + conv(f"{name}.conv_1", F.silu(t_1 + x), padding=1)
        return x + conv(f"{name}.conv_2", F.silu(h))

    embedding = F.silu(F.linear(time_features(t, 64), p["time.0.weight"], p["time.0.bias"]))
    embedding = F.silu(F.linear(embedding, p["time.2.weight"], p["time.2.bias"]))
    patches = F.pixel_unshuffle(x, 2)
    waves = [wave(2**octave * math.pi * patches) for wave in (torch.sin, torch.cos) for octave in (2, 4)]
    fine = block("encoder.0.0", conv("stem", torch.cat([patches, *waves], 1)), norm=False)
    y = block("middle.0", conv("down.0.conv", fine, stride=2), norm=True)
    y = block("middle.1", y, norm=True, dilation=2)
    weight = p["up.0.conv.weight"].view(2, 2, 16, 32).permute(3, 2, 0, 1)
    y = F.conv_transpose2d(y, weight, stride=2) + conv("skip.0.0", fine)
    y = block("decoder.0.0", y, norm=False)
    scale, shift = linear("scale_shift", embedding).chunk(2, 1)
    expected = F.pixel_shuffle(conv("head", F.silu(F.group_norm(y, 1) * (1 + scale) + shift)), 2)
    torch.testing.assert_close(net(x, t), expected, rtol=1e-4, atol=1e-4)
