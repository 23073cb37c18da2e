"""The U-Net eps_theta(x_t, t) (Ronneberger et al. 2015; Ho et al. 2020, appendix B), sized for 28 x 28 digits.

With ``patch = 2`` a space-to-depth stem turns 28 x 28 x 1 into 14 x 14 x 4, which costs nothing and quarters every
later pass; the output is folded back the same way. With ``patch = 1`` it is the report's network at full resolution.

What the network puts out is the noise itself, or the velocity v from which ``denoiser`` reads the noise off: where x_t
is almost all noise, the answer is almost x_t, and copying it needs no convolution.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddpm.diffusion import Denoiser, Schedule, noise_from_velocity
from ddpm.errors import StudyError
from ddpm.mnist import SIDE

_GROUPS = 8
_TIME_FEATURES = 64  # sines and cosines of t
_TIME_CHANNELS = 128  # width of the time embedding
_HEAD_CHANNELS = 32


@dataclass(frozen=True)
class Architecture:
    """The shape of a U-Net.

    Attributes:
        patch: side of the space-to-depth patches, pixels; 1 for none.
        channels: channels of each level, finest first; each level halves the side.
        blocks: residual blocks per level on the way down, and as many on the way up.
        middle_blocks: residual blocks at the bottleneck.
        attention: self-attention at the bottleneck.
        downsample: how a level is left: ``strided`` convolution, or ``maxpool`` as in the report.
        output: what the last layer gives: ``noise`` as in the report, or ``velocity`` (see ``denoiser``).
        octaves: octaves k of the input's sines and cosines (see ``fourier_features``); none as in the report.
    """

    patch: int
    channels: tuple[int, ...]
    blocks: int
    middle_blocks: int
    attention: bool
    downsample: Literal["strided", "maxpool"]
    output: Literal["noise", "velocity"]
    octaves: tuple[int, ...]

    def __post_init__(self) -> None:
        side = self.patch * 2 ** (len(self.channels) - 1)
        if self.patch < 1 or not self.channels or SIDE % side:
            raise StudyError(
                f"patch {self.patch} and {len(self.channels)} levels do not divide {SIDE} x {SIDE} images",
                where="network",
                cure="patch x 2^(levels - 1) must be 1, 2, 4, 7, 14 or 28",
            )
        if any(c < 1 or c % _GROUPS for c in self.channels):
            raise StudyError(f"channels must be multiples of {_GROUPS}", where=f"network.channels {self.channels}")
        if self.attention and self.channels[-1] % _HEAD_CHANNELS:
            raise StudyError(
                f"attention needs a last level of a multiple of {_HEAD_CHANNELS} channels",
                where=f"network.channels {self.channels}",
            )


def time_features(t: Tensor, size: int) -> Tensor:
    """Sinusoidal features of t (Vaswani et al. 2017, section 3.5): int64 ``[B]`` -> float32 ``[B, size]``."""
    half = size // 2
    frequency = torch.exp(torch.arange(half, device=t.device) * (-math.log(10_000) / (half - 1)))
    angle = t.float()[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], 1)


def fourier_features(x: Tensor, octaves: tuple[int, ...]) -> Tensor:
    """Put sin(2^k pi x) and cos(2^k pi x) beside x: ``[B, C, ...]`` -> ``[B, C (1 + 2 len(octaves)), ...]``.

    They magnify what is too faint for the network otherwise, and for bfloat16: the noise of the first steps
    (Kingma et al. 2021, appendix C).
    """
    waves = [wave(2**k * math.pi * x) for k in octaves for wave in (torch.sin, torch.cos)]
    return torch.cat([x, *waves], 1)


class TimedNorm(nn.Module):
    """Group norm, then scale and shift by the time embedding (Dhariwal & Nichol 2021, section 3, adaptive norm)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(_GROUPS, channels)
        self.time = nn.Linear(_TIME_CHANNELS, 2 * channels)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.time(embedding).chunk(2, 1)
        if len(embedding) == 1:  # one t for all images: the norm's own scale and shift take it at no cost
            weight, bias = self.norm.weight * (1 + scale[0]), self.norm.bias * (1 + scale[0]) + shift[0]
            return F.group_norm(x, _GROUPS, weight, bias, self.norm.eps)
        # not addcmul, which is 5 times slower in bfloat16
        return self.norm(x) * (1 + scale[:, :, None, None]) + shift[:, :, None, None]  # type: ignore[no-any-return]


