"""The network in sampling: no gradients, and one t for all images of a batch.

The projections of the time embedding are precomputed for all t, and the weights rounded to the working precision once.
"""

import copy

import torch
from torch import Tensor, nn

from ddpm.diffusion import Denoiser, Schedule, epsilon_from_v
from ddpm.network import unet
from ddpm.network.unet import UNet


def sampling_denoiser(network: nn.Module, schedule: Schedule, dtype: torch.dtype) -> Denoiser:
    """eps_theta of a trained network, for a t of one element; equal to ``unet.denoiser`` up to rounding.

    A network of another kind than our own has no projections to precompute: it is called as in training.

    Args:
        network: on the device where it will run; our own is copied, so later changes of its weights do not count.
        schedule: the schedule it was trained with, on the same device.
        dtype: of weights and activations: bfloat16 or float32.

    Raises:
        ValueError: by the denoiser, for a t of more than one element.
    """
    if not isinstance(network, UNet):
        return unet.denoiser(network, schedule, dtype)
    sizes = [layer.out_features for layer in network.time_layers()]
    with torch.no_grad():
        t = torch.arange(1, schedule.T + 1, device=network.head.weight.device)
        table = torch.cat(network.time_projections(t), 1).to(dtype)  # [T, K of all layers]
    rounded = copy.deepcopy(network).to(dtype).requires_grad_(False)

    def call(x_t: Tensor, t: Tensor) -> Tensor:
        if t.numel() != 1:
            raise ValueError(f"one t for all images, not {t.numel()}")
        row = table.index_select(0, t - 1).squeeze(0)
        return rounded.body(x_t, row.split(sizes)).float()

    return epsilon_from_v(call, schedule) if network.prediction == "v" else call
