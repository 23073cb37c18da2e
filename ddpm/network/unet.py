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

from ddpm.core.mnist import SIDE
from ddpm.diffusion import Denoiser, Schedule, noise_from_velocity
from ddpm.errors import StudyError
from ddpm.network.layers import HEAD_CHANNELS, TIME_CHANNELS, Attention, Down, Residual, Up, normalise

_TIME_FEATURES = 64  # sines and cosines of t


@dataclass(frozen=True)
class Architecture:
    """The shape of a U-Net.

    Attributes:
        patch: side of the space-to-depth patches, pixels; 1 for none.
        channels: channels of each level, finest first; each level halves the side.
        blocks: residual blocks of every level but the last on the way down, and as many on the way up.
        middle_blocks: residual blocks of the last level; every second one is dilated.
        attention: self-attention after them.
        stem_kernel: side of the first convolution; 1 mixes the channels of a patch and leaves the rest to the blocks.
        kernels: sides of a block's two convolutions. A second of 1 x 1 takes almost half of the operations away.
        downsample: how a level is left: ``strided`` convolution, or ``maxpool`` as in the report.
        output: what the last layer gives: ``noise`` as in the report, or ``velocity`` (see ``denoiser``).
        octaves: octaves k of the input's sines and cosines (see ``fourier_features``); none as in the report.
    """

    patch: int
    channels: tuple[int, ...]
    blocks: int
    middle_blocks: int
    attention: bool
    stem_kernel: int
    kernels: tuple[int, int]
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
        if len(self.kernels) != 2 or any(k < 1 or k % 2 == 0 for k in (self.stem_kernel, *self.kernels)):
            raise StudyError(
                f"kernels must be odd, and two a block: {self.stem_kernel}, {self.kernels}",
                where="network.stem_kernel, network.kernels",
            )
        if self.attention and self.channels[-1] % HEAD_CHANNELS:
            raise StudyError(
                f"attention needs a last level of a multiple of {HEAD_CHANNELS} channels",
                where=f"network.channels {self.channels}",
            )


def time_features(t: Tensor, size: int) -> Tensor:
    """Sinusoidal features of t (Vaswani et al. 2017, section 3.5): int64 ``[B]`` -> float32 ``[B, size]``."""
    half = size // 2
    frequency = torch.exp(torch.arange(half, device=t.device) * (-math.log(10_000) / (half - 1)))
    angle = t.float()[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], 1)


def fourier_features(x: Tensor, octaves: tuple[int, ...]) -> Tensor:
    """Put sin(2^k pi x) and cos(2^k pi x) beside x: ``[..., C]`` -> ``[..., C (1 + 2 len(octaves))]``.

    They magnify what is too faint for the network otherwise, and for bfloat16: the noise of the first steps
    (Kingma et al. 2021, appendix C).
    """
    if not octaves:
        return x
    angles = torch.cat([2**k * math.pi * x for k in octaves], -1)
    return torch.cat([x, angles.sin(), angles.cos()], -1)


class UNet(nn.Module):
    """The network. Parameters are uninitialised until ``initialise`` or a state dict fills them."""

    capturable = True  # by a CUDA graph: see ``core.device.use_graph``

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a, channels = architecture, architecture.channels
        self.patch, self.octaves, self.output = a.patch, a.octaves, a.output
        self.time = nn.Sequential(
            nn.Linear(_TIME_FEATURES, TIME_CHANNELS), nn.SiLU(), nn.Linear(TIME_CHANNELS, TIME_CHANNELS), nn.SiLU()
        )
        self.stem = nn.Conv2d(a.patch**2 * (1 + 2 * len(a.octaves)), channels[0], a.stem_kernel, padding="same")
        pairs = list(pairwise(channels))

        def residuals(c: int) -> nn.ModuleList:
            return nn.ModuleList(Residual(c, a.kernels, norm=False) for _ in range(a.blocks))

        self.encoder = nn.ModuleList(residuals(fine) for fine, _ in pairs)
        self.down = nn.ModuleList(Down(fine, coarse, a.downsample) for fine, coarse in pairs)
        self.middle = nn.ModuleList(
            Residual(channels[-1], a.kernels, norm=True, dilation=1 + i % 2) for i in range(a.middle_blocks)
        )
        self.attention = Attention(channels[-1]) if a.attention else None
        pairs.reverse()  # coarsest first from here
        self.up = nn.ModuleList(Up(coarse, fine) for fine, coarse in pairs)
        # Concatenating a skip and a 1 x 1 convolution of both is a sum of two of them: the other one is in `up` already
        self.skip = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(fine, fine, 1, bias=False) for _ in range(a.blocks)) for fine, _ in pairs
        )
        self.decoder = nn.ModuleList(residuals(fine) for fine, _ in pairs)
        self.scale_shift = nn.Linear(TIME_CHANNELS, 2 * channels[0])
        self.head = nn.Conv2d(channels[0], a.patch**2, 1)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x_t float ``[B, 1, 28, 28]``, t int64 ``[B]`` or ``[1]`` in 1..T -> noise or velocity ``[B, 1, 28, 28]``."""
        with torch.autocast(x_t.device.type, enabled=False):  # a few numbers an image
            embedding = self.time(time_features(t, _TIME_FEATURES))
        x = F.pixel_unshuffle(x_t, self.patch).permute(0, 2, 3, 1).contiguous()
        x = self.stem(fourier_features(x, self.octaves).permute(0, 3, 1, 2))
        x = x.contiguous(memory_format=torch.channels_last)  # and so to the end
        skips = []
        for blocks, down in zip(self.encoder, self.down, strict=True):
            for block in blocks:  # type: ignore[attr-defined]  # a ModuleList iterates, its stub says Module
                x = block(x, embedding)
                skips.append(x)
            x = down(x)
        for block in self.middle:
            x = block(x, embedding)
        x = x if self.attention is None else self.attention(x)
        for up, merges, blocks in zip(self.up, self.skip, self.decoder, strict=True):
            x = up(x)
            for merge, block in zip(merges, blocks, strict=True):  # type: ignore[call-overload]
                x = block(x + merge(skips.pop()), embedding)
        # norm, then scale and shift by the time (Dhariwal & Nichol 2021, section 3, adaptive norm)
        scale, shift = self.scale_shift(embedding)[:, :, None, None].chunk(2, 1)
        return F.pixel_shuffle(self.head(F.silu(normalise(x) * (1 + scale) + shift)), self.patch)


def _zero_initialised(network: UNet) -> Iterator[nn.Module]:
    """The last layer of every residual branch, and the head: the new network puts out 0."""
    for module in network.modules():
        if isinstance(module, Residual):
            yield module.conv_2
        elif isinstance(module, Attention):
            yield module.out
    yield network.head


def initialise(network: UNet, generator: torch.Generator) -> None:
    """Fill every parameter from the generator: PyTorch's default uniform law, zeros where a branch ends."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
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
