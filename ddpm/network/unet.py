"""The U-Net eps_theta(x_t, t) (Ronneberger et al. 2015; Ho et al. 2020, appendix B), sized for 28 x 28 digits.

With ``patch = 2`` a space-to-depth stem turns 28 x 28 x 1 into 14 x 14 x 4, which costs nothing and quarters every
later pass; the output is folded back the same way. With ``patch = 1`` it is the report's network at full resolution.

The output is either epsilon (epsilon-prediction) or v (v-prediction), which ``denoiser`` converts to epsilon.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddpm.diffusion import Denoiser, Schedule, epsilon_from_v
from ddpm.network.architecture import Architecture
from ddpm.network.layers import (
    TIME_CHANNELS,
    Attention,
    Down,
    Residual,
    Up,
    fourier_features,
    fourier_features_by_recursion,
    normalise,
)

_TIME_FEATURES = 64  # sines and cosines of t


def time_features(t: Tensor, size: int) -> Tensor:
    """Sinusoidal features of t (Vaswani et al. 2017, section 3.5): int64 ``[B]`` -> float32 ``[B, size]``."""
    half = size // 2
    frequency = torch.exp(torch.arange(half, device=t.device) * (-math.log(10_000) / (half - 1)))
    angle = t.float()[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], 1)


class UNet(nn.Module):
    """The network. Parameters are uninitialised until ``initialise`` or a state dict fills them."""

    capturable = True  # by a CUDA graph: see ``core.device.use_graph``

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a, channels = architecture, architecture.channels
        self.patch, self.octaves, self.prediction = a.patch, a.octaves, a.prediction
        self.time = nn.Sequential(
            nn.Linear(_TIME_FEATURES, TIME_CHANNELS), nn.SiLU(), nn.Linear(TIME_CHANNELS, TIME_CHANNELS), nn.SiLU()
        )
        self.stem = nn.Conv2d(a.patch**2 * (1 + 2 * len(a.octaves)), channels[0], a.stem_kernel, padding="same")
        pairs = list(pairwise(channels))

        def residuals(c: int) -> nn.ModuleList:
            return nn.ModuleList(Residual(c, a.kernels, norm=a.norm == "all") for _ in range(a.blocks))

        self.encoder = nn.ModuleList(residuals(fine) for fine, _ in pairs)
        self.down = nn.ModuleList(Down(fine, coarse, a.downsample) for fine, coarse in pairs)
        self.middle = nn.ModuleList(
            Residual(channels[-1], a.kernels, norm=a.norm != "none", dilation=1 + i % 2) for i in range(a.middle_blocks)
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
        for place, block in enumerate(self.residual_blocks()):
            block.place = place

    def embedding(self, t: Tensor) -> Tensor:
        """The embedding of the time, float32 ``[B, TIME_CHANNELS]``, never under autocast: its cost is negligible."""
        with torch.autocast(t.device.type, enabled=False):
            return self.time(time_features(t, _TIME_FEATURES))  # type: ignore[no-any-return]

    def residual_blocks(self) -> list[Residual]:
        """All of them, in the order of their use."""
        return [module for module in self.modules() if isinstance(module, Residual)]

    def time_layers(self) -> list[nn.Linear]:
        """The layers that project the time embedding: one a residual block, in their order, and the head's."""
        return [*(block.time for block in self.residual_blocks()), self.scale_shift]

    def time_projections(self, t: Tensor) -> list[Tensor]:
        """What ``time_layers`` give for int64 ``[B]`` or ``[1]`` in 1..T: ``[B, K]`` each."""
        embedding = self.embedding(t)
        return [layer(embedding) for layer in self.time_layers()]

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x_t float ``[B, 1, 28, 28]``, t int64 ``[B]`` or ``[1]`` in 1..T -> epsilon or v, ``[B, 1, 28, 28]``."""
        return self.body(x_t, self.time_projections(t))

    def body(self, x_t: Tensor, times: Sequence[Tensor]) -> Tensor:
        """The network without its time embedding.

        Args:
            x_t: float ``[B, 1, 28, 28]``.
            times: the time embedding projected by ``time_layers``, each ``[B, K]``, or ``[K]`` where all images have
                one t and no gradient is needed.

        Returns:
            epsilon or v, ``[B, 1, 28, 28]``.
        """
        x = self.stem(self._input(x_t, one_time=times[-1].dim() == 1))
        x = x.contiguous(memory_format=torch.channels_last)  # and so to the end
        skips = []
        for blocks, down in zip(self.encoder, self.down, strict=True):
            for block in blocks:  # type: ignore[attr-defined]  # a ModuleList iterates, its stub says Module
                x = block(x, times[block.place])
                skips.append(x)
            x = down(x)
        for block in self.middle:
            x = block(x, times[block.place])  # type: ignore[call-overload]
        x = x if self.attention is None else self.attention(x)
        for up, merges, blocks in zip(self.up, self.skip, self.decoder, strict=True):
            x = up(x)
            for merge, block in zip(merges, blocks, strict=True):  # type: ignore[call-overload]
                x = block(merge(skips.pop()).add_(x), times[block.place])
        return self._output(x, times[-1])

    def _input(self, x_t: Tensor, *, one_time: bool) -> Tensor:
        """Patches and their Fourier features; with one t for all, in the precision of the weights."""
        x = F.pixel_unshuffle(x_t, self.patch)
        if one_time:
            x = fourier_features_by_recursion(x, self.octaves).to(self.stem.weight.dtype)
            return x.contiguous(memory_format=torch.channels_last)
        x = fourier_features(x.permute(0, 2, 3, 1).contiguous(), self.octaves)
        return x.permute(0, 3, 1, 2)

    def _output(self, x: Tensor, time: Tensor) -> Tensor:
        """Norm, then scale and shift by the time (Dhariwal & Nichol 2021, section 3, adaptive norm), then pixels."""
        if time.dim() == 1:
            scale, shift = time.chunk(2)
            y = self.head(F.silu(normalise(x, 1 + scale, shift), inplace=True))
        else:
            scale, shift = time[:, :, None, None].chunk(2, 1)
            y = self.head(F.silu(normalise(x) * (1 + scale) + shift))
        # pixel_shuffle written out, faster with the channels last: [B, patch^2, H, W] -> [B, 1, H patch, W patch]
        b, _, height, width = y.shape
        p = self.patch
        y = y.permute(0, 2, 3, 1).reshape(b, height, width, p, p).transpose(2, 3)
        image: Tensor = y.reshape(b, 1, height * p, width * p)
        return image


def _zero_initialised(network: UNet) -> Iterator[nn.Module]:
    """The last layer of every residual branch, and the head: an untrained network outputs 0."""
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


def denoiser(network: nn.Module, schedule: Schedule, dtype: torch.dtype) -> Denoiser:
    """eps_theta of any network, with a t for each image: under autocast to ``dtype`` unless that is float32.

    A network that does not say what it predicts predicts epsilon. v is converted to epsilon in float32 whatever
    ``dtype`` is. The schedule's tables must be on the network's device.
    """

    def call(x_t: Tensor, t: Tensor) -> Tensor:
        with torch.autocast(x_t.device.type, dtype, enabled=dtype != torch.float32):
            return network(x_t, t).float()  # type: ignore[no-any-return]

    return epsilon_from_v(call, schedule) if getattr(network, "prediction", "epsilon") == "v" else call