class Residual(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), the second norm with the time in it.

    The second convolution starts at zero, so a new block is the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm_1 = nn.GroupNorm(_GROUPS, channels)
        self.conv_1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm_2 = TimedNorm(channels)
        self.conv_2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.conv_1(F.silu(self.norm_1(x)))
        return x + self.conv_2(F.silu(self.norm_2(h, embedding)))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Self-attention over positions, added to its input; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = channels // _HEAD_CHANNELS
        self.norm = nn.GroupNorm(_GROUPS, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        b, c, height, width = x.shape
        # [B, 3C, H, W] -> 3 x [B, heads, H W, head channels]
        qkv = self.qkv(self.norm(x)).view(b, 3, self.heads, c // self.heads, height * width)
        query, key, value = qkv.transpose(-1, -2).unbind(1)
        y = F.scaled_dot_product_attention(query, key, value).transpose(-1, -2)
        return x + self.out(y.reshape(b, c, height, width))  # type: ignore[no-any-return]


class Down(nn.Module):
    """Halve the side and change the channels."""

    def __init__(self, c_in: int, c_out: int, how: str) -> None:
        super().__init__()
        self.maxpool = how == "maxpool"
        self.conv = nn.Conv2d(c_in, c_out, 1) if self.maxpool else nn.Conv2d(c_in, c_out, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.max_pool2d(x, 2) if self.maxpool else x)  # type: ignore[no-any-return]


class UNet(nn.Module):
    """The network. Parameters are uninitialised until ``initialise`` or a state dict fills them."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a, channels = architecture, architecture.channels
        self.patch, self.octaves, self.output = a.patch, a.octaves, a.output
        self.time = nn.Sequential(
            nn.Linear(_TIME_FEATURES, _TIME_CHANNELS), nn.SiLU(), nn.Linear(_TIME_CHANNELS, _TIME_CHANNELS), nn.SiLU()
        )
        self.stem = nn.Conv2d(a.patch**2 * (1 + 2 * len(a.octaves)), channels[0], 3, padding=1)
        self.encoder = nn.ModuleList(nn.ModuleList(Residual(c) for _ in range(a.blocks)) for c in channels)
        pairs = list(pairwise(channels))
        self.down = nn.ModuleList(Down(fine, coarse, a.downsample) for fine, coarse in pairs)
        self.middle = nn.ModuleList(Residual(channels[-1]) for _ in range(a.middle_blocks))
        self.attention = Attention(channels[-1]) if a.attention else None
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in pairs)
        # A 1 x 1 convolution merges the skip before the block: a third fewer operations than a block on twice the width
        self.merge = nn.ModuleList(nn.ModuleList(nn.Conv2d(2 * c, c, 1) for _ in range(a.blocks)) for c in channels)
        self.decoder = nn.ModuleList(nn.ModuleList(Residual(c) for _ in range(a.blocks)) for c in channels)
        self.norm = TimedNorm(channels[0])
        self.head = nn.Conv2d(channels[0], a.patch**2, 3, padding=1)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x_t float ``[B, 1, 28, 28]``, t int64 ``[B]`` or ``[1]`` in 1..T -> noise or velocity ``[B, 1, 28, 28]``."""
        with torch.autocast(x_t.device.type, enabled=False):  # a few numbers an image
            embedding = self.time(time_features(t, _TIME_FEATURES))
        x = self.stem(fourier_features(F.pixel_unshuffle(x_t, self.patch), self.octaves))
        skips = []
        for level, blocks in enumerate(self.encoder):
            x = self.down[level - 1](x) if level else x
            for block in blocks:  # type: ignore[attr-defined]  # a ModuleList iterates, its stub says Module
                x = block(x, embedding)
                skips.append(x)
        for block in self.middle:
            x = block(x, embedding)
        x = x if self.attention is None else self.attention(x)
        for level in reversed(range(len(self.decoder))):
            for merge, block in zip(self.merge[level], self.decoder[level], strict=True):  # type: ignore[call-overload]
                x = block(merge(torch.cat([x, skips.pop()], 1)), embedding)
            x = self.up[level - 1](x) if level else x
        return F.pixel_shuffle(self.head(F.silu(self.norm(x, embedding))), self.patch)


def _zero_initialised(network: UNet) -> Iterator[nn.Module]:
    """The last layer of every residual branch, and the head: the new network puts out 0."""
    for module in network.modules():
        if isinstance(module, Residual):
            yield module.conv_2
        elif isinstance(module, Attention):
            yield module.out
    yield network.head


def initialise(network: UNet, generator: torch.Generator) -> None:
    """Fill every parameter from the generator: PyTorch's default uniform law for weights and biases, ones and zeros for
    norms, zeros where a branch ends.
    """
    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d | nn.Linear | nn.ConvTranspose2d):
            bound = 1 / math.sqrt(module.weight[0].numel())  # 1 / sqrt(fan in)
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -bound, bound, generator=generator)
    for module in _zero_initialised(network):
        for parameter in module.parameters():
            nn.init.zeros_(parameter)


def build(architecture: Architecture, device: torch.device | str) -> UNet:
    """An empty network on a device, without drawing a single random number."""
    with torch.device("meta"):
        network = UNet(architecture)
    return network.to_empty(device=device)


def denoiser(network: UNet, schedule: Schedule, dtype: torch.dtype) -> Denoiser:
    """eps_theta of a network: under autocast to ``dtype`` unless that is float32, and read off v where it gives v.

    Reading the noise off the velocity is float32 whatever ``dtype`` is. The schedule's tables must be on the network's
    device.
    """

    def call(x_t: Tensor, t: Tensor) -> Tensor:
        with torch.autocast(x_t.device.type, dtype, enabled=dtype != torch.float32):
            return network(x_t, t).float()  # type: ignore[no-any-return]

    return noise_from_velocity(call, schedule) if network.output == "velocity" else call
