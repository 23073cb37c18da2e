"""The network as sampling runs it: no gradients, and one t for all images of a batch.

Training draws a t for every image, a sampler gives all images the same. So what the time adds to the images is the bias
of the convolution or of the norm before it, which costs no pass over the images, and is tabled for all t beforehand.
The weights are rounded to the working precision once, not in every step.
"""

import copy
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ddpm.diffusion import Denoiser, Schedule, noise_from_velocity
from ddpm.network.layers import Residual
from ddpm.network.unet import UNet, time_features


def denoiser(network: UNet, schedule: Schedule, dtype: torch.dtype) -> Denoiser:
    """eps_theta of a trained network, for a t of one element; equal to ``network.denoiser`` up to rounding.

    Args:
        network: on the device where it will run; copied, so later changes of its weights do not count.
        schedule: the schedule it was trained with, on the same device.
        dtype: of weights and activations: bfloat16 or float32.

    Raises:
        ValueError: by the denoiser, for a t of more than one element.
    """
    blocks = [module for module in network.modules() if isinstance(module, Residual)]  # in the order of `_forward`
    layers = [*(block.time for block in blocks), network.scale_shift]
    with torch.no_grad():
        t = torch.arange(1, schedule.T + 1, device=network.head.weight.device)
        embedding = network.time(time_features(t, network.time[0].in_features))  # type: ignore[arg-type]  # stub: Module
        table = torch.cat([layer(embedding) for layer in layers], 1).to(dtype)  # [T, channels of all layers]
    sizes = [layer.out_features for layer in layers]
    rounded = copy.deepcopy(network).to(dtype).requires_grad_(False)

    def call(x_t: Tensor, t: Tensor) -> Tensor:
        (row,) = table[t - 1]
        return _forward(rounded, x_t, row.split(sizes)).float()

    return noise_from_velocity(call, schedule) if network.output == "velocity" else call


def _forward(network: UNet, x_t: Tensor, times: tuple[Tensor, ...]) -> Tensor:
    """``UNet.forward`` with what the time adds given, layer by layer."""
    *of_blocks, scale_shift = times
    time = iter(of_blocks)
    x = _fourier_features(F.pixel_unshuffle(x_t, network.patch), network.octaves).to(scale_shift.dtype)
    x = network.stem(x.contiguous(memory_format=torch.channels_last))
    skips = []
    for blocks, down in zip(network.encoder, network.down, strict=True):
        for block in blocks:  # type: ignore[attr-defined]  # a ModuleList iterates, its stub says Module
            x = _residual(block, x, next(time))
            skips.append(x)
        x = down(x)
    for block in network.middle:
        x = _residual(block, x, next(time))  # type: ignore[arg-type]  # the stub says Module
    x = x if network.attention is None else network.attention(x)
    for up, merges, blocks in zip(network.up, network.skip, network.decoder, strict=True):
        x = up(x)
        for merge, block in zip(merges, blocks, strict=True):  # type: ignore[call-overload]
            x = _residual(block, merge(skips.pop()).add_(x), next(time))
    scale, shift = scale_shift.chunk(2)
    y = network.head(F.silu(_normalise(x, 1 + scale, shift), inplace=True)).permute(0, 2, 3, 1)
    # pixel_shuffle, in half the time: [B, H, W, patch^2] -> [B, 1, H patch, W patch]
    b, height, width, _ = y.shape
    p = network.patch
    image: Tensor = y.reshape(b, height, width, p, p).transpose(2, 3).reshape(b, 1, height * p, width * p)
    return image


def _residual(block: Residual, x: Tensor, time: Tensor) -> Tensor:
    first = block.conv_1
    if block.norm:
        h = _normalise(first(x), torch.ones_like(time), time)
    else:
        t_1, t_2 = time.chunk(2)
        h = F.silu(x + t_1[:, None, None], inplace=True)
        h = F.conv2d(h, first.weight, t_2, padding=first.padding, dilation=first.dilation)
    return block.conv_2(F.silu(h, inplace=True)).add_(x)  # type: ignore[no-any-return]


def _normalise(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``layers.normalise``, then times weight and plus bias, each ``[C]``."""
    y = x.permute(0, 2, 3, 1)
    shape = y.shape[1:]
    y = F.layer_norm(y, shape, weight.expand(shape).contiguous(), bias.expand(shape).contiguous())
    return y.permute(0, 3, 1, 2)


def _fourier_features(x: Tensor, octaves: tuple[int, ...]) -> Tensor:
    """``network.fourier_features`` of ``[B, C, H, W]``, with a sine and a cosine of the lowest octave only.

    From an octave to the next, sin 2a = sin a (2 cos a) and 2 cos 2a = (2 cos a)^2 - 2. The errors that add up are as
    small as those of a large angle in float32.
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
