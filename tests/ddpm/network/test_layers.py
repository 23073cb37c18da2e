"""The layers against torch's own, and how their tensors lie in memory."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddpm.network.layers import TIME_CHANNELS, Attention, Down, Residual, Up, fourier_features, normalise

CHANNELS = 16


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def images(side: int = 6) -> Tensor:
    return draw(3, CHANNELS, side, side).contiguous(memory_format=torch.channels_last)


def awake(layer: nn.Module) -> nn.Module:
    for i, parameter in enumerate(layer.parameters()):
        parameter.data = 0.3 * draw(*parameter.shape, seed=i + 1)
    return layer


def test_norm_is_group_norm_of_one_group() -> None:
    x = 5 * images() + 2
    torch.testing.assert_close(normalise(x), F.group_norm(x, 1))


def test_fourier_features_magnify() -> None:
    x = torch.tensor([-1.0, 0.0, 0.001]).view(3, 1)
    found = fourier_features(x, (0, 6))
    assert found.shape == (3, 5)
    expected = [x, *(wave(k * math.pi * x) for wave in (torch.sin, torch.cos) for k in (1, 64))]
    torch.testing.assert_close(found, torch.cat(expected, 1))
    assert torch.equal(fourier_features(x, ()), x)
    assert float(found[2, 2]) > 100 * float(x[2])


def test_up_is_a_transposed_convolution() -> None:
    up = awake(Up(CHANNELS, 5))
    weight = up.get_parameter("conv.weight").view(2, 2, 5, CHANNELS).permute(3, 2, 0, 1)  # [in, out, 2, 2]
    torch.testing.assert_close(up(images()), F.conv_transpose2d(images(), weight, stride=2))


@pytest.mark.parametrize(("norm", "dilation"), [(False, 1), (True, 1), (True, 2)])
def test_residual_is_its_formula(norm: bool, dilation: int) -> None:
    block = awake(Residual(CHANNELS, (3, 1), norm=norm, dilation=dilation))
    x, embedding = images(), draw(3, TIME_CHANNELS, seed=9)
    time = F.linear(embedding, block.get_parameter("time.weight"), block.get_parameter("time.bias"))[:, :, None, None]
    first, second = (block.get_parameter(f"conv_{i}.weight") for i in (1, 2))
    if norm:
        h = F.group_norm(F.conv2d(x, first, padding=dilation, dilation=dilation), 1) + time
    else:
        h = F.conv2d(F.silu(x + time[:, :CHANNELS]), first, padding=1) + time[:, CHANNELS:]
    expected = x + F.conv2d(F.silu(h), second)
    torch.testing.assert_close(block(x, time.flatten(1)), expected)
    with torch.no_grad():  # one time for all images
        one = torch.cat([block(x[i : i + 1], time[i].flatten()) for i in range(len(x))])
    torch.testing.assert_close(one, expected)


def test_attention_is_its_formula() -> None:
    attention = awake(Attention(2 * 16))
    x = draw(2, 32, 3, 4)
    weights = {
        name: parameter.flatten(1) if parameter.dim() > 1 else parameter
        for name, parameter in attention.named_parameters()
    }
    for image, found in zip(x, attention(x), strict=True):
        tokens = F.group_norm(image[None], 1)[0].flatten(1).T  # [positions, channels]
        q, k, v = F.linear(tokens, weights["qkv.weight"], weights["qkv.bias"]).split(32, 1)
        heads = [
            torch.softmax(q[:, h] @ k[:, h].T / 4, 1) @ v[:, h] for h in (slice(0, 16), slice(16, 32))
        ]  # a head of 16 channels
        out = F.linear(torch.cat(heads, 1), weights["out.weight"], weights["out.bias"])
        torch.testing.assert_close(found, image + out.T.view(image.shape))


@pytest.mark.parametrize("how", ["strided", "maxpool"])
def test_down_is_its_formula(how: str) -> None:
    down = awake(Down(CHANNELS, 7, how))
    weight, bias = down.get_parameter("conv.weight"), down.get_parameter("conv.bias")
    windows = images().unfold(2, 2, 2).unfold(3, 2, 2)  # [B, C, 3, 3, 2, 2]
    if how == "maxpool":
        expected = torch.einsum("bchw,oc->bohw", windows.amax((4, 5)), weight[:, :, 0, 0])
    else:
        expected = torch.einsum("bchwij,ocij->bohw", windows, weight)
    torch.testing.assert_close(down(images()), expected + bias[:, None, None])


@pytest.mark.parametrize("layer", [Up(CHANNELS, 5), Down(CHANNELS, 5, "strided"), Down(CHANNELS, 5, "maxpool")])
def test_channels_stay_last_in_memory(layer: nn.Module) -> None:
    assert layer(images()).is_contiguous(memory_format=torch.channels_last)
