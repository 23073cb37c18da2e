"""The layers of the U-Net: time-conditioned residual blocks, self-attention, downsampling and upsampling, the head.

Tensors are ``[B, C, H, W]`` with the channels last in memory: there a convolution of few channels is faster on a CPU,
and torch's group norm, which this file does without, slower.

A layer that depends on the time takes the projected time embedding in one of two forms: ``[B, K]``, a row an image, as
in training, or ``[K]``, one for all images and without gradients, as in sampling. In the second form what the time adds
is the bias of the convolution or norm before it where there is one, which costs no pass over the images.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TIME_CHANNELS = 128  # width of the time embedding
HEAD_CHANNELS = 16  # of an attention head


def normalise(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
    """Zero mean and unit variance over all values of an image: group norm of one group (Wu & He 2018).

    Args:
        x: float ``[B, C, H, W]``.
        weight, bias: ``[C]``, applied to the result; none by default.
    """
    y = x.permute(0, 2, 3, 1)
    shape = y.shape[1:]
    scale, shift = (None if v is None else v.expand(shape).contiguous() for v in (weight, bias))
    y = F.layer_norm(y, shape, scale, shift).to(x.dtype)  # autocast on a GPU gives float32
    return y.permute(0, 3, 1, 2)


def fourier_features(x: Tensor, octaves: tuple[int, ...]) -> Tensor:
    """Put sin(2^k pi x) and cos(2^k pi x) beside x: ``[..., C]`` -> ``[..., C (1 + 2 len(octaves))]``.

    They magnify what is too faint for the network otherwise, and for bfloat16: the noise of the first steps
    (Kingma et al. 2021, appendix C).
    """
    if not octaves:
        return x
    angles = torch.cat([2**k * math.pi * x for k in octaves], -1)
    return torch.cat([x, angles.sin(), angles.cos()], -1)


def fourier_features_by_recursion(x: Tensor, octaves: tuple[int, ...]) -> Tensor:
    """``fourier_features`` of ``[B, C, H, W]`` along C, with a sine and a cosine of the lowest octave only.

    From an octave to the next, sin 2a = sin a (2 cos a) and 2 cos 2a = (2 cos a)^2 - 2. The errors that add up are as
    small as those of a large angle in float32. It is faster, but its gradient would be slower.
    """
    if not octaves:
        return x
    lowest = min(octaves)
    angle = 2**lowest * math.pi * x
    sines, cosines = {lowest: angle.sin()}, {lowest: angle.cos().mul_(2)}  # twice the cosine
    for k in range(lowest, max(octaves)):
        sines[k + 1] = sines[k] * cosines[k]
        cosines[k + 1] = (cosines[k] * cosines[k]).sub_(2)
    return torch.cat([x, *(sines[k] for k in octaves), *(cosines[k] / 2 for k in octaves)], 1)


class Residual(nn.Module):
    """x + conv_2(silu(t_2 + conv_1(silu(t_1 + x)))): the time is added channel by channel, in place of biases.

    With normalisation: x + conv_2(silu(t + norm(conv_1(x)))). The second convolution is initialised to zero, so an
    untrained block is the identity and trains without normalisation too (Zhang et al. 2019), which is expensive where
    the image is large.

    Args:
        channels: in and out.
        kernels: sides of the two convolutions, odd.
        norm: with normalisation.
        dilation: of the first convolution: 2 sees twice as far at the same cost (Yu & Koltun 2016).
    """

    def __init__(self, channels: int, kernels: tuple[int, int], *, norm: bool, dilation: int = 1) -> None:
        super().__init__()
        first, second = kernels
        self.norm = norm
        self.place = 0  # among the network's blocks
        self.time = nn.Linear(TIME_CHANNELS, channels if norm else 2 * channels)
        self.conv_1 = nn.Conv2d(channels, channels, first, padding="same", dilation=dilation, bias=False)
        self.conv_2 = nn.Conv2d(channels, channels, second, padding="same", bias=False)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Images ``[B, C, H, W]`` and what ``self.time`` gives, ``[B, K]`` or ``[K]`` -> images."""
        if time.dim() == 1:
            return self._one_time(x, time)
        t = time[:, :, None, None]
        if self.norm:
            h = t + normalise(self.conv_1(x))
        else:
            t_1, t_2 = t.chunk(2, 1)
            h = t_2 + self.conv_1(F.silu(t_1 + x))
        return x + self.conv_2(F.silu(h))  # type: ignore[no-any-return]

    def _one_time(self, x: Tensor, time: Tensor) -> Tensor:
        if self.norm:
            h = normalise(self.conv_1(x), torch.ones_like(time), time)
        else:
            conv = self.conv_1
            t_1, t_2 = time.chunk(2)
            h = F.silu(x + t_1[:, None, None], inplace=True)
            h = F.conv2d(h, conv.weight, t_2, padding=conv.padding, dilation=conv.dilation)
        return self.conv_2(F.silu(h, inplace=True)).add_(x)  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Self-attention over positions, added to its input; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = channels // HEAD_CHANNELS
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        b, c, height, width = x.shape
        # [B, 3C, H, W] -> 3 x [B, heads, H W, head channels]
        qkv = self.qkv(normalise(x)).permute(0, 2, 3, 1).reshape(b, height * width, 3, self.heads, c // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind()
        y = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(b, height, width, c)
        return x + self.out(y.permute(0, 3, 1, 2))  # type: ignore[no-any-return]


class Down(nn.Module):
    """Halve the side and change the channels."""

    def __init__(self, c_in: int, c_out: int, how: str) -> None:
        super().__init__()
        self.maxpool = how == "maxpool"
        self.conv = nn.Conv2d(c_in, c_out, 1) if self.maxpool else nn.Conv2d(c_in, c_out, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.max_pool2d(x, 2) if self.maxpool else x)  # type: ignore[no-any-return]


class Up(nn.Module):
    """Double the side and change the channels: a transposed convolution of 2 x 2 with stride 2.

    Written as a product and a permutation, which is faster than ``nn.ConvTranspose2d``.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, 4 * c_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, _, height, width = x.shape
        y = self.conv(x).permute(0, 2, 3, 1).view(b, height, width, 2, 2, -1)
        return y.transpose(2, 3).reshape(b, 2 * height, 2 * width, -1).permute(0, 3, 1, 2)  # type: ignore[no-any-return]
